"""The price of an order is the menu's price at that moment, and never an older one."""

from __future__ import annotations

from schemas.menu import MenuItem
from schemas.orders import AddLines
from schemas.refusals import RefusalCode
from services.orders.store import ORDERS
from services.people.leaving import dismiss_tenant
from services.runtime.tables import OUTBOX
from tests.spoken import order, read_message
from tests.system import MENU, RunningTenant, until


def test_a_price_changed_by_another_process_counts_for_the_very_next_order(
    tenant: RunningTenant,
) -> None:
    with tenant.speaker() as pos:
        first = pos.accepted(order("burger", "ale"))
        assert first.total_minor == 995 + 480
        for price in (1, 2, 10**6, 995):
            tenant.put_menu(MENU | {"burger": ("grill", price)})
            # Items that did not change, new ones, and lines for an older order alike.
            assert pos.accepted(order(("burger", 3), "ale")).total_minor == 3 * price + 480
            more = AddLines(order_id=first.order_id, lines=order("burger").lines)
            before = next(
                row["total_minor"]
                for row in tenant.rows(ORDERS)
                if row["order_id"] == first.order_id
            )
            assert pos.accepted(more).total_minor == before + price


def test_what_was_sold_out_or_taken_off_by_another_process_is_refused_at_once(
    tenant: RunningTenant,
) -> None:
    with tenant.speaker() as pos:
        pos.accepted(order("burger"))
        tenant.put_menu(MENU, sold_out=["burger"])
        assert pos.ask(order("burger")).code is RefusalCode.ITEM_UNAVAILABLE
        tenant.put_menu(MENU)
        pos.accepted(order("burger"))
        tenant.put_menu({"ale": MENU["ale"]}, replace=True)
        assert pos.ask(order("burger")).code is RefusalCode.UNKNOWN_ITEM
        pos.accepted(order("ale"))
        tenant.put_menu(MENU)
        assert pos.accepted(order("burger")).total_minor == 995


def test_a_dish_that_moves_to_another_station_is_cooked_there_from_the_next_order_on(
    tenant: RunningTenant,
) -> None:
    with tenant.speaker() as pos:
        pos.accepted(order("burger"))
        tenant.put_menu({"burger": ("oven", 995)})
        moved = pos.accepted(order("burger"))
        (row,) = [row for row in tenant.rows(ORDERS) if row["order_id"] == moved.order_id]
        assert [line["station"] for line in row["lines"]] == ["oven"]


def test_a_tenant_that_was_removed_and_added_again_has_only_its_new_menu(
    tenant: RunningTenant,
) -> None:
    system = tenant.system
    with tenant.speaker() as pos:
        # Refused, so that the menu alone is remembered: what is kept would be missed.
        assert pos.ask(order("burger", "soup")).code is RefusalCode.UNKNOWN_ITEM
        # Nothing may wait to be published, or it would come back after the removal.
        until(lambda: tenant.count(OUTBOX) == 0, "the outbox to be published")
        system.writing(lambda connection: dismiss_tenant(connection, tenant.name, []))
        again = system.add_tenant(tenant.name, {"burger": ("grill", 1)})
        assert pos.accepted(order("burger")).total_minor == 1
        assert pos.ask(order("ale")).code is RefusalCode.UNKNOWN_ITEM
        assert again.count(ORDERS) == 1


def test_a_change_of_the_menu_reaches_the_tills(tenant: RunningTenant) -> None:
    with tenant.speaker() as pos:
        pos.mqtt.subscribe(MenuItem.route.filter(tenant=tenant.name))

        def told(item: str) -> MenuItem | None:
            topic = MenuItem.route.topic(tenant=tenant.name, item=item)
            pos.mqtt._wait(lambda: any(one.topic == topic for one in pos.mqtt.messages), item)
            (message, *_) = [one for one in pos.mqtt.messages if one.topic == topic]
            pos.mqtt.messages.remove(message)
            return None if not message.payload else read_message(message)

        for item, (_, price) in MENU.items():
            assert (found := told(item)) is not None
            assert found.price_minor == price
        tenant.put_menu({"burger": ("grill", 1000), "soup": ("grill", 400)}, replace=True)
        assert (burger := told("burger")) is not None
        assert burger.price_minor == 1000
        assert (soup := told("soup")) is not None
        assert soup.price_minor == 400
        assert told("ale") is None
