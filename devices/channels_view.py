"""How each kind of order is taken, as a till sees it: each kind retained on a topic of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from schemas.envelope import envelope_of
from schemas.kitchen_pace import ChannelState
from schemas.orders import OrderKind


class ChannelsView:
    """The kinds of which anything was ever said; every other one is taken freely.

    Args:
        tenant: whose.
    """

    def __init__(self, tenant: str) -> None:
        self.filter: Final = ChannelState.route.filter(tenant=tenant)
        self._channels: Final[dict[OrderKind, ChannelState]] = {}
        self.channels: Final[Mapping[OrderKind, ChannelState]] = MappingProxyType(self._channels)
        """By kind; live, and not to be changed."""

    def owns(self, topic: str) -> bool:
        """Tell whether a topic is a kind's."""
        return topic.startswith(self.filter[:-1])

    def receive(self, topic: str, payload: bytes) -> None:
        """Take in what came.

        Raises:
            ValueError: it cannot be read, or is another than its topic names.
        """
        channel = OrderKind(ChannelState.route.parse(topic)["channel"])
        if not payload:
            self._channels.pop(channel, None)
            return
        told: ChannelState = envelope_of(ChannelState).model_validate_json(payload).data
        if told.channel is not channel:
            raise ValueError(f"it speaks of {told.channel}")
        self._channels[channel] = told
