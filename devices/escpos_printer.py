"""ESC/POS printers: from rows of paper to bytes, and these to a printer.

python-escpos writes the bytes, and comes with the extra `printer` alone. What a printer took is
known where it answers: the status that is asked for behind a slip comes when all before it is
done.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Protocol

from devices.receipt_paper import CODE_PAGES, Row

CONNECT_S: Final = 5.0
ANSWER_S: Final = 3.0
PRINT_S: Final = 15.0
"""How long a slip may take to come out."""
USUAL_PORT: Final = 9100
USUAL_PROFILE: Final = "default"

_CODE_PAGES: Final = frozenset(page.upper() for page in CODE_PAGES)
_ASK_OFFLINE: Final = b"\x10\x04\x01"
_ASK_PAPER: Final = b"\x10\x04\x04"
"""DLE EOT: answered at once, whatever is still to be printed."""
_ASK_BEHIND: Final = b"\x1dr\x01"
"""GS r: answered when everything before it is done."""
_IS_OFFLINE: Final = 0x08
_NO_PAPER: Final = 0x60
_PAPER_ENDED: Final = 0x0C
_USB: Final = re.compile(r"([0-9a-f]{4}):([0-9a-f]{4})", re.ASCII | re.IGNORECASE)


class PrinterAway(Exception):
    """Nothing was printed: the printer is not there, does not answer, or has no paper."""


class PrinterUnsure(Exception):
    """It was sent, and nobody knows how much of it came out."""


class NoPrinting(Exception):
    """python-escpos is not installed, or does not know the printer's profile."""


class Printer(Protocol):
    """Where slips go."""

    def send(self, slip: bytes) -> None:
        """Print; returns when the printer has taken it.

        Raises:
            PrinterAway: nothing was printed.
            PrinterUnsure: some of it may have been.
        """


def printer_at(to: str, *, answers: bool = True) -> Printer:
    """Make the printer of an address.

    Args:
        to: ``host``, ``host:port``, ``usb:04b8:0202`` (vendor and product) or ``file:PATH``.
        answers: whether a network printer tells its status; without, what was sent counts
            as printed.

    Raises:
        ValueError: it is no such address.
    """
    kind, _, rest = to.partition(":")
    if kind == "file":
        if not rest:
            raise ValueError("file: needs a path, as file:/dev/usb/lp0")
        return FilePrinter(Path(rest))
    if kind == "usb":
        found = _USB.fullmatch(rest)
        if found is None:
            raise ValueError("usb: needs vendor and product, as usb:04b8:0202 (see lsusb)")
        return UsbPrinter(int(found[1], 16), int(found[2], 16))
    host, _, port = to.rpartition(":") if ":" in to else (to, "", str(USUAL_PORT))
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65_536:
        raise ValueError(f"{to!r} is no printer: say host:9100, usb:04b8:0202 or file:/dev/usb/lp0")
    return NetworkPrinter(host, int(port), answers=answers)


class NetworkPrinter:
    """A printer on the network, by the raw protocol of port 9100.

    Args:
        host: its name or address.
        port: usually 9100.
        answers: see `printer_at`.
    """

    def __init__(self, host: str, port: int, *, answers: bool = True) -> None:
        self._host: Final = host
        self._port: Final = port
        self._answers: Final = answers

    def send(self, slip: bytes) -> None:
        """See `Printer.send`."""
        where = f"{self._host}:{self._port}"
        try:
            link = socket.create_connection((self._host, self._port), CONNECT_S)
        except OSError as error:
            raise PrinterAway(f"no printer answers at {where}: {error}") from error
        with link:
            if self._answers:
                self._look(link, where)
            try:
                link.settimeout(PRINT_S)
                link.sendall(slip + (_ASK_BEHIND if self._answers else b""))
                if self._answers:
                    paper = _answer(link)
                    if paper & _PAPER_ENDED:
                        raise PrinterUnsure(f"the printer at {where} ran out of paper")
                else:
                    link.shutdown(socket.SHUT_WR)
            except OSError as error:
                raise PrinterUnsure(f"the printer at {where} broke off: {error}") from error

    def _look(self, link: socket.socket, where: str) -> None:
        """See whether it can print, before anything is sent."""
        try:
            link.settimeout(ANSWER_S)
            link.sendall(_ASK_OFFLINE)
            offline = _answer(link)
            link.sendall(_ASK_PAPER)
            paper = _answer(link)
        except OSError as error:
            raise PrinterAway(
                f"the printer at {where} does not tell its status ({error}); "
                "one that never does needs --blind"
            ) from error
        if paper & _NO_PAPER == _NO_PAPER:
            raise PrinterAway(f"the printer at {where} has no paper")
        if offline & _IS_OFFLINE:
            raise PrinterAway(f"the printer at {where} is offline: its lid may be open")


class FilePrinter:
    """A file or a device file, such as ``/dev/usb/lp0``: slips are appended."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path

    def send(self, slip: bytes) -> None:
        """See `Printer.send`."""
        try:
            # A device that is unplugged must not be found as a new, empty file next time.
            mode = "r+b" if self._path.is_relative_to("/dev") else "ab"
            file = self._path.open(mode, buffering=0)
        except OSError as error:
            raise PrinterAway(f"cannot print to {self._path}: {error.strerror}") from error
        with file:
            try:
                left = memoryview(slip)
                while left:
                    left = left[file.write(left) :]
                with contextlib.suppress(OSError):  # a device file has nothing to sync
                    os.fsync(file.fileno())
            except OSError as error:
                raise PrinterUnsure(f"{self._path} broke off: {error.strerror}") from error


class UsbPrinter:
    """A printer on USB. What it took is printed: USB acknowledges each block."""

    def __init__(self, vendor: int, product: int) -> None:
        self._ids: Final = (vendor, product)

    def send(self, slip: bytes) -> None:
        """See `Printer.send`."""
        printer = _library().Usb(*self._ids, timeout=int(PRINT_S * 1000))
        named = "usb:{:04x}:{:04x}".format(*self._ids)
        try:
            printer.open()
        except Exception as error:
            # pyusb fails in its own ways: no library, no right, no such device.
            raise PrinterAway(f"no printer at {named}: {error}") from error
        try:
            printer._raw(slip)  # noqa: SLF001 - the library's way to send bytes that are made
        except Exception as error:
            raise PrinterUnsure(f"the printer at {named} broke off: {error}") from error
        finally:
            with contextlib.suppress(Exception):
                printer.close()


def slip_bytes(rows: Iterable[Row], *, profile: str = USUAL_PROFILE) -> bytes:
    """Write rows in the language of ESC/POS printers, with a cut at their end.

    Args:
        rows: see `devices.receipt_paper.paper`.
        profile: the printer's name, as python-escpos knows it: its code pages and its cutter.

    Raises:
        NoPrinting: the library is missing, or does not know the profile.
    """
    try:
        made = _library().Dummy(profile=profile)
    except KeyError:
        raise NoPrinting(f"python-escpos knows no printer {profile!r}") from None
    # Only code pages that nearly every printer has: what is plain needs no other.
    encoder = made.magic.encoder
    known = {name: number for name, number in encoder.codepages.items() if name in _CODE_PAGES}
    encoder.codepages = known or encoder.codepages
    made.hw("INIT")
    for row in rows:
        made.set(
            align="center" if row.centre else "left",
            bold=row.bold,
            invert=row.inverse,
            double_width=row.large,
            double_height=row.large,
            normal_textsize=not row.large,
        )
        made.text(f"{row.text}\n")
    made.set(align="left", bold=False, invert=False, normal_textsize=True)
    made.cut()
    output: bytes = made.output
    return output


def _library() -> Any:
    """python-escpos, imported when it is needed: it reads half a megabyte, and sets up logging."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    try:
        import escpos.printer as library  # noqa: PLC0415 - see above
    except ImportError:
        raise NoPrinting("printing needs python-escpos: pip install 'heard[printer]'") from None
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)
    return library


def _answer(link: socket.socket) -> int:
    """One byte of status.

    Raises:
        OSError: none came in time, or the printer hung up.
    """
    told = link.recv(1)
    if not told:
        raise ConnectionResetError("it hung up")
    return told[0]
