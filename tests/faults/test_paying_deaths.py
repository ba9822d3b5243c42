"""The worst moments to die while money comes: the provider says it again, and it counts once."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.orders import OrderStatus
from tests.faults.ending import must_be_right
from tests.faults.evening import Evening
from tests.faults.ground import Ground, footing
from tests.faults.plan import Kind, Stack, Step, Wanted, Word, draw_orders, seeded
from tests.faults.serving import Crash
from tests.faults.truth import read_kept

SEED = 7


def orders_paid_by_card() -> tuple[Wanted, ...]:
    """A small evening's list: most is paid by card, and not every card is good."""
    listed = draw_orders(seeded(SEED), SEED, 16, over_s=1.5, pays_first=True)
    words = {order.words for order in listed}
    assert {(Word.PAID,), (Word.FAILED,)} <= words, words
    return listed


@pytest.mark.parametrize(
    ("stack", "point"),
    [
        (Stack.SERVERS, "webhook arrived"),
        (Stack.MIXED, "settling decided"),
        (Stack.SERVERS, "settling committed"),
        (Stack.EMBEDDED, "settling committed"),
        (Stack.SERVERS, "settling published"),
        (Stack.EMBEDDED, "webhook done"),
        (Stack.SERVERS, "webhook done"),
    ],
)
def test_a_paid_order_reaches_the_kitchen_once_and_no_other_wherever_the_services_die(
    stack: Stack, point: str, ground: Ground, tmp_path: Path
) -> None:
    crashes = (Crash(point=point, passing=1), Crash(point=point, passing=3))
    listed = orders_paid_by_card()
    with (
        footing(stack, ground, tmp_path, pays_first=True) as standing,
        Evening(standing, listed, seed=SEED, crashes=crashes) as house,
    ):
        must_be_right(house, wire_is_whole=stack is not Stack.EMBEDDED)
        assert house.servers[0].crashed == [point, point]
        kept = read_kept(house)
        for wanted in listed:
            tickets = kept.tickets_of(wanted.order_id)
            order = kept.orders[wanted.order_id]
            if wanted.steps == (Step.PLACE, Step.CARD):
                came = Word.PAID in wanted.words or Word.AUTHORISED in wanted.words
                assert bool(tickets) is came, f"{wanted.words}: {order.status}"
            if not order.payments:
                assert not tickets
                assert order.status in {OrderStatus.PLACED, OrderStatus.CANCELLED}


def test_a_paid_order_reaches_the_kitchen_though_the_database_is_away_when_the_word_comes(
    ground: Ground, tmp_path: Path
) -> None:
    with (
        footing(Stack.SERVERS, ground, tmp_path, pays_first=True) as standing,
        Evening(standing, orders_paid_by_card(), seed=SEED) as house,
    ):
        house.until(lambda: house.provider.said, "the first word that is answered")
        house.suffer(Kind.DATABASE_STOPS, 2.0)
        must_be_right(house, wire_is_whole=True)
