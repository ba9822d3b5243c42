"""What the dispatcher asks of the worker: see `services.runtime.intake`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.message import Part, Request
from schemas.text import Line120


class Seen(Part):
    """An order as the plan saw it."""

    order_id: UUID
    version: Annotated[int, Field(ge=1)]


class AskCourier(Request, type="heard.inside.ask-courier.v1", topic="inside/ask-courier"):
    """A courier is asked to bring these, after all that they have; all of them, or none.

    What the plan rests on is as it was, or nobody is asked: somebody was quicker.
    """

    courier: Slug
    courier_version: Annotated[int, Field(ge=1)]
    orders: Annotated[tuple[Seen, ...], Field(min_length=1)]
    """In the sequence of their doors."""
    why: Line120


class TakeBack(Request, type="heard.inside.take-back.v1", topic="inside/take-back"):
    """A courier is not to bring these after all, and they wait for another: all, or none.

    They did not answer, are lost, or wait in vain.
    """

    orders: Annotated[tuple[Seen, ...], Field(min_length=1)]
    courier: Slug
    declined: bool
    """Whether it counts as if they had declined it."""
    why: Line120


class AskAgain(Request, type="heard.inside.ask-again.v1", topic="inside/ask-again"):
    """Everybody has declined this: who did so long ago may be asked again."""

    seen: Seen


class NobodyBrings(Request, type="heard.inside.nobody-brings.v1", topic="inside/nobody-brings"):
    """The managers are told that nobody is to bring an order as things stand.

    Without a why: that somebody is after all.
    """

    order_id: UUID
    why: Line120 | None
    since: AwareDatetime
