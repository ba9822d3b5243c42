"""Links between clients and a server that can be cut and held: a small TCP proxy.

It listens for as long as it lives, so that its port stays ours while a broker is dead.
It calls from an address of its own (127.0.0.2): a call to a dead broker's port can then
never meet itself and take that port.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from tests.patience import PATIENCE_S

_CALLER: Final = ("127.0.0.2", 0)
_CHUNK: Final = 65_536


class Link:
    """All connections of some clients to one server, on a thread of its own.

    Args:
        target: the port to which it leads, or a Unix socket.
    """

    def __init__(self, target: int | Path) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)
        self._ends: set[asyncio.WriteTransport] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._asking: asyncio.Event
        self._answering: asyncio.Event
        self._server: asyncio.Server
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    def cut(self) -> None:
        """Break every connection at once: what is on its way is lost."""
        self._call(self._cut())

    def hold(self, *, there: bool = True, back: bool = True) -> None:
        """Let nothing through to the server, or back from it, or both; nobody is told."""
        self._call(self._let(ask=not there, answer=not back))

    def release(self) -> None:
        """Let through what was held, and all that follows."""
        self._call(self._let(ask=True, answer=True))

    def _call(self, doing: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(doing, self._loop).result(PATIENCE_S)

    # -- on the link's own thread --------------------------------------------------------

    async def _open(self) -> None:
        self._asking, self._answering = asyncio.Event(), asyncio.Event()
        await self._let(ask=True, answer=True)
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        await self._cut()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _cut(self) -> None:
        for end in list(self._ends):
            end.abort()

    async def _let(self, *, ask: bool, answer: bool) -> None:
        for flowing, wanted in ((self._asking, ask), (self._answering, answer)):
            if wanted:
                flowing.set()
            else:
                flowing.clear()

    async def _connected(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)
        self._ends.add(to_near.transport)
        ends = [to_near.transport]
        try:
            far, to_far = await self._dial()
            self._ends.add(to_far.transport)
            ends.append(to_far.transport)
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass_on(near, to_far, self._asking))
                group.create_task(_pass_on(far, to_near, self._answering))
        except* OSError:
            pass  # the broker is dead, or an end was broken: so is the other, then
        finally:
            for end in ends:
                end.abort()
                self._ends.discard(end)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection("127.0.0.1", self._target, local_addr=_CALLER)


async def _pass_on(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, flowing: asyncio.Event
) -> None:
    while data := await source.read(_CHUNK):
        await flowing.wait()
        sink.write(data)
        await sink.drain()
    await flowing.wait()
    with suppress(OSError):  # it may be broken already
        sink.write_eof()
