"""What is too much is turned away, told, and loses nobody anything."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from devices.pos import NewOrder
from schemas.devices import Role
from schemas.identifiers import new_id
from schemas.limits import Limits, ReadLimits
from schemas.orders import LineRequest, PlaceOrder
from schemas.positions import Fix
from schemas.refusals import RefusalCode
from schemas.replies import Outcome
from services.orders.store import ORDERS
from services.people import limits
from services.people.limits import BY_ROLE, OF_TENANT, UNLIMITED
from services.runtime.guard import ANSWERS, KEPT, UNFIT
from services.runtime.moment import system_clock
from services.runtime.tables import INBOX, QUARANTINE
from tests.patience import PATIENCE_S
from tests.services.limited import gate_of, hold, wait_held
from tests.spoken import order
from tests.system import RunningTenant, until

NARROW = {"messages_per_s": 0.5, "messages_burst": 3}
NARROWEST = {"messages_per_s": 0.001, "messages_burst": 3}
"""Gives nothing back while a test runs."""


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SERVICE])
def test_every_device_may_ask_what_it_is_held_to_and_what_is_left(
    role: Role, tenant: RunningTenant
) -> None:
    with tenant.speaker(role) as speaker:
        speaker.ask(ReadLimits())  # a moment after its first word it is known what it is
        wait_held(tenant, speaker.device, BY_ROLE[role])
        told = speaker.accepted(ReadLimits())
    assert told.device.limits == BY_ROLE[role]
    assert told.tenant.limits == OF_TENANT
    burst = BY_ROLE[role].messages_burst
    assert burst is not None
    assert burst - 5 <= told.device.messages_left <= burst, "it has just asked"
    assert 0 < told.device.bytes_left <= BY_ROLE[role].bytes_burst
    assert 0 < told.tenant.messages_left <= OF_TENANT.messages_burst


def test_what_is_set_from_outside_counts_soon_and_so_does_its_end(
    tenant: RunningTenant,
) -> None:
    with tenant.speaker() as speaker:
        speaker.accepted(ReadLimits())
        hold(tenant, speaker.device, Role.POS, messages_per_s=7.0, messages_burst=70)
        told = speaker.accepted(ReadLimits())
        assert (told.device.limits.messages_per_s, told.device.limits.messages_burst) == (7, 70)
        assert told.device.limits.bytes_per_s == BY_ROLE[Role.POS].bytes_per_s
        tenant.system.writing(
            lambda connection: limits.set_for_device(connection, tenant.name, speaker.device, None)
        )
        wait_held(tenant, speaker.device, BY_ROLE[Role.POS])


def test_a_tenants_total_is_set_and_counts_for_all_its_devices(
    tenant: RunningTenant,
) -> None:
    with tenant.speaker() as one, tenant.speaker() as other:
        one.accepted(order("ale"))
        other.accepted(order("ale"))
        tenant.system.writing(
            lambda connection: limits.set_for_tenant(connection, tenant.name, NARROWEST)
        )
        wanted = limits.of_tenant(NARROWEST)
        until(lambda: gate_of(tenant.system).tenant(tenant.name).limits == wanted, "its limits")
        outcomes = [each.ask(order("ale")).code for each in (one, other, one, other)]
        assert outcomes == [None, None, None, RefusalCode.RATE_LIMITED]
        tenant.system.writing(
            lambda connection: limits.set_for_tenant(connection, tenant.name, None)
        )
        until(lambda: gate_of(tenant.system).tenant(tenant.name).limits == OF_TENANT, "its end")
        assert other.ask(order("ale")).outcome is Outcome.ACCEPTED


def test_a_request_too_many_is_told_so_and_kept_nowhere(tenant: RunningTenant) -> None:
    with tenant.speaker() as speaker:
        hold(tenant, speaker.device, Role.POS, **NARROW)
        taken = 0
        # A slow machine gives it time for more than its burst.
        while (refused := speaker.ask(order("ale"), id_ := new_id())).outcome is Outcome.ACCEPTED:
            taken += 1
        assert taken >= 3
        assert refused.code is RefusalCode.RATE_LIMITED
        assert refused.retry_after_s is not None
        assert 0.0 < refused.retry_after_s <= 2.0
        assert refused.message is not None
        assert "0.5 a second, after a rest 3" in refused.message
        assert tenant.count(INBOX) == tenant.count(ORDERS) == taken
        assert tenant.count(QUARANTINE) == 0
        time.sleep(refused.retry_after_s)  # just what the reply says
        assert speaker.ask(order("ale"), id_).outcome is Outcome.ACCEPTED, "the same id"
        assert tenant.count(ORDERS) == taken + 1


def test_answers_to_what_is_too_much_are_bounded(tenant: RunningTenant) -> None:
    with tenant.speaker() as speaker, tenant.speaker() as witness:
        hold(tenant, speaker.device, Role.POS, messages_per_s=0.001, messages_burst=1)
        began = time.monotonic()
        for _ in range(500):
            speaker.say(order("ale"))
        # Whatever the services do with these, they have done it before they answer others.
        witness.accepted(order("ale"))
        took = time.monotonic() - began
        answers = [m for m in speaker.mqtt.messages if m.topic == speaker.reply_topic]
        assert 2 <= len(answers) <= 2 + ANSWERS.burst + ANSWERS.per_s * (took + 1)
    assert tenant.count(INBOX) == 2


def test_a_till_with_narrow_limits_gets_its_whole_backlog_kept_each_once(
    tenant: RunningTenant, tmp_path: Path
) -> None:
    name = tenant.add_device(Role.POS)
    hold(tenant, name, Role.POS, messages_per_s=20.0, messages_burst=10)
    with tenant.till(name, tmp_path / "outbox") as pos:
        hold(tenant, name, Role.POS, messages_per_s=20.0, messages_burst=10)
        ale = LineRequest(item="ale", quantity=1)
        handles = pos.place_orders(NewOrder((ale,)) for _ in range(80))
        receipts = [handle.result(PATIENCE_S) for handle in handles]
        assert pos.drain(PATIENCE_S)
        assert pos.counts.connections == 1, "nobody was put out"
    assert tenant.system.counts["limited"] > 0, "the limit has bitten"
    kept = Counter(row["order_id"] for row in tenant.rows(ORDERS))
    assert kept == Counter(handle.id for handle in handles)
    assert {receipt.order_id for receipt in receipts} == kept.keys()


def test_readings_too_many_are_dropped_counted_and_told_in_one_line(
    tenant: RunningTenant,
) -> None:
    with capture_logs() as lines, tenant.speaker(Role.TRACKER) as speaker:
        hold(tenant, speaker.device, Role.TRACKER, **NARROW)
        counted, began = tenant.system.counts["limited"], time.monotonic()
        for _ in range(100):
            speaker.say(Fix(at=system_clock(), lat=51.5, lon=0.0))

        def told() -> list[int]:
            return [
                line["messages"]
                for line in lines
                if line["event"] == "limit exceeded" and line["device"] == speaker.device
            ]

        def dropped() -> bool:
            took = time.monotonic() - began
            let_in = NARROW["messages_burst"] + NARROW["messages_per_s"] * took
            return tenant.system.counts["limited"] - counted >= 100 - let_in - 1

        until(told, "the line in the log")
        # The line counts what was there by then: the rest may come after it.
        until(dropped, "the rest of them")
    assert len(told()) == 1
    assert 1 <= told()[0] <= 97
    assert tenant.count(QUARANTINE) == 0


def test_junk_fills_no_quarantine_and_is_not_answered_for_ever(tenant: RunningTenant) -> None:
    with tenant.speaker() as speaker, tenant.speaker() as witness:
        name = f"heard/v1/{tenant.name}"
        own = {**UNLIMITED, "messages_per_s": 100_000.0, "messages_burst": 100_000}
        hold(tenant, speaker.device, Role.POS, **own)
        began = time.monotonic()
        for number in range(300):
            speaker.mqtt.publish(f"{name}/telemetry/{speaker.device}/s{number}", b"junk")
        for _ in range(300):
            speaker.mqtt.publish(speaker.topic(PlaceOrder), b"junk")
        witness.accepted(order("ale"))
        took = time.monotonic() - began
        assert 1 <= tenant.count(QUARANTINE) <= KEPT.burst + KEPT.per_s * took + 1
        answers = [m for m in speaker.mqtt.messages if m.topic == speaker.reply_topic]
        assert len(answers) <= UNFIT.burst + UNFIT.per_s * (took + 1)
    unknown = f"unfit:{RefusalCode.UNKNOWN_TYPE}"
    until(lambda: tenant.system.counts[unknown] >= 300, "all junk is counted")
    took = time.monotonic() - began
    assert 1 <= tenant.count(QUARANTINE) <= KEPT.burst + KEPT.per_s * took + 1


def test_devices_that_commands_make_for_themselves_are_held_to_nothing(
    tenant: RunningTenant,
) -> None:
    with tenant.speaker() as speaker:
        hold(tenant, speaker.device, Role.POS, **UNLIMITED)
        told = speaker.accepted(ReadLimits())
        assert told.device.limits.unlimited
        assert (told.device.messages_left, told.device.bytes_left) == (None, None)
        assert told.device.limits.subscriptions == BY_ROLE[Role.POS].subscriptions
        assert isinstance(told.device.limits, Limits)
