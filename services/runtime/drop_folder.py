"""The files of a drop folder: found, read, answered and put away, each in one safe step.

Whoever may write into a restaurant's folder may be nobody we trust: nothing here follows a
symbolic link, waits for a pipe or reads more than it wants, and a file is only ever moved
within the folder it came in. These functions block: call them on a thread.
"""

from __future__ import annotations

import errno
import hashlib
import heapq
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from schemas.envelope import MAX_REQUEST_BYTES
from schemas.refusals import RefusalCode
from services.runtime.relay import Checkpoint, no_checkpoint

DONE: Final = "done"
REFUSED: Final = "refused"
ONE: Final = ".json"
"""One request a file."""
MANY: Final = ".jsonl"
"""One request a line."""
MOST_LINES_BYTES: Final = 16 * 1024 * 1024
"""Of a file with many requests."""
PAGE: Final = 100
PAGE_BYTES: Final = 8 * 1024 * 1024

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that was found."""

    name: str
    requests: Sequence[bytes] = field(default=(), repr=False)
    wrong: tuple[RefusalCode, str] | None = None
    """Why it cannot be read at all."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What goes into ``NAME.reply.json`` (``.jsonl`` for many), and where the file goes."""

    name: str
    replies: bytes = field(repr=False)
    where: str


def waiting(root: Path) -> list[str]:
    """The names of the folders in which there is a file to be taken.

    Raises:
        OSError: there is no such drop folder, or it may not be read.
    """
    with os.scandir(root) as entries:
        names = sorted(each.name for each in entries if each.is_dir(follow_symlinks=False))
    return [name for name in names if _is_waiting(root, name)]


def _is_waiting(root: Path, tenant: str) -> bool:
    try:
        with _opened(root, tenant) as folder, os.scandir(folder) as entries:
            return any(_counts(each.name) for each in entries)
    except OSError:
        return True  # why it cannot be read is found out, and said, when its turn comes


def next_page(root: Path, tenant: str, skip: Collection[str]) -> list[Dropped]:
    """Read the next files by name, up to a page of them.

    Args:
        root: the drop folder.
        tenant: whose folder.
        skip: names that are left alone for now.

    Raises:
        OSError: the folder is gone, or may not be read.
    """
    with _opened(root, tenant) as folder:
        with os.scandir(folder) as entries:
            names = (each.name for each in entries if _counts(each.name))
            wanted = heapq.nsmallest(PAGE, (name for name in names if name not in skip))
        page: list[Dropped] = []
        size = 0
        for name in wanted:
            found = _read(folder, name)
            if found is not None:
                page.append(found)
                size += sum(map(len, found.requests))
            if size > PAGE_BYTES:
                break
        return page


def put_away(
    root: Path, tenant: str, answers: Sequence[Answered], checkpoint: Checkpoint = no_checkpoint
) -> dict[str, OSError]:
    """Write the replies beside their files, and then move those; all is durable on return.

    Killed before a file is moved, it is found again, and has the same answers again.

    Args:
        root: the drop folder.
        tenant: whose folder.
        answers: to which file what.
        checkpoint: called where a crash would be worst.

    Returns:
        What could not be put away, by name: it is where it was.

    Raises:
        OSError: the folder is gone.
    """
    failed: dict[str, OSError] = {}
    with _opened(root, tenant) as folder, ExitStack() as stack:
        into: dict[str, int] = {}
        for each in answers:
            try:
                told = reply_name(each.name)
                if len(os.fsencode(told)) <= _LONGEST_NAME:
                    _write(folder, told, each.replies)
                checkpoint("replied")
                if each.where not in into:
                    into[each.where] = _made(folder, each.where)
                    stack.callback(os.close, into[each.where])
                kept = _free_name(into[each.where], each.name)
                os.rename(each.name, kept, src_dir_fd=folder, dst_dir_fd=into[each.where])
                checkpoint("moved")
            except OSError as error:
                failed[each.name] = error
        for handle in (*into.values(), folder):
            os.fsync(handle)
    return failed


def _made(folder: int, name: str) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=folder)
    return os.open(name, _FOLDER, dir_fd=folder)


def reply_name(name: str) -> str:
    """What the replies to a file are called: ``a.json`` has ``a.reply.json``."""
    stem, dot, kind = name.rpartition(".")
    return f"{stem}.reply{dot}{kind}"


def _counts(name: str) -> bool:
    """Whether a name is one to be taken: what is not finished yet has another."""
    if name.startswith(".") or not name.endswith((ONE, MANY)):
        return False
    return not name.endswith((f".reply{ONE}", f".reply{MANY}"))


@contextmanager
def _opened(root: Path, tenant: str) -> Iterator[int]:
    folder = os.open(root / tenant, _FOLDER)
    try:
        yield folder
    finally:
        os.close(folder)


def _read(folder: int, name: str) -> Dropped | None:
    """Read one file, whatever it is; None where it is gone."""
    try:
        handle = os.open(name, _READ, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        what = "a symbolic link" if error.errno == errno.ELOOP else f"{error.strerror}"
        return _wrong(name, RefusalCode.UNREADABLE, f"it cannot be opened: {what}")
    try:
        return _told(handle, name)
    except OSError as error:
        return _wrong(name, RefusalCode.UNREADABLE, f"it cannot be read: {error.strerror}")
    finally:
        os.close(handle)


def _told(handle: int, name: str) -> Dropped:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "no plain file"
        return _wrong(name, RefusalCode.UNREADABLE, f"it is {what}")
    most = MOST_LINES_BYTES if name.endswith(MANY) else MAX_REQUEST_BYTES
    told = _up_to(handle, most + 1)
    if len(told) > most:
        text = f"{max(len(told), found.st_size)} bytes; such a file may have {most}"
        return _wrong(name, RefusalCode.TOO_LARGE, text)
    lines = [told] if name.endswith(ONE) else told.split(b"\n")
    requests = tuple(line for line in lines if line.strip())
    if not requests:
        return _wrong(name, RefusalCode.UNREADABLE, "it is empty")
    return Dropped(name, requests)


def _up_to(handle: int, most: int) -> bytes:
    """Read so much at most: by its size alone one cannot tell, it may grow meanwhile."""
    parts: list[bytes] = []
    while most and (part := os.read(handle, min(most, 1 << 20))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _wrong(name: str, code: RefusalCode, text: str) -> Dropped:
    return Dropped(name, wrong=(code, text))


def _write(folder: int, name: str, text: bytes) -> None:
    """Write a file as a whole or not at all."""
    # Always the same name for the same file: what a crash leaves behind is used up later.
    passing = f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:24]}.heard.tmp"
    with suppress(FileNotFoundError):
        os.unlink(passing, dir_fd=folder)
    handle = os.open(passing, _WRITE, 0o644, dir_fd=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    os.rename(passing, name, src_dir_fd=folder, dst_dir_fd=folder)


def _free_name(folder: int, name: str) -> str:
    """A name that nothing in the folder has: what lies there is never overwritten."""
    stem, dot, kind = name.rpartition(".")
    tried, number = name, 1
    while True:
        try:
            os.stat(tried, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return tried
        number += 1
        tried = f"{stem[:200]}.{number}{dot}{kind}"
