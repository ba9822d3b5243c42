"""Where children come from: a process that has read all their code, and forks one when asked.

Each by itself would need three seconds of a processor to read the services' code, and tests begin
hundreds. What is forked is a process as any: of a group of its own, killed and stopped by the
kernel, with connections that nobody shares. What shows how a program begins starts it itself.

``python -m tests.nursery PARENT`` reads on its standard input, and answers line by line:
``{"module", "given", "log"}`` with the child's number, a child's number with how it ended.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final, NoReturn

ROOT: Final = Path(__file__).parent.parent
_PR_SET_PDEATHSIG: Final = 1


class Nursery:
    """The process, from outside."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.nursery", str(os.getpid())],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._lock = Lock()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def close(self) -> None:
        """End it, and with it all its children."""
        self._process.kill()
        self._process.communicate()

    def begin(self, module: str, given: str, log: Path) -> int:
        """Begin a child; returns its number.

        Args:
            module: its `live` is called.
            given: with what.
            log: where what it says goes.
        """
        return int(self._ask({"module": module, "given": given, "log": str(log)}))

    def ended(self, child: int) -> int | None:
        """Its exit status (negative: the signal that killed it), or None while it runs."""
        status: int | None = self._ask(child)
        return status

    def _ask(self, what: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()
            said = self._process.stdout.readline()
        assert said, "the nursery has ended"
        return json.loads(said)


@cache
def nursery() -> Nursery:
    """The one of this process."""
    return Nursery()


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread of `parent` that made it ends.

    Raises:
        OSError: the kernel does not know how.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:  # it ended before we could say so
        os._exit(1)


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is printed here is no answer
    ended: dict[int, int] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, int):
            if asked not in ended:
                pid, status = os.waitpid(asked, os.WNOHANG)
                if pid:
                    ended[pid] = os.waitstatus_to_exitcode(status)
            told = ended.get(asked)
        else:
            told = _fork(**asked)
        answers.write(json.dumps(told) + "\n")
        answers.flush()


def _fork(module: str, given: str, log: str) -> int:
    code = importlib.import_module(module)
    for each in getattr(code, "READS", ()):
        importlib.import_module(each)
    gc.freeze()  # what was read stays where it is, in one copy
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _be_a_child(parent, code.live, given, log)
    os.setpgid(child, child)  # here too: whoever is told of it may kill its group at once
    return child


def _be_a_child(parent: int, live: Any, given: str, log: str) -> NoReturn:
    status = 1
    try:
        os.setpgid(0, 0)
        die_with(parent)
        nothing = os.open(os.devnull, os.O_RDONLY)
        said = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        for ours, theirs in ((nothing, 0), (said, 1), (said, 2)):
            os.dup2(ours, theirs)
        os.closerange(3, 256)
        live(given)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - as Python does at the end of a process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    # Whoever runs the tests in the background has them ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    die_with(int(sys.argv[1]))
    _serve()
