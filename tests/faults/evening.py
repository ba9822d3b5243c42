"""One evening in a restaurant whose machines die: what runs, what is done to it, how it ends."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Final, Self
from uuid import UUID

from tests.faults.cook import Cook
from tests.faults.cut import Link
from tests.faults.ground import STATIONS, TENANT, WITNESS, Footing
from tests.faults.house import Server, TillPlace
from tests.faults.ordering import HASTY
from tests.faults.plan import Fault, Kind, Stack, Wanted, seeded
from tests.faults.provider import Provider
from tests.faults.serving import Crash
from tests.faults.witness import Witness
from tests.patience import PATIENCE_S

DEADLINE_S: Final = 2 * PATIENCE_S
LOOK_S: Final = 0.01


class NotInTime(AssertionError):
    """What had to happen did not."""


class Evening:
    """A house with everybody in it. A context manager: it opens on entry.

    Args:
        footing: the broker and the database.
        orders: what the till places.
        seed: of the cooks' whims.
        crashes: at which checkpoints the services' first lives die.
        servers: how many serve or stand by.
        cooks: False leaves every ticket where it is.
    """

    def __init__(
        self,
        footing: Footing,
        orders: Sequence[Wanted],
        *,
        seed: int = 0,
        crashes: Sequence[Crash] = (),
        servers: int = 1,
        cooks: bool = True,
    ) -> None:
        self.footing: Final = footing
        self.orders: Final = tuple(orders)
        self.cooking = cooks
        self.done_to: Final[Counter[Kind]] = Counter()
        self._stack = ExitStack()
        self._rng = seeded(seed)
        self._crashes = crashes
        self._server_count = servers
        self._heal: list[tuple[float, Callable[[], None]]] = []

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self) -> None:
        footing, stack = self.footing, self._stack
        self.services_link = stack.enter_context(Link(footing.port))
        self.devices_link = stack.enter_context(Link(footing.port))
        stack.callback(self.heal)
        # The embedded broker listens itself; its services reach it directly.
        embedded = footing.kind is Stack.EMBEDDED
        port = footing.port if embedded else self.services_link.port
        self.servers = [
            Server(f"server-{number + 1}", footing, port, () if number else self._crashes)
            for number in range(self._server_count)
        ]
        self.till = TillPlace(footing, self.devices_link.port, self.orders)
        stack.callback(self.till.close)
        for server in self.servers:
            stack.callback(server.close)
        self.servers[0].start()
        self.until(lambda: self.servers[0].now.has_said("ready") or len(self.servers[0].lives) > 1,
                   "the services' start")  # fmt: skip
        for server in self.servers[1:]:
            server.start()
        self.witness = stack.enter_context(
            Witness(
                "127.0.0.1",
                self.devices_link.port,
                tenant=TENANT,
                device=WITNESS,
                secret=footing.secrets[WITNESS],
                patience=HASTY,
                heartbeat_s=1.0,
            )
        )
        self.cooks = [
            Cook(
                station,
                self.devices_link.port,
                footing.secrets[f"screen-{station}"],
                footing.directory / f"screen-{station}.db",
                self._rng,
            )
            for station in STATIONS
        ]
        for cook in self.cooks:
            stack.enter_context(cook.screen)
        self.until(
            lambda: self.witness.online and all(cook.screen.online for cook in self.cooks),
            "the screens to come online",
        )
        self.provider = stack.enter_context(
            Provider(
                TENANT,
                footing.signing_secret,
                self.orders,
                self._begun,
                [server.webhooks for server in self.servers],
            )
        )
        self.till.start()

    def _begun(self) -> set[UUID]:
        """What of the till's requests was done; its payments among them."""
        return {answer.request for answer in self.till.answers() if answer.accepted}

    # -- time --------------------------------------------------------------------------

    def look(self) -> None:
        """Let everybody do what they do: cooks cook, and what has ended starts again."""
        now = time.monotonic()
        for due in [each for each in self._heal if each[0] <= now]:
            self._heal.remove(due)
            due[1]()
        for server in self.servers:
            if server.lives:
                server.look()
        if self.till.lives:
            self.till.look()
        if self.cooking and self.till.lives:
            for cook in self.cooks:
                cook.look()

    def until(self, condition: Callable[[], object], what: str, within: float = DEADLINE_S) -> None:
        """Go on until the condition holds.

        Raises:
            NotInTime: it does not, in time.
        """
        deadline = time.monotonic() + within
        while not condition():
            if time.monotonic() > deadline:
                raise NotInTime(f"{what}: not within {within:.0f} s")
            self.look()
            time.sleep(LOOK_S)

    def go_on(self, seconds: float) -> None:
        """Go on for so long."""
        ends = time.monotonic() + seconds
        while (now := time.monotonic()) < ends:
            self.look()
            time.sleep(min(LOOK_S, ends - now))

    def play(self, faults: Sequence[Fault]) -> None:
        """Let these things happen, each at its time."""
        began = time.monotonic()
        for fault in faults:
            self.go_on(max(0.0, began + fault.at - time.monotonic()))
            self.suffer(fault.kind, fault.seconds)

    def end(self) -> None:
        """Mend everything, let the till have its replies, and the cooks their last ones."""
        self.until(lambda: not self._heal, "the last fault's end")
        self.until(lambda: self.till.done, "a reply to everything the till has asked")
        self.until(lambda: self.provider.done, "an answer to everything the provider has said")
        self.cooking = False
        self.until(
            lambda: not any(cook.screen.waiting for cook in self.cooks),
            "a reply to everything the cooks have asked",
        )

    def heal(self) -> None:
        """End every fault that lasts, at once."""
        for _, mend in self._heal:
            mend()
        self._heal.clear()

    def suffered(self) -> Counter[str]:
        """How often each thing has happened, crashes at checkpoints among them."""
        told = Counter({kind.value: times for kind, times in self.done_to.items()})
        for server in self.servers:
            told.update(f"crash when {point}" for point in server.crashed)
            told["answers to commits lost"] += server.misled
        return +told

    # -- what is done to it ------------------------------------------------------------

    def suffer(self, kind: Kind, seconds: float) -> None:
        """Let one thing happen; what it breaks for a while is mended after `seconds`."""
        self.done_to[kind] += 1
        mend = getattr(self, "_" + kind.name.lower())()
        if mend is not None:
            self._heal.append((time.monotonic() + seconds, mend))

    @property
    def serving(self) -> Server:
        """Who serves; where nobody does at the moment, who may."""
        return next((each for each in self.servers if each.is_ready), self.servers[0])

    def _services_die(self) -> None:
        self.serving.kill()

    def _services_stall(self) -> Callable[[], None]:
        child = self.serving.now
        child.stall()
        return child.resume

    def _services_cut(self) -> None:
        self.services_link.cut()

    def _services_held(self) -> Callable[[], None]:
        return _held_and_lost(self.services_link)

    def _services_unheard(self) -> Callable[[], None]:
        """They go on hearing, and what they say is lost."""
        return _held_and_lost(self.services_link, back=False)

    def _broker_dies(self) -> Callable[[], None]:
        self.footing.kill_broker()
        return self.footing.restart_broker

    def _broker_forgets(self) -> Callable[[], None]:
        self.footing.kill_broker(forget=True)
        return self.footing.restart_broker

    def _devices_cut(self) -> None:
        self.devices_link.cut()

    def _devices_held(self) -> Callable[[], None]:
        return _held_and_lost(self.devices_link)

    def _till_dies(self) -> None:
        self.till.kill()

    def _database_stops(self) -> Callable[[], None]:
        self.footing.store.stop()
        return self.footing.store.start

    def _database_busy(self) -> Callable[[], None]:
        return self._database_stops()

    def _database_drops_all(self) -> None:
        self.footing.store.drop_all()

    def _database_answers_lost(self) -> Callable[[], None]:
        link = self.footing.store.link
        if link is None:
            raise ValueError("there is nothing between a file and its readers")
        return _held_and_lost(link, there=False)

    def _taken_over(self) -> Callable[[], None]:
        """It stalls so long that the database gives its lease to the one that stands by."""
        child = self.serving.now
        child.stall()
        self.footing.store.drop_all()
        return child.resume


def _held_and_lost(link: Link, *, there: bool = True, back: bool = True) -> Callable[[], None]:
    """Hold a link; what it held is lost in the end, as behind a router that was switched off."""
    link.hold(there=there, back=back)

    def lose() -> None:
        link.cut()
        link.release()

    return lose
