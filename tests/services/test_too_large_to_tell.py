"""What no broker would take is not decided: it would stand in the way of all the rest."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from broker_config.limits import BrokerLimits
from broker_config.mosquitto_conf import MAX_PAYLOAD_BYTES
from schemas.envelope import MAX_TOLD_BYTES
from schemas.replies import Outcome, Reply
from services.runtime.context import TooLargeToTell, outgoing

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def test_a_message_that_brokers_would_not_take_is_not_made() -> None:
    small, large = (
        Reply(outcome=Outcome.REJECTED, message="x" * size)
        for size in (MAX_TOLD_BYTES - 1_000, MAX_TOLD_BYTES)
    )
    assert outgoing(small, tenant="roma", device="pos-1", now=NOON).payload
    with pytest.raises(TooLargeToTell, match=r"heard\.reply"):
        outgoing(large, tenant="roma", device="pos-1", now=NOON)


def test_every_broker_takes_what_the_services_may_say() -> None:
    assert MAX_TOLD_BYTES < MAX_PAYLOAD_BYTES
    assert BrokerLimits().payload_bytes > MAX_TOLD_BYTES
