"""A queue of deliveries builds up and goes: seen from a till, on both brokers."""

from __future__ import annotations

from itertools import groupby
from uuid import UUID

import pytest

from devices.pending import Rejected
from devices.pos import PointOfSale
from schemas.deliveries import Courier
from schemas.delivery_requests import PutCourier
from schemas.delivery_rules import DeliveryRules
from schemas.devices import Role
from schemas.envelope import envelope_of
from schemas.kitchen_pace import ChannelState, Intake
from schemas.orders import Guest, LineRequest, OrderKind
from schemas.positions import Place
from schemas.refusals import RefusalCode
from schemas.replies import DeliveryQuote
from services.runtime import house_rules
from tests.patience import PATIENCE_S
from tests.spoken import Speaker
from tests.system import RunningTenant, until

HERE, DOOR = Place(lat=60.17, lon=24.94), Place(lat=60.18, lon=24.95)
OVER_MIN = 90
MARKS = DeliveryRules(place=HERE, pause_over_min=OVER_MIN, resume_under_min=70)
BURGER = [LineRequest(item="burger", quantity=1)]
MOST = 40


def delivers(tenant: RunningTenant) -> None:
    """A house with one courier."""
    tenant.system.writing(
        lambda connection: house_rules.write(connection, tenant.name, delivery=MARKS)
    )
    bike = tenant.add_device(Role.TRACKER)
    with tenant.speaker(Role.MANAGER) as manager:
        manager.accepted(PutCourier(courier=Courier(courier="anna", name="Anna", device=bike)))


def quoted(till: PointOfSale) -> DeliveryQuote:
    return till.quote_delivery(DOOR, items=1).result(PATIENCE_S)


def order(till: PointOfSale) -> UUID:
    guest = Guest(name="Ada", address="Mannerheimintie 1", place=DOOR)
    placed = till.place_order(BURGER, kind=OrderKind.DELIVERY, guest=guest).result(PATIENCE_S)
    return placed.order_id


def intakes(screen: Speaker, topic: str) -> list[Intake]:
    """How deliveries were taken one after the other, as it was heard."""
    envelope = envelope_of(ChannelState)
    heard = [
        envelope.model_validate_json(each.payload).data.intake
        for each in screen.mqtt.messages
        if each.topic == topic
    ]
    return [each for each, _ in groupby(heard)]


def test_a_queue_pauses_deliveries_takeaway_goes_on_and_deliveries_come_back_by_themselves(
    tenant: RunningTenant,
) -> None:
    delivers(tenant)
    topic = ChannelState.route.topic(tenant=tenant.name, channel=OrderKind.DELIVERY.value)
    with tenant.till() as till, tenant.speaker() as screen:
        screen.mqtt.subscribe(topic)
        orders: list[UUID] = []
        while (told := quoted(till)).taken and told.wait.p90_s <= OVER_MIN * 60:
            assert len(orders) < MOST, "a queue makes no quote longer"
            orders.append(order(till))
        until(lambda: intakes(screen, topic) == [Intake.PAUSED], "deliveries to be paused")
        told = quoted(till)
        assert not told.taken
        until(lambda: OrderKind.DELIVERY in till.channels, "the till to show it")
        assert till.channels[OrderKind.DELIVERY].intake is Intake.PAUSED
        assert OrderKind.TAKEAWAY not in till.channels, "of which nothing was ever said"
        assert told.why_not is not None
        assert told.why_not.startswith("deliveries are paused: a new one would take ")
        with pytest.raises(Rejected, match="deliveries are paused") as refused:
            order(till)
        assert refused.value.code is RefusalCode.CHANNEL_PAUSED
        till.place_order(BURGER, kind=OrderKind.TAKEAWAY).result(PATIENCE_S)

        for each in orders:
            till.cancel_order(each, "gone").result(PATIENCE_S)
        until(lambda: quoted(till).taken, "deliveries to be taken again")
        order(till)
        once = [Intake.PAUSED, Intake.OPEN]
        until(lambda: intakes(screen, topic) == once, "it to be turned over once, and no more")
        until(
            lambda: till.channels[OrderKind.DELIVERY].intake is Intake.OPEN, "the till to show it"
        )
