"""One socket of the embedded broker, as amqtt's reader and writer of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, cast

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.mqtt.connect import ConnectPacket
from amqtt.mqtt.packet import PUBLISH

from broker_config.embedded_packets import ProtocolViolation
from broker_config.limits import BrokerLimits
from schemas.topics import MAX_TOPIC_BYTES

_PAUSE_ABOVE_BYTES: Final = 256 * 1024
_MAX_OTHER_BYTES: Final = 256 * 1024
"""Of a packet that carries no message."""
_PROBES: Final = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))
"""Who asked for no keepalive may be silent for ever (MQTT 3.1.2.10); a dead link may not."""


class Connection(asyncio.Protocol, ReaderAdapter, WriterAdapter):  # type: ignore[misc]  # amqtt's bases are untyped
    """The bytes of one client, to and fro.

    What is written in one turn of the loop leaves in one system call, and with
    TCP_NODELAY it leaves at once.

    Args:
        opened: called with it when the link stands.
        limits: how much it takes.
        silent: called when the client was silent for longer than it said it would be.
    """

    def __init__(
        self,
        opened: Callable[[Connection], None],
        limits: BrokerLimits,
        silent: Callable[[Connection], None],
    ) -> None:
        self._opened = opened
        self._limits = limits
        self._silent = silent
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._position = 0
        self._waiter: asyncio.Future[None] | None = None
        self._resting: asyncio.Future[None] | None = None
        self._unchoked: asyncio.Future[None] | None = None
        self._outgoing: list[bytes] = []
        self._outgoing_bytes = 0
        self._paused = False
        self._ended = self._aborted = False
        self._heard_at = self._loop.time()
        self._silence: asyncio.TimerHandle | None = None
        self._limit = limits.connect_bytes
        self._accepted = False
        self.connect: ConnectPacket | None = None
        """The client's first packet, once it was read and found good."""
        self.number = 0
        """Counts all connections, in the order in which they came."""
        self.where = "nowhere"
        """The client's address and port, for the log."""
        self.address = ""
        self.gone = asyncio.Event()
        """Set when the broker is done with this client, its will included."""

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin: called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _PROBES:
            raw.setsockopt(socket.IPPROTO_TCP, option, value)
        self._transport.set_write_buffer_limits(high=2 * self._limits.backlog_bytes)
        if (peer := transport.get_extra_info("peername")) is not None:
            self.address = peer[0]
            self.where = f"{peer[0]}:{peer[1]}"
        self._opened(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes in: called by the event loop."""
        self._buffer += data
        self._heard_at = self._loop.time()
        if self._waiter is not None:
            self._wake()
        elif len(self._buffer) - self._position > _PAUSE_ABOVE_BYTES and self._transport:
            self._paused = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """Note that the client does not read: called by the event loop."""
        if self._unchoked is None:
            self._unchoked = self._loop.create_future()

    def resume_writing(self) -> None:
        """Note that the client has read: called by the event loop."""
        if self._unchoked is not None and not self._unchoked.done():
            self._unchoked.set_result(None)
        self._unchoked = None

    def eof_received(self) -> bool:
        """Note that nothing more comes: called by the event loop."""
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Note that the client is away: called by the event loop."""
        self._end()

    def _end(self) -> None:
        self._ended = True
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None
        self.resume_writing()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    # Reading

    async def read(self, n: int = -1) -> bytes:
        """Read exactly `n` bytes.

        Raises:
            asyncio.IncompleteReadError: the client went away before.
            ProtocolViolation: more was announced than is taken here.
        """
        if n > self._limit:
            raise ProtocolViolation(f"{n} bytes at once: at most {self._limit} are taken")
        while len(self._buffer) - self._position < n:
            await self._more(n)
        return self._take(n)

    def feed_eof(self) -> None:
        """Do as if the client had gone: amqtt's interface."""
        self._end()

    async def first_byte(self) -> int | None:
        """Look at the next byte, and leave it; None when the client has gone."""
        try:
            while len(self._buffer) <= self._position:
                await self._more(1)
        except asyncio.IncompleteReadError:
            return None
        return self._buffer[self._position]

    async def next_packet(self) -> tuple[int, bytes] | None:
        """Read one whole packet: its first byte, and what follows its length.

        Returns:
            None when the client has gone.

        Raises:
            ProtocolViolation: its length is wrong, or more than is taken here.
        """
        try:
            while (header := self._header()) is None:
                await self._more(2)
            first, start, length = header
            most = self._limit if first >> 4 == PUBLISH else min(self._limit, _MAX_OTHER_BYTES)
            if length > most:
                raise ProtocolViolation(f"a packet of {length} bytes: {most} are taken")
            self._position = start
            return first, await self.read(length)
        except asyncio.IncompleteReadError:
            return None

    def _header(self) -> tuple[int, int, int] | None:
        """Read ahead: the first byte, where the body starts, and its length in bytes."""
        length = shift = 0
        for position in range(self._position + 1, min(self._position + 5, len(self._buffer))):
            byte = self._buffer[position]
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                return self._buffer[self._position], position + 1, length
            shift += 7
        if shift == 28:
            raise ProtocolViolation("a packet's length is longer than four bytes")
        return None

    def _take(self, n: int) -> bytes:
        end = self._position + n
        taken = bytes(memoryview(self._buffer)[self._position : end])
        self._position = end
        return taken

    async def _more(self, wanted: int) -> None:
        if self._ended:
            raise asyncio.IncompleteReadError(bytes(self._buffer[self._position :]), wanted)
        if self._accepted and self._position:
            del self._buffer[: self._position]
            self._position = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        self._waiter = self._loop.create_future()
        await self._waiter

    def accepted(self, keepalive_s: int) -> None:
        """Let the client in: read its first packet once more, and mind its silence."""
        self._position = 0
        self._accepted = True
        self._limit = self._limits.payload_bytes + MAX_TOPIC_BYTES + 16
        if keepalive_s and not self._ended:
            self._mind_silence(keepalive_s * 1.5)

    def _mind_silence(self, patience_s: float) -> None:
        if self._paused or self._resting is not None or self._unchoked is not None:
            self._heard_at = self._loop.time()  # it is we who do not listen
        silent_s = self._loop.time() - self._heard_at
        if silent_s >= patience_s:
            self._silent(self)
            self.abort()
            return
        self._silence = self._loop.call_later(
            patience_s - silent_s + 0.01, self._mind_silence, patience_s
        )

    async def rest(self, seconds: float) -> None:
        """Read nothing for so long, however much comes; ends early when it is aborted.

        A client that goes meanwhile is not spared the rest of it: else who comes and goes
        would be held by no limit.
        """
        if self._aborted:
            return
        self._resting = resting = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._rested)
        try:
            await resting
        finally:
            timer.cancel()
            self._resting = None

    def _rested(self) -> None:
        if self._resting is not None and not self._resting.done():
            self._resting.set_result(None)

    @property
    def is_choked(self) -> bool:
        """Tell whether so much was written and not read that the client is not read either."""
        return self._unchoked is not None

    async def unchoked(self) -> None:
        """Wait until the client has read, or has gone."""
        if self._unchoked is not None:
            await self._unchoked

    # Writing

    def write(self, data: bytes) -> None:
        """Send bytes, together with all others of this turn of the loop."""
        if self._ended:
            return
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(data)
        self._outgoing_bytes += len(data)

    def _flush(self) -> None:
        if self._outgoing and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()
        self._outgoing_bytes = 0

    async def drain(self) -> None:
        """Do nothing: how much may be under way is bounded where messages are sent."""

    @property
    def backlog_bytes(self) -> int:
        """How much was written and has not left yet."""
        if self._transport is None:
            return 0
        return self._outgoing_bytes + self._transport.get_write_buffer_size()

    async def close(self) -> None:
        """Send what is written, and end."""
        self._flush()
        if self._transport is not None:
            self._transport.close()
        self._end()

    def abort(self) -> None:
        """End at once: what was not sent is lost, and what was not taken yet is not taken."""
        self._aborted = True
        self._buffer.clear()
        self._position = 0
        self._rested()
        if self._transport is not None:
            self._transport.abort()
        self._end()

    # What amqtt asks

    def get_peer_info(self) -> tuple[str, int] | None:
        """Tell the client's address and port; None when it is gone already."""
        peer = self._transport.get_extra_info("peername") if self._transport else None
        return (peer[0], peer[1]) if peer else None

    def get_ssl_info(self) -> None:
        """Tell that there is no TLS: it never leaves this machine."""
