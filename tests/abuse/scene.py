"""One attempt on one broker: what a case may do, and where it says what it sees."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final
from uuid import UUID

from schemas.devices import Role
from tests.abuse import packets
from tests.abuse.attempts import SOMEBODY, Attempt
from tests.abuse.link import Link
from tests.abuse.packets import SUBACK, Answer, RawWill
from tests.abuse.stage import MARK, Account, Stage
from tests.abuse.witness import Witness
from tests.mqtt_client import Received
from tests.patience import PATIENCE_S
from tests.system import until


class Scene:
    """What a case works with; the witness works beside it."""

    def __init__(self, stage: Stage, witness: Witness, attempt: Attempt) -> None:
        self.stage: Final = stage
        self.witness: Final = witness
        self.attempt: Final = attempt
        self.mark: Final = MARK + b" in attempt %d" % attempt.number
        """Stands in whatever is sent."""
        self._said: list[str] = []
        self._stack = ExitStack()

    @property
    def kind(self) -> str:
        """Which broker this is."""
        return self.stage.kind

    @property
    def speaks_5(self) -> bool:
        """Whether the broker speaks MQTT 5."""
        return self.stage.broker.capabilities.mqtt5

    # Saying what is seen

    def seen(self, words: str) -> None:
        """Say what is seen: words that were made of it, not chosen."""
        self._said.append(words)

    def holds(self, condition: object, words: str) -> None:
        """Say something that must be so."""
        assert condition, f"not so: {words}"
        self._said.append(words)

    def waits(
        self, condition: Callable[[], object], words: str, within: float = PATIENCE_S
    ) -> None:
        """Say something that must become so."""
        until(condition, words, within)
        self._said.append(words)

    @property
    def said(self) -> str:
        """All that was seen."""
        return "; ".join(self._said)

    def judge(self) -> None:
        """End the attempt: the victim must be well, and what was seen be what was declared."""
        self.close()
        self.witness.end()
        self._judge_log()
        declared = self.attempt.outcomes[self.kind]
        assert self.said == declared, f"seen: {self.said!r}; declared: {declared!r}"

    def _judge_log(self) -> None:
        """See that there is a line in a log, where the case declares one."""
        pattern = self.attempt.logged.get(self.kind)
        if pattern is None:
            return
        # Of those who never said who they are the embedded broker tells once a minute.
        logs = self.stage.log if SOMEBODY in pattern else self.witness.log
        deadline = time.monotonic() + PATIENCE_S
        while not any(re.search(pattern, text) for text in logs().values()):
            assert time.monotonic() < deadline, f"no log has a line like {pattern!r}"
            time.sleep(0.02)

    # Who attacks

    def thief(self, role: Role = Role.POS) -> Account:
        """A new device of the attacker's tenant, with valid credentials."""
        return self.stage.account(self.stage.attacker, role)

    def link(self) -> Link:
        """A bare connection, closed at the end of the case."""
        return self._stack.enter_context(Link(self.stage.broker.address))

    def knock(self, connect: bytes) -> str:
        """Send a CONNECT that must be refused; returns what came of it, in words."""
        link = self.link()
        link.send(connect)
        answer = link.connack()
        if answer is None:
            return "closed without a word"
        told = f"0x{answer.code:02x}" if answer.code > 5 else f"{answer.code}"
        assert answer.code != 0, "let in"
        link.end()
        return f"CONNACK {told}, closed"

    def enter(
        self,
        account: Account,
        *,
        clean: bool = True,
        keepalive_s: int = 30,
        will: RawWill | None = None,
    ) -> Link:
        """Come in as a device may, on MQTT 3.1.1."""
        link = self.link()
        link.send(opening(account, clean=clean, keepalive_s=keepalive_s, will=will))
        answer = link.connack()
        assert answer is not None
        assert answer.code == 0, f"CONNACK {answer.code}"
        return link

    def enter_5(self, account: Account, **more: Any) -> Link | None:
        """Come in on MQTT 5; None where the broker does not speak it, and says so."""
        link = self.link()
        link.send(opening(account, version=5, **more))
        answer = link.connack()
        assert answer is not None
        if not self.speaks_5:
            self.holds(answer.code == 0x84, "speaks MQTT 3.1.1 only: CONNACK 0x84")
            self.holds(link.end(), "closed")
            return None
        assert answer.code == 0, f"CONNACK 0x{answer.code:02x}"
        return link

    # What is looked at

    def goes_on(self, account: Account) -> None:
        """See that a device can come in and is served."""
        with self.enter(account) as link:
            assert link.ping()
            link.leave()

    def after_an_order(self) -> UUID:
        """Let the victim order something, and its display hear it."""
        return self.witness.order()

    def reached_nobody(self, words: str = "reached nobody") -> None:
        """See that nothing with the mark came to the victim's or to the attacker's tenant.

        The victim orders something first: the broker deals with what comes in its order.
        """
        self.after_an_order()
        heard = self.witness.heard_at_victims() + self.witness.heard_at_attackers()
        self.holds(not [one for one in heard if self.mark in one.payload], words)

    def standing(self, tenant: str) -> list[Received]:
        """What stands retained of a tenant, as one sees who comes now."""
        names = {each.name: each for each in (self.stage.victim, self.stage.attacker)}
        reader = self.stage.account(names[tenant], Role.MANAGER)
        if tenant == self.stage.victim.name:
            self.witness.devices.add(reader.device)
        link = self.enter(reader)
        link.send(packets.subscribe([f"heard/v1/{tenant}/#"], qos=0))
        answer = link.answer(SUBACK)
        assert answer is not None
        assert answer.granted() == [0]
        # All that is retained is on its way before the broker looks at the ping.
        assert link.ping()
        link.leave()
        return [received(one) for one in link.messages() if one.flags & 1]

    def close(self) -> None:
        """Close every link."""
        self._stack.close()


def opening(account: Account, **more: Any) -> bytes:
    """The CONNECT of a device as it should be, but for what is given."""
    login = account.login
    given = {"username": login.username, "password": login.secret} | more
    return packets.connect(given.pop("client_id", login.client_id), **given)


def received(message: Answer) -> Received:
    """A PUBLISH of MQTT 3.1.1 as it came."""
    head = 2 + len(message.topic.encode()) + (2 if message.flags & 6 else 0)
    payload = message.body[head:]
    qos = message.flags >> 1 & 3
    retained = bool(message.flags & 1)
    return Received(message.topic, payload, qos, retained, bool(message.flags & 8), message.mid)


def document(payload: bytes) -> dict[str, Any]:
    """A JSON payload as a document."""
    found: dict[str, Any] = json.loads(payload)
    return found
