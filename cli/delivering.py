"""Asking about deliveries over MQTT, as a dispatcher who exists for one command alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

from cli.admission import as_device
from cli.application import Application
from cli.failures import Failure
from cli.ordering import the_order
from cli.printing import say, show_json, when
from devices.delivery_requests import Dispatcher
from devices.pending import Pending, Rejected
from schemas.deliveries import Delivery, DeliveryStep
from schemas.devices import Role
from schemas.replies import DeliveryReceipt
from services.delivery.rules import before, happened_at

R = TypeVar("R")


@contextmanager
def at_the_desk(
    app: Application,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    *,
    as_manager: bool = False,
) -> Iterator[Callable[[Callable[[Dispatcher], Pending[R]]], R]]:
    """Somebody who asks and waits: call what it gives with a question.

    Raises:
        Failure: nobody said whose deliveries, or no answer came in time.
        Rejected: the services refused it.
    """
    role = Role.MANAGER if as_manager else Role.POS
    with as_device(app, tenant, credentials, role) as admitted:
        problems: list[str] = []
        desk = Dispatcher(
            admitted.address.host,
            admitted.address.port,
            on_problem=problems.append,
            **admitted.options(),
        )

        def ask(question: Callable[[Dispatcher], Pending[R]]) -> R:
            try:
                return question(desk).result(patience)
            except TimeoutError:
                why = problems[-1] if problems else "do the services run? `heard doctor` says more"
                raise Failure(f"no answer within {patience:g} s: {why}") from None

        with desk:
            yield ask


def which_order(app: Application, tenant: str | None, name: str) -> UUID:
    """The id of an order: itself, or looked up where the database is at hand.

    Raises:
        Failure: a device has to say the id, or no order is called so.
    """
    try:
        return UUID(name)
    except ValueError:
        if tenant is None:
            raise Failure(f"{name} is no order's id: a device names an order by its id") from None
    return the_order(app, tenant, name).order_id


_NEXT_TO_NOTHING: Final = timedelta(seconds=1)
_COMMANDS: Final = {
    DeliveryStep.ASSIGN: "assign {} COURIER",
    DeliveryStep.ACCEPT: "accept {}",
    DeliveryStep.PICK_UP: "step {} pick-up",
    DeliveryStep.SET_OUT: "step {} set-out",
    DeliveryStep.FAIL: "fail {} --reason WHY",
}


def with_a_way_on(
    refused: Rejected, step: DeliveryStep | None, name: str, me: str
) -> Rejected | Failure:
    """A refused step, with the command that has to come first where one leads to it.

    Args:
        refused: as the services say it.
        step: what was asked for.
        name: the order, as it was typed.
        me: the option that says as whom was asked.
    """
    state = refused.state
    if step is None or not isinstance(state, DeliveryReceipt):
        return refused
    for first in before(state.delivery.status, step)[:1]:
        return Failure(f"{refused}: heard delivery {_COMMANDS[first].format(name)} {me}")
    return refused


def show_receipt(receipt: DeliveryReceipt, *, as_json: bool) -> None:
    """Print how a delivery stands after what was asked."""
    if as_json:
        show_json(receipt.model_dump(mode="json"))
        return
    say(in_a_line(receipt.delivery))


def taken_for(delivery: Delivery, at: datetime) -> datetime | None:
    """As when a step is kept that was told of another time; None where it is as it was told."""
    kept = happened_at(delivery)
    return kept if kept is not None and abs(kept - at) >= _NEXT_TO_NOTHING else None


def in_a_line(delivery: Delivery) -> str:
    """How a delivery stands, in one line."""
    who = "" if delivery.courier is None else f"  {delivery.courier}, stop {delivery.stop}"
    promised = "" if delivery.promised_at is None else f"  promised {when(delivery.promised_at)}"
    why = "" if delivery.reason is None else f"  ({delivery.reason})"
    return f"{delivery.number}  {delivery.status}{who}{promised}{why}"
