"""A printer for tests: a TCP server that decodes what ESC/POS printers are sent.

It tells its status as a real one does, and can be out of paper, mute, or break off in the
middle of a slip.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from typing import Final, Self

from tests.patience import PATIENCE_S

CODE_PAGES: Final = {
    0: "cp437",
    2: "cp850",
    16: "cp1252",
    17: "cp866",
    18: "cp852",
    19: "cp858",
}


@dataclass
class Line:
    """One printed line."""

    text: str
    large: bool
    bold: bool
    inverse: bool
    centre: bool


@dataclass
class Decoder:
    """Reads a stream of ESC/POS; every byte must be one that this knows."""

    slips: list[list[Line]] = field(default_factory=list)
    """What was cut off, whole."""
    lines: list[Line] = field(default_factory=list)
    """What came out since the last cut."""

    def __post_init__(self) -> None:
        self._page = "cp437"
        self._size = self._bold = self._inverse = self._align = 0
        self._text = b""
        self._shown = ""

    def read(self, data: bytes) -> list[bytes]:
        """Take some bytes; returns the questions in them, in order."""
        data, self._text = self._text + data, b""
        asked: list[bytes] = []
        at = 0
        while at < len(data):
            length = _length(data[at:])
            if length is None:  # the rest of a command is still to come
                self._text = data[at:]
                break
            self._do(data[at : at + length], asked)
            at += length
        return asked

    def _do(self, command: bytes, asked: list[bytes]) -> None:
        head, value = command[:2], command[-1]
        if command[:1] == b"\x10" or head == b"\x1dr":
            asked.append(command)
        elif head == b"\x1b@":
            self.__post_init__()
        elif head == b"\x1bt":
            self._page = CODE_PAGES[value]
        elif head == b"\x1b!":
            self._size, self._bold = value & 0x30, value & 0x08
        elif head == b"\x1bE":
            self._bold = value & 1
        elif head == b"\x1ba":
            self._align = value
        elif head == b"\x1dB":
            self._inverse = value & 1
        elif head == b"\x1bd":
            assert not self._shown
        elif head == b"\x1dV":
            self.slips.append(self.lines)
            self.lines = []
        elif command == b"\n":
            self.lines.append(
                Line(
                    self._shown,
                    large=self._size == 0x30,
                    bold=bool(self._bold),
                    inverse=bool(self._inverse),
                    centre=self._align == 1,
                )
            )
            self._shown = ""
        else:
            assert command[0] >= 0x20, f"an unknown command: {command!r}"
            self._shown += command.decode(self._page)


def _length(data: bytes) -> int | None:
    """How long the command at the beginning is; None where it is not whole yet."""
    if data[:1] not in {b"\x10", b"\x1b", b"\x1d"}:
        return 1
    if len(data) < 2:
        return None
    length = 2 if data[:2] == b"\x1b@" else 3
    return length if len(data) >= length else None


class Sink:
    """A printer on the network.

    Attributes:
        paper: whether there is some.
        mute: it takes everything and answers nothing.
        break_after: it hangs up after so many bytes of a connection, once.
    """

    def __init__(self, port: int = 0) -> None:
        self.decoder: Final = Decoder()
        self.paper = True
        self.mute = False
        self.break_after: int | None = None
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: Final[int] = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._links: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in list(self._links):
            link.close()
        for thread in (self._thread, *self._threads):
            thread.join(PATIENCE_S)

    @property
    def to(self) -> str:
        """Its address."""
        return f"127.0.0.1:{self.port}"

    @property
    def papers(self) -> list[str]:
        """Every slip that came out, as text."""
        return ["\n".join(line.text for line in slip) for slip in list(self.decoder.slips)]

    def _run(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self._links.add(link)
            thread = threading.Thread(target=self._serve, args=(link,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, link: socket.socket) -> None:
        with link:
            try:
                left = self.break_after
                while data := link.recv(4096):
                    if left is not None and len(data) >= left:
                        self.decoder.read(data[:left])
                        self.break_after = None
                        self.decoder.lines = []
                        self.decoder.__post_init__()
                        return
                    left = None if left is None else left - len(data)
                    for asked in self.decoder.read(data):
                        if not self.mute:
                            link.sendall(bytes([self._status(asked)]))
            except OSError:
                return
            finally:
                self._links.discard(link)

    def _status(self, asked: bytes) -> int:
        if asked == b"\x10\x04\x01":
            return 0x12
        if asked == b"\x10\x04\x04":
            return 0x12 if self.paper else 0x72
        assert asked == b"\x1dr\x01", asked
        return 0x00 if self.paper else 0x0C
