"""Small ports through which one area asks another without importing it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID

from schemas.kitchen import Ticket
from schemas.menu import MenuItem
from schemas.orders import LineRequest, Order, OrderKind
from schemas.replies import OrderReceipt
from services.runtime.work import Draft


class MenuPort(Protocol):
    """The menu, as orders need it."""

    async def items(
        self, draft: Draft, tenant: str, ids: Collection[str]
    ) -> Mapping[str, MenuItem]:
        """The items of these ids that are on the menu, as they are written; unknown are absent."""

    async def offered(
        self,
        draft: Draft,
        tenant: str,
        lines: Collection[LineRequest],
        *,
        now: datetime,
        due_at: datetime | None = None,
    ) -> Mapping[str, MenuItem]:
        """The items of these lines as they can be had; unknown ones are absent.

        Of an item's modifiers that cannot be had, it names those that the lines ask for.

        Args:
            draft: what decides.
            tenant: whose menu.
            lines: what is asked for.
            now: the time.
            due_at: for when it is wanted; None is now. What the stock lacks today does not
                matter to an order of a later day.
        """

    async def prepare(self, draft: Draft, wanted: Collection[tuple[str, str]]) -> None:
        """Read the items ``(tenant, item)`` of a whole batch at once."""


class LineWork(StrEnum):
    """How far the kitchen is with a line of an order."""

    WAITING = "waiting"
    """On a ticket that nobody has begun."""
    STARTED = "started"
    COOKED = "cooked"
    """On a ticket that was bumped: the food exists."""
    GONE = "gone"
    """Cancelled before it was cooked."""


class ChannelClosed(NamedTuple):
    """Why orders of a kind are not taken.

    Attributes:
        text: for people, as a refusal says it.
        held: why another area holds them, in its own words; None where it does not.
    """

    text: str
    held: str | None = None


class KitchenPort(Protocol):
    """The kitchen, as orders need it: with what this same message has cut and moved."""

    async def work(self, draft: Draft, tenant: str, order_id: UUID) -> Mapping[int, LineWork]:
        """How far each line of the order is, by its number.

        A line that was never sent to the kitchen is absent. What is decided on this holds:
        should a ticket change meanwhile, all is decided again.
        """

    async def open_tickets(self, draft: Draft, tenant: str, order_id: UUID) -> int:
        """How many tickets of the order still stand on a screen."""

    async def ticket(self, draft: Draft, tenant: str, ticket_id: UUID) -> Ticket | None:
        """One ticket; None where there is none. What is decided on it holds."""

    async def ready(
        self, draft: Draft, tenant: str, order_id: UUID
    ) -> tuple[datetime, datetime] | None:
        """When the last open ticket of an order is reckoned to be ready: p50 and p90.

        None where no ticket says so. Nothing that must hold may rest on it.
        """

    async def foreseen(
        self,
        draft: Draft,
        tenant: str,
        *,
        now: datetime,
        dishes: int,
        lines: Sequence[LineRequest] = (),
    ) -> tuple[datetime, datetime] | None:
        """When the kitchen would have an order that came now: p50 and p90.

        With its lines it is what its tickets would be told; what is not on the menu counts for
        nothing. Without, it is what the last orders of about so many dishes would be told, with
        what stands on the line now before them. None where nothing was ever made. Nothing that
        must hold may rest on it.
        """

    async def closed(
        self, draft: Draft, tenant: str, channel: OrderKind, now: datetime
    ) -> ChannelClosed | None:
        """Why no order of a kind is taken that is wanted now; None where one is."""


class QualityPort(Protocol):
    """Quality, as the kitchen needs it."""

    async def blocking(self, draft: Draft, tenant: str, ticket: Ticket) -> tuple[str, ...]:
        """The checks that a ticket must not be bumped without and that have not passed, in words.

        Where the house has no such check for what is on the ticket, it reads nothing but the
        rules of the house.
        """


class OrdersPort(Protocol):
    """The orders, as the kitchen needs them: with what this same message has done to them."""

    async def order(self, draft: Draft, tenant: str, order_id: UUID) -> Order | None:
        """One order; None where there is none.

        What is decided on this holds: should it change meanwhile, all is decided again.
        """

    def receipt(self, order: Order) -> OrderReceipt:
        """How it stands, for a reply."""


class PacePort(Protocol):
    """How quick each station was lately: learnt beside the decisions, and never written by them.

    What it says may be another at the next call. Nothing that must hold may rest on it.
    """

    def speed(self, tenant: str, station: str, item: str) -> float:
        """How long an item takes there against what is usual for it; 1 is as usual."""

    def factors(
        self, tenant: str, station: str, at: datetime, waits_s: float
    ) -> tuple[float, float]:
        """What the reckoned time of a ticket is to be multiplied with: for p50, and for p90.

        Args:
            tenant: whose station.
            station: where it is made.
            at: when it comes.
            waits_s: how long the queue before it is reckoned to take.
        """


class CouriersPort(Protocol):
    """The couriers, as their dispatcher planned them: beside the decisions, and never written.

    What it says may be another at the next call. Nothing that must hold may rest on it.
    """

    def soonest(self, tenant: str, *, now: datetime, ready_at: datetime) -> datetime | None:
        """When a courier would be at the restaurant for an order that is placed now.

        None where nobody plans the house, nobody has lately, or no courier could bring it.

        Args:
            tenant: whose restaurant.
            now: the moment.
            ready_at: when the food will be ready: who comes has to wait for it.
        """


class Ports:
    """Every port, given by the composition root."""

    def __init__(
        self,
        *,
        menu: MenuPort,
        kitchen: KitchenPort,
        quality: QualityPort,
        orders: OrdersPort,
        pace: PacePort,
        couriers: CouriersPort,
    ) -> None:
        self.menu = menu
        self.kitchen = kitchen
        self.quality = quality
        self.orders = orders
        self.pace = pace
        self.couriers = couriers
