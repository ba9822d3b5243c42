"""A real HTTP server, on a thread, that answers as badly as a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from tests.patience import PATIENCE_S

HANG_S: Final = 3_600.0
"""How long a server hangs that hangs: much longer than any test waits."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says, and how late."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    after_s: float = 0.0
    endless: bool = False
    """The body never ends, until the other side has had enough."""


Judge = Callable[[int, Arrival], Answer]
"""What the request with this number, from one, is answered with."""


class WebhookServer:
    """Keeps what it was sent.

    Args:
        judge: what is answered; all is well by default.
    """

    def __init__(self, judge: Judge | None = None) -> None:
        self.judge: Judge = judge or (lambda _number, _arrival: Answer())
        self.arrivals: list[Arrival] = []
        self.at_once = 0
        """How many were being answered at one time, at most."""
        self._now = 0
        self._lock = threading.Lock()
        self.ending: Final = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hooks"

    @property
    def ids(self) -> list[str]:
        """The ids that arrived, in their order."""
        return [each.id for each in self.arrivals]

    def take(self, arrival: Arrival) -> Answer:
        with self._lock:
            self.arrivals.append(arrival)
            self._now += 1
            self.at_once = max(self.at_once, self._now)
            number = len(self.arrivals)
        return self.judge(number, arrival)

    def answered(self) -> None:
        with self._lock:
            self._now -= 1

    def close(self) -> None:
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_S)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is no news here."""


def _handler(server: WebhookServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            arrival = Arrival(self.path, headers, self.rfile.read(length))
            answer = server.take(arrival)
            try:
                server.ending.wait(answer.after_s)
                self._say(answer)
            finally:
                server.answered()

        do_GET = do_POST  # noqa: N815 - as its parent calls it

        def _say(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if not answer.endless:
                self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            while answer.endless and not server.ending.is_set():
                self.wfile.write(b"x" * 65_536)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its parent's name
            """Say nothing."""

    return Handler


@contextmanager
def webhook_server(judge: Judge | None = None) -> Iterator[WebhookServer]:
    """A server that runs as long as the context."""
    server = WebhookServer(judge)
    try:
        yield server
    finally:
        server.close()
