"""The access policy, where the embedded broker asks for it. What it does not allow is denied.

amqtt asks nobody about wills, and nobody about what is retained; the door and the engine
ask here about both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from broker_config.access import (
    Identity,
    may_publish,
    may_receive,
    may_retain,
    may_subscribe,
)
from schemas.topics import MAX_TOPIC_BYTES

_IDENTITY: Final = "heard.identity"


class AccessPlugin(BaseAuthPlugin, BaseTopicPlugin):  # type: ignore[misc]  # amqtt's bases are untyped
    """The policy as a plugin of amqtt's."""

    @dataclass
    class Config:
        """What amqtt hands to the plugin: who was let in, by client id."""

        admitted: Any

    async def authenticate(self, *, session: Session) -> bool:
        """Let in whom the door let in, under its own name alone."""
        identity = self.config.admitted.get(session.client_id)
        if identity is None or session.client_id != identity.client_id:
            return False
        session.attributes[_IDENTITY] = identity
        return True

    async def topic_filtering(
        self,
        *,
        session: Session | None = None,
        topic: str | None = None,
        action: Action | None = None,
    ) -> bool:
        """Judge a topic, or for a subscription its filter."""
        return session is not None and allowed(identity_of(session), topic or "", action)


def identity_of(session: Session | None) -> Identity | None:
    """Tell for whom a session was made; None for a session of nobody's, and for none."""
    found: Identity | None = session and session.attributes.get(_IDENTITY)
    return found


def allowed(identity: Identity | None, topic: str, action: Action | None) -> bool:
    """Tell whether somebody may do this; nobody may do anything.

    What is too long is refused before it is remembered: strangers' texts fill no cache.
    """
    return (
        identity is not None and len(topic) <= MAX_TOPIC_BYTES and _judge(identity, topic, action)
    )


def may_stay(identity: Identity, topic: str, payload: bytes) -> bool:
    """Tell whether a message may stand retained, or clear what stands."""
    return len(topic) <= MAX_TOPIC_BYTES and _judge_retained(identity, topic, not payload)


@lru_cache(maxsize=16_384)
def _judge(identity: Identity, topic: str, action: Action | None) -> bool:
    if action is Action.PUBLISH:
        return may_publish(identity, topic)
    if action is Action.RECEIVE:
        return may_receive(identity, topic)
    return action is Action.SUBSCRIBE and may_subscribe(identity, topic)


@lru_cache(maxsize=4_096)
def _judge_retained(identity: Identity, topic: str, clearing: bool) -> bool:  # noqa: FBT001 - the key of a cache
    return may_retain(identity, topic, clearing=clearing)
