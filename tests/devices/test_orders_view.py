"""The open orders as a till sees them: never going back, gone when they end."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from devices.orders_view import OrdersView
from schemas.identifiers import new_id
from schemas.orders import OPEN_ORDER, Order, OrderLine, OrderStatus

LINE = OrderLine(
    line=1, item="burger", name="Burger", quantity=1, unit_minor=950, total_minor=950,
    station="grill",
)  # fmt: skip


def order(order_id: UUID, version: int = 1, status: OrderStatus = OrderStatus.ACCEPTED) -> Order:
    return Order(
        order_id=order_id,
        number=f"ORD-{order_id.hex[-4:].upper()}",
        status=status,
        version=version,
        device="pos-1",
        currency="GBP",
        total_minor=950,
        lines=(LINE,),
        placed_at=datetime(2024, 1, 15, 10, 30, tzinfo=UTC),
    )


def test_an_older_word_of_an_order_changes_nothing() -> None:
    view, id_ = OrdersView(), new_id()
    assert view.show(order(id_, 3))
    assert not view.show(order(id_, 2))
    assert not view.show(order(id_, 3))
    assert view.orders[id_].version == 3
    assert view.show(order(id_, 4))


def test_what_has_ended_does_not_come_back() -> None:
    view, id_ = OrdersView(), new_id()
    view.show(order(id_, 3))
    assert view.end(id_)
    assert not view.show(order(id_, 4))
    assert not view.orders
    assert not view.end(id_)


def test_a_state_that_says_closed_ends_the_order() -> None:
    view, id_ = OrdersView(), new_id()
    view.show(order(id_, 3))
    assert view.show(order(id_, 4, OrderStatus.CLOSED))
    assert not view.orders


def test_after_a_connection_what_is_not_told_again_is_asked_for_once() -> None:
    view, told, silent = OrdersView(grace_s=2.0), new_id(), new_id()
    view.show(order(told))
    view.show(order(silent))
    view.connected(100.0)
    assert view.doubted == 2
    assert list(view.ask(101.9)) == []
    view.show(order(told))  # the same word again is an answer too
    assert list(view.ask(102.0)) == [silent]
    assert list(view.ask(200.0)) == []
    view.failed(silent, 200.0)
    assert view.next_look == 202.0
    assert list(view.ask(202.0)) == [silent]
    view.end(silent)
    assert view.doubted == 0
    assert view.next_look == float("inf")
    assert set(view.orders) == {told}


def test_a_first_connection_doubts_nothing() -> None:
    view = OrdersView()
    view.connected(0.0)
    assert view.doubted == 0
    assert view.next_look == float("inf")


IDS = [new_id() for _ in range(3)]
WORDS = st.lists(
    st.tuples(
        st.sampled_from(IDS),
        st.one_of(
            st.none(),
            st.tuples(st.integers(1, 6), st.sampled_from(sorted(OPEN_ORDER))),
        ),
    ),
    max_size=40,
)


@given(WORDS)
def test_whatever_arrives_versions_only_grow_and_the_dead_stay_dead(
    words: list[tuple[UUID, tuple[int, OrderStatus] | None]],
) -> None:
    view = OrdersView()
    seen: dict[UUID, int] = {}
    ended: set[UUID] = set()
    for id_, word in words:
        if word is None:
            view.end(id_)
            ended.add(id_)
        else:
            view.show(order(id_, *word))
        for known, shown in view.orders.items():
            assert shown.version >= seen.get(known, 0)
            seen[known] = shown.version
        assert not ended & view.orders.keys()
    newest = {
        id_: max(word[0] for other, word in words if other == id_ and word is not None)
        for id_, word in words
        if word is not None and id_ not in ended
    }
    assert {id_: each.version for id_, each in view.orders.items()} == newest
