"""What a message class is: a payload that owns its topic and how it travels."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from schemas.topics import Plane, Route


class Part(BaseModel):
    """A piece of a payload. Unknown fields are ignored, so that versions can roll."""

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_timedelta="float")


class Message(Part):
    """A payload with a topic of its own.

    A subclass of one of the planes below names its ``type`` (CloudEvents), the rest
    of its topic, and the field it is ``about`` (the CloudEvents subject; messages
    about one thing keep their order):

    >>> class PlaceOrder(Request, type="heard.order.place.v1", topic="orders/place"): ...
    """

    plane: ClassVar[Plane]
    prefix: ClassVar[str]
    qos: ClassVar[int] = 1
    retain: ClassVar[bool] = False
    bare: ClassVar[bool] = False
    """True where the payload travels without an envelope (telemetry)."""
    content_type: ClassVar[str] = "application/cloudevents+json"

    type_name: ClassVar[str] = ""
    route: ClassVar[Route]
    about: ClassVar[str | None] = None
    whole: ClassVar[str | None] = None
    """The field that holds a thing whole, where several messages in a row tell of the same."""

    @classmethod
    def __init_subclass__(
        cls,
        *,
        type: str | None = None,  # noqa: A002 - the word of CloudEvents
        topic: str | None = None,
        about: str | None = None,
        whole: str | None = None,
        qos: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init_subclass__(**kwargs)
        if type is None or topic is None:
            return
        cls.type_name = type
        cls.route = Route(f"{cls.prefix}{topic}")
        cls.about = about
        cls.whole = whole
        if qos is not None:
            cls.qos = qos

    def topic(self, **address: str) -> str:
        """Build this message's topic from the address and the message's own fields."""
        values = dict(address)
        for name in self.route.names:
            if name not in values:
                value = getattr(self, name, None)
                if value is not None:
                    values[name] = str(value)
        return self.route.topic(**values)

    def subject(self) -> str | None:
        """The CloudEvents subject: the id of what this message is about."""
        if self.about is None:
            return None
        value: UUID | str = getattr(self, self.about)
        return str(value)


class Request(Message):
    """A command of one device: answered on its reply topic, after the commit."""

    plane = Plane.REQUEST
    prefix = "request/{device}/"


class Query(Request):
    """A request that changes nothing: answered at once, and never kept."""


class DeviceReply(Message):
    """What the services answer one device."""

    plane = Plane.REPLY
    prefix = "reply/{device}"


class Telemetry(Message):
    """Many small readings of a device; the last one wins. Travels bare."""

    plane = Plane.TELEMETRY
    prefix = "telemetry/{device}/"
    qos = 0
    bare = True
    content_type = "application/json"


class PresenceMessage(Message):
    """Birth and will of a device: retained."""

    plane = Plane.PRESENCE
    prefix = "presence/{device}"
    retain = True


class State(Message):
    """What is true now: retained; an empty payload when it ends."""

    plane = Plane.STATE
    prefix = "state/"
    retain = True


class Event(Message):
    """What happened, for whoever listens."""

    plane = Plane.EVENT
    prefix = "event/"
