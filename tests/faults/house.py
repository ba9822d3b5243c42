"""The processes of a house that are started again whenever they end."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Sequence
from typing import Final

from tests.children import Child
from tests.faults.ground import INSPECTOR, TENANT, TILL, Footing
from tests.faults.ordering import Answer, Ordering, Papers
from tests.faults.plan import Stack, Wanted
from tests.faults.serving import READY, Crash, Serving
from tests.ports import quiet_port


class Unplanned(AssertionError):
    """A child has ended by itself."""

    def __init__(self, child: Child) -> None:
        super().__init__(f"{child.log.name} ended with {child.ended}: {child.last_words()}")


class Server:
    """One place where services run: whatever ends there is started again.

    Args:
        name: of its logs.
        footing: the broker and the database.
        port: the way to the broker.
        crashes: at which checkpoint its first lives die, one each.
    """

    def __init__(self, name: str, footing: Footing, port: int, crashes: Iterable[Crash]) -> None:
        self._name = name
        self._footing = footing
        self._port = port
        self._crashes = list(crashes)
        self.webhooks: Final = quiet_port()
        """Where providers are heard."""
        self.lives: Final[list[Child]] = []
        self.crashed: Final[list[str]] = []
        """The checkpoints at which a life has died."""
        self.misled = 0
        """How many lives lost the answers to some of their commits."""
        self._crash: Crash | None = None
        self._expected = False
        self._closed = False

    @property
    def now(self) -> Child:
        """The life at hand."""
        return self.lives[-1]

    @property
    def is_ready(self) -> bool:
        """Whether it has begun to handle requests in this life."""
        return self.now.ended is None and self.now.has_said(READY)

    def start(self) -> None:
        """Begin a life."""
        self._crash = self._crashes.pop(0) if self._crashes else None
        self._expected = False
        self.misled += self._crash is not None and self._crash.survives
        footing = self._footing
        given = Serving(
            database_url=footing.store.services_url,
            port=self._port,
            secret=footing.services_secret,
            embedded=footing.kind is Stack.EMBEDDED,
            inspector=INSPECTOR,
            inspector_secret=footing.secrets[INSPECTOR],
            crash=self._crash,
            webhooks=self.webhooks,
        )
        log = footing.directory / f"{self._name}-{len(self.lives) + 1}.log"
        self.lives.append(Child("tests.faults.serving", given, log))

    def kill(self) -> None:
        """``kill -9``; it is started again at the next look."""
        self._expected = True
        self.now.kill()

    def stop(self) -> int:
        """End it gracefully; returns its exit status. It stays down until `start_again`."""
        self._closed = True
        return self.now.stop()

    def start_again(self) -> None:
        """Begin a life after a graceful end."""
        self._closed = False
        self.start()

    def look(self) -> None:
        """Start it again, if it has ended."""
        if self._closed or self.now.ended is None:
            return
        if self._crash is not None and self.now.ended == -signal.SIGKILL and not self._expected:
            self.crashed.append(self._crash.point)
        elif not self._expected:
            raise Unplanned(self.now)
        self.start()

    def close(self) -> None:
        """End it, for good."""
        self._closed = True
        if self.lives:
            self.now.kill()


class TillPlace:
    """Where the till stands; it has ended when everything is replied."""

    def __init__(self, footing: Footing, port: int, orders: Sequence[Wanted]) -> None:
        self._footing = footing
        self._home = footing.directory / "till"
        self._port = port
        self._orders = tuple(orders)
        self._expected = False
        self.papers: Final = Papers(self._home)
        self.lives: Final[list[Child]] = []
        self.done = False

    @property
    def now(self) -> Child:
        """The life at hand."""
        return self.lives[-1]

    def start(self) -> None:
        """Begin a life: with the outbox of the one before, and its papers."""
        self._expected = False
        given = Ordering(
            port=self._port,
            tenant=TENANT,
            device=TILL,
            secret=self._footing.secrets[TILL],
            home=self._home,
            orders=self._orders,
        )
        log = self._footing.directory / f"till-{len(self.lives) + 1}.log"
        self.lives.append(Child("tests.faults.ordering", given, log))

    def kill(self) -> None:
        """``kill -9``; it is started again at the next look."""
        if not self.done:
            self._expected = True
            self.now.kill()

    def look(self) -> None:
        """Start it again, if it was killed before it was done."""
        ended = self.now.ended
        if self.done or ended is None:
            return
        if ended == 0:
            self.done = True
            return
        if not self._expected:
            raise Unplanned(self.now)
        self.start()

    def answers(self) -> list[Answer]:
        """The replies that it wrote down."""
        return self.papers.answers()

    def close(self) -> None:
        """End it, for good."""
        self.done = True
        if self.lives:
            self.now.kill()
