"""The gateway's door: whom it lets connect, how many, and how long each may take.

uvicorn speaks HTTP; what it leaves open to the patient is closed here. Connections are
bounded in all and by address, TLS handshakes among them; a request must have arrived, and
an answer been read, within a time; whoever is overdue is cut off. Nothing is said to
strangers but HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import h11
import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from schemas.gateway import Problem, ProblemCode
from services.runtime.ratelimit import Buckets, Rate

log = structlog.get_logger(__name__)

SWEEP_TICKS: Final = 3
"""uvicorn ticks ten times a second; at each third tick the overdue are cut off."""
BACKLOG: Final = 128


@dataclass(frozen=True, slots=True)
class GatewayLimits:
    """How much the gateway takes from strangers."""

    body_bytes: int = 64 * 1024
    header_bytes: int = 16 * 1024
    arrive_s: float = 10.0
    """From the first byte, or the connection, to the last byte of a request."""
    answer_s: float = 30.0
    """From there until the answer has been taken."""
    idle_s: int = 15
    """How long a connection may wait for its next request."""
    handshake_s: float = 5.0
    connections: int = 256
    connections_each: int = 32
    """From one address: a restaurant's screens may all come from one."""
    arrivals: Rate = field(default_factory=lambda: Rate(per_s=20, burst=200))
    """New connections from one address."""
    requests: Rate = field(default_factory=lambda: Rate(per_s=50, burst=300))
    """Requests from one address: who sends more shares the processor with orders."""
    graceful_s: int = 1
    """How long requests in hand may take when it ends."""


def source_of(host: str) -> str:
    """Name what a stranger can hardly have many of: an IPv4 address, or an IPv6 network (/64)."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class Connection(H11Protocol):
    """One connection, which must not take too long over anything."""

    def __init__(self, *arguments: Any, limits: GatewayLimits, lost: Callable[[], None]) -> None:
        super().__init__(*arguments)
        self._limits: Final = limits
        self._lost: Final = lost
        self._doing: tuple[object, str] = (None, "arriving")
        self._since = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room for another."""
        super().connection_lost(exc)
        self._lost()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        super().data_received(data)
        self._look()

    def overdue(self) -> str | None:
        """What takes too long, if anything does."""
        self._look()
        allowed = {
            "arriving": self._limits.arrive_s,
            "answering": self._limits.answer_s,
            "idle": self._limits.idle_s + 1.0,  # uvicorn's own timer comes first
            "closing": self._limits.handshake_s,
        }
        what = self._doing[1]
        return what if self.loop.time() - self._since > allowed[what] else None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, in the form of all our answers."""
        client = self.client[0] if self.client else ""
        log.info("no HTTP", address=source_of(client))
        text = problem_json(Problem(code=ProblemCode.INVALID, message="that is no HTTP request"))
        with contextlib.suppress(h11.LocalProtocolError):  # an answer has begun already
            head = h11.Response(
                status_code=400,
                headers=[
                    *self.server_state.default_headers,
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(text)).encode()),
                    (b"connection", b"close"),
                ],
            )
            for event in (head, h11.Data(data=text), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        del msg
        self.transport.close()

    def _look(self) -> None:
        doing = (self.cycle, self._what())
        if doing != self._doing:
            self._doing, self._since = doing, self.loop.time()

    def _what(self) -> str:
        if self.transport.is_closing():
            return "closing"
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None:
            return "arriving"
        if not cycle.response_complete:
            return "arriving" if cycle.more_body else "answering"
        return "arriving" if self.timeout_keep_alive_task is None else "idle"


class Door(uvicorn.Server):
    """uvicorn's server, with an entrance of our own and no hand on signals.

    Args:
        config: what uvicorn needs.
        listener: a bound socket that listens.
        limits: how much strangers may take.
        tls: None speaks plainly.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        limits: GatewayLimits,
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(config)
        self._listener: Final = listener
        self._limits: Final = limits
        self._tls: Final = tls
        self._accepting: asyncio.Task[None] | None = None
        self._entering: set[asyncio.Task[None]] = set()
        self._from: dict[str, int] = {}
        self._arrivals: Final = Buckets(limits.arrivals, most=4_000)
        self._inside = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to let in."""
        del sockets
        self.servers = []
        self._accepting = asyncio.create_task(self._accept())
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let nobody in any more, finish what is in hand, and cut off who is left."""
        del sockets
        for task in (self._accepting, *self._entering):
            if task is not None:
                task.cancel()
        self._listener.close()
        await super().shutdown()
        for each in list(self.server_state.connections):
            if isinstance(each, Connection):
                each.transport.abort()

    async def on_tick(self, counter: int) -> bool:
        """Cut off who takes too long."""
        if counter % SWEEP_TICKS == 0:
            for each in list(self.server_state.connections):
                if isinstance(each, Connection) and (what := each.overdue()) is not None:
                    host = each.client[0] if each.client else ""
                    log.info("cut off", address=source_of(host), too_long=what)
                    each.transport.abort()
        if self._accepting is not None and self._accepting.done():
            self._accepting.result()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the command: we are a guest on its loop."""
        yield

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(self._listener)
            except OSError as error:  # no more files may be open
                log.warning("the gateway cannot accept", why=str(error))
                await asyncio.sleep(0.5)
                continue
            source = source_of(address[0])
            full = self._inside >= self._limits.connections
            many = self._from.get(source, 0) >= self._limits.connections_each
            if full or many or self._arrivals.take(source, loop.time()):
                connection.close()
                log.debug("turned away", address=source, full=full)
                continue
            self._inside += 1
            self._from[source] = self._from.get(source, 0) + 1
            task = asyncio.create_task(self._enter(connection, source))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    async def _enter(self, connection: socket.socket, source: str) -> None:
        loop = asyncio.get_running_loop()
        left = False

        def leave() -> None:
            nonlocal left
            if not left:
                left = True
                self._inside -= 1
                self._from[source] -= 1
                if not self._from[source]:
                    del self._from[source]

        def protocol() -> Connection:
            return Connection(
                self.config, self.server_state, {}, loop, limits=self._limits, lost=leave
            )

        handshake = self._limits.handshake_s if self._tls is not None else None
        try:
            await loop.connect_accepted_socket(
                protocol, connection, ssl=self._tls, ssl_handshake_timeout=handshake
            )
        except OSError as error:  # among them: no TLS, or none within its time
            log.debug("no handshake", address=source, why=type(error).__name__)
            connection.close()
            leave()
        except asyncio.CancelledError:
            connection.close()
            leave()
            raise


def problem_json(problem: Problem) -> bytes:
    """Write a problem as every answer of that kind is written."""
    return json.dumps(problem.model_dump(mode="json", exclude_none=True)).encode()
