"""Notices: who is told of what, over which channel, and when."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from schemas.identifiers import Slug
from schemas.message import Event, Part
from schemas.orders import OrderChange, OrderKind
from schemas.text import Line120

MAX_RULES: Final = 100

ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""A time of day on the house's clock: ``22:00``."""


class ChannelKind(StrEnum):
    """How a notice travels."""

    MQTT = "mqtt"
    WEBHOOK = "webhook"
    EMAIL = "email"


class WhileQuiet(StrEnum):
    """What becomes of a notice in quiet hours."""

    HOLD = "hold"
    """It goes out when they are over."""
    DROP = "drop"


class QuietHours(Part):
    """A time of each day in which nobody is disturbed; it may pass midnight."""

    start: ClockTime
    end: ClockTime
    then: WhileQuiet = WhileQuiet.HOLD

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.start == self.end:
            raise ValueError("quiet hours that end as they start are none, or all of the day")
        return self


class NoticeRule(Part):
    """One line of the house's book: tell them of that, this way."""

    rule: Slug
    on: Annotated[tuple[OrderChange, ...], Field(min_length=1)]
    channel: Slug
    """One of the house's channels."""
    to: Annotated[Line120, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    """An email address; None is the guest's own."""
    kinds: tuple[OrderKind, ...] = ()
    """Only orders of these kinds; none named is all."""
    template: Slug | None = None
    """None is the one that is called like the change."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] | None = None
    """None is the guest's, where `to` names nobody else; and else the house's."""
    after_s: Annotated[int, Field(ge=0, le=7 * 86_400)] = 0
    quiet: QuietHours | None = None


class NoticeRules(Part):
    """The whole book."""

    rules: Annotated[tuple[NoticeRule, ...], Field(max_length=MAX_RULES)] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [each.rule for each in self.rules]
        twice = sorted({each for each in names if names.count(each) > 1})
        if twice:
            raise ValueError(f"two rules are called {', '.join(twice)}")
        return self


class NoticeStatus(StrEnum):
    """Where a notice stands."""

    WAITING = "waiting"
    """For its time, or for its next try."""
    SENT = "sent"
    DEAD = "dead"
    """It could not be delivered; a person may replay it."""
    DROPPED = "dropped"
    """It fell into quiet hours, or there is nobody to tell."""


class NoticeStep(StrEnum):
    """What moves a notice on."""

    DELIVER = "deliver"
    RETRY = "retry"
    GIVE_UP = "give-up"
    DROP = "drop"
    REPLAY = "replay"


NOTICE_STEPS: Final[dict[tuple[NoticeStatus, NoticeStep], NoticeStatus]] = {
    (NoticeStatus.WAITING, NoticeStep.DELIVER): NoticeStatus.SENT,
    (NoticeStatus.WAITING, NoticeStep.RETRY): NoticeStatus.WAITING,
    (NoticeStatus.WAITING, NoticeStep.GIVE_UP): NoticeStatus.DEAD,
    (NoticeStatus.WAITING, NoticeStep.DROP): NoticeStatus.DROPPED,
    (NoticeStatus.DEAD, NoticeStep.REPLAY): NoticeStatus.WAITING,
}
"""The notice's state machine. What is not in this table cannot happen."""


class NoticeGiven(Event, type="heard.notice.v1", topic="notices/{channel}", about="notice_id"):
    """A notice over the MQTT channel."""

    channel: Slug
    notice_id: UUID
    """The same each time it is given: receivers drop what they have."""
    rule: Slug
    change: OrderChange
    order_id: UUID
    order_number: str
    language: str
    headline: str
    text: str
    at: AwareDatetime
    """When the change happened."""
