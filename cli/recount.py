"""What orders must cost and owe, worked out a second time from the raw messages alone. Pure.

It reads what devices and providers have asked and what they were answered, as JSON, and the
menu as it stands retained; nothing of the services' own arithmetic is used here, so that a
mistake there shows as a difference. Amounts are minor units; fractions are exact until the one
rounding, half away from zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any, Final

_ANNULLED: Final = frozenset({"rejected", "cancelled", "voided"})
_MILLION: Final = 1_000_000

Json = Mapping[str, Any]


def _rounded(value: Fraction) -> int:
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


@dataclass(slots=True)
class _Line:
    """One line; `base` and `extras` are for one piece, `given` is what went back for it."""

    item: str
    quantity: int
    base: int
    extras: int
    rate: int
    voided: bool = False
    given: int = 0


@dataclass(slots=True)
class _Payment:
    """One payment; `came` once its money is here, `asked` what a provider is to give back."""

    method: str
    amount: int
    tip: int
    came: bool
    failed: bool = False
    back: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    asked_lines: dict[str, list[int]] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """What can still be given back of it."""
        if not self.came:
            return 0
        return self.amount + self.tip - self.back - sum(self.asked.values())


@dataclass(frozen=True, slots=True)
class House:
    """What prices rest on.

    Attributes:
        menu: the data of each retained item, by its name.
        taxes: rates in millionths, by name.
        included: the menu's prices have their tax in them.
    """

    menu: Mapping[str, Json]
    taxes: Mapping[str, int] = field(default_factory=dict)
    included: bool = True

    def price(self, asked: Json) -> _Line:
        """A line as it was asked for, with the menu's prices of now."""
        item = self.menu[asked["item"]]
        name = item.get("tax")
        rate = self.taxes.get("standard" if name is None else name, 0) if self.taxes else 0
        extras = self.extras(asked["item"], asked.get("modifiers", ()))
        return _Line(asked["item"], asked["quantity"], item["price_minor"], extras, rate)

    def extras(self, item: str, asked: Sequence[Json]) -> int:
        """What the modifiers add to one piece."""
        return _extras(asked, self.menu[item].get("groups", ()))

    def cost(self, line: _Line) -> tuple[int, int]:
        """A line's total and the tax in it."""
        net = Fraction(line.quantity * (line.base + line.extras))
        rate = Fraction(line.rate, _MILLION)
        if self.included:
            return int(net), _rounded(net - net / (1 + rate))
        tax = _rounded(net * rate)
        return int(net) + tax, tax


def _extras(asked: Sequence[Json], groups: Iterable[Json]) -> int:
    offered = {each["modifier"]: each for group in groups for each in group["modifiers"]}
    return sum(
        each.get("quantity", 1)
        * (
            offered[each["modifier"]].get("price_minor", 0)
            + _extras(each.get("modifiers", ()), offered[each["modifier"]].get("groups", ()))
        )
        for each in asked
    )


class Bill:
    """One order's money, from its first accepted request to its last.

    Args:
        house: what prices rest on; what it says may change between two requests.
    """

    def __init__(self, house: House) -> None:
        self._house: Final = house
        self._lines: dict[int, _Line] = {}
        self._payments: dict[str, _Payment] = {}
        self._annulled = False
        self._forgiven = 0
        """Given back of what the house had earned, without owing it."""

    # -- what it comes to ----------------------------------------------------------------

    @property
    def total(self) -> int:
        """What its lines cost, those that were voided left out."""
        return sum(self._house.cost(each)[0] for each in self._lines.values() if not each.voided)

    @property
    def tax(self) -> int:
        """The tax in that."""
        return sum(self._house.cost(each)[1] for each in self._lines.values() if not each.voided)

    @property
    def paid(self) -> int:
        """What came towards it, without tips."""
        return sum(each.amount for each in self._payments.values() if each.came)

    @property
    def tips(self) -> int:
        """What came on top."""
        return sum(each.tip for each in self._payments.values() if each.came)

    @property
    def refunded(self) -> int:
        """What went back, of both."""
        return sum(each.back for each in self._payments.values())

    @property
    def due(self) -> int:
        """What the guests owe; below zero, what is owed to them."""
        charged = 0 if self._annulled else self.total
        back = sum(min(each.back, each.amount) for each in self._payments.values())
        return charged - self._forgiven - (self.paid - back)

    def books(self) -> dict[str, int]:
        """Each account of the house after all that happened; together they are zero."""
        charged, tax = (0, 0) if self._annulled else (self.total, self.tax)
        untaxed = _rounded(Fraction(tax * self._forgiven, charged)) if charged else 0
        tips_back = sum(max(0, each.back - each.amount) for each in self._payments.values())
        held = {"cash": 0, "provider": 0}
        for each in self._payments.values():
            if each.came:
                held["cash" if each.method == "cash" else "provider"] += (
                    each.amount + each.tip - each.back
                )
        return {
            "guest": self.due,
            **held,
            "sales": tax - charged,
            "tax": untaxed - tax,
            "tips": tips_back - self.tips,
            "refunds": self._forgiven - untaxed,
        }

    def asked_back(self, refund_id: str) -> list[tuple[str, int]]:
        """What a refund asks of providers: payments, each with its amount."""
        return [
            (payment_id, each.asked[refund_id])
            for payment_id, each in self._payments.items()
            if refund_id in each.asked
        ]

    # -- what happened -------------------------------------------------------------------

    def accept(self, kind: str, id_: str, asked: Json, receipt: Json | None) -> None:
        """Take in a request that was accepted.

        Args:
            kind: its type, as ``heard.order.place.v1``.
            id_: its own id.
            asked: its data.
            receipt: the result in its reply.
        """
        verb = kind.split(".")[-2]
        doing = getattr(self, "_" + verb.replace("-", "_"), None)
        if doing is not None:
            doing(id_, asked, receipt or {})
        if receipt is not None and receipt.get("status") in _ANNULLED and not self._annulled:
            self._annulled = True
            self._forgiven = 0  # nothing was earned after all: it was owed

    def _place(self, _id: str, asked: Json, _receipt: Json) -> None:
        for line in asked["lines"]:
            self._lines[len(self._lines) + 1] = self._house.price(line)

    _add_lines = _place

    def _change_line(self, _id: str, asked: Json, _receipt: Json) -> None:
        line = self._lines[asked["line"]]
        if asked.get("quantity") is not None:
            line.quantity = asked["quantity"]
        if asked.get("modifiers") is not None:
            line.extras = self._house.extras(line.item, asked["modifiers"])
        now = self._house.cost(line)[0]
        self._owe_instead(max(0, line.given - now))
        line.given = min(line.given, now)

    def _void_lines(self, _id: str, asked: Json, _receipt: Json) -> None:
        given = 0
        for number in set(asked["lines"]):
            self._lines[number].voided = True
            given += self._lines[number].given
        self._owe_instead(given)

    def _owe_instead(self, given: int) -> None:
        """What was given back of lines that are not charged any more was owed, not forgiven."""
        over = max(min(given, self._forgiven), self._forgiven - self.total)
        self._forgiven -= max(0, over)

    def _pay(self, id_: str, asked: Json, receipt: Json) -> None:
        method, amount = asked.get("method", "cash"), asked.get("amount_minor")
        if amount is None and asked.get("guest") is not None and method == "cash":
            amount = self.due - receipt["due_minor"]  # a share: only the services know it
        if amount is None:
            amount = self.open
        tip = asked.get("tip_minor", 0)
        self._payments[id_] = _Payment(method, amount, tip, came=method == "cash")

    @property
    def open(self) -> int:
        """What nobody pays yet: payments that may still come are set aside."""
        coming = (each for each in self._payments.values() if not each.came and not each.failed)
        return self.due - sum(each.amount for each in coming)

    def _settle_payment(self, _id: str, told: Json, _receipt: Json) -> None:
        payment = self._payments[told["payment_id"]]
        match told["said"]:
            case "paid":
                payment.came = True
            case "failed":
                payment.failed = True
            case "refund-done":
                amount = payment.asked.pop(told["refund_id"])
                payment.asked_lines.pop(told["refund_id"])
                self._give_back(payment, amount)
            case "refund-failed":
                self._take_back(payment, told["refund_id"])

    def _refund(self, id_: str, asked: Json, _receipt: Json) -> None:
        chosen = list(self._payments.values())
        if asked.get("payment_id") is not None:
            chosen = [self._payments[asked["payment_id"]]]
        amount = self._wanted(asked, sum(each.left for each in chosen))
        numbers = sorted(set(asked.get("lines", ())))
        for payment in reversed(chosen):
            part = min(amount, payment.left)
            if part <= 0:
                continue
            amount -= part
            if payment.method == "cash":
                self._give_back(payment, part)
            else:
                payment.asked[id_] = part
                payment.asked_lines[id_] = numbers
        if amount:
            raise ValueError(f"refund {id_} was accepted, and {amount} of it never came in")

    def _wanted(self, asked: Json, left: int) -> int:
        if not asked.get("lines"):
            named: int | None = asked.get("amount_minor")
            return left if named is None else named
        coming = sum(sum(each.asked.values()) for each in self._payments.values())
        amount, owed = 0, max(0, -self.due - coming)
        for number, line in self._lines.items():
            if number not in asked["lines"]:
                continue
            part = self._house.cost(line)[0] - line.given
            if line.voided:  # only what was paid for it before it was voided
                part = min(part, owed)
                owed -= part
            line.given += part
            amount += part
        return amount

    def _give_back(self, payment: _Payment, amount: int) -> None:
        owed = max(0, -self.due)
        of_amount = min(amount, max(0, payment.amount - payment.back))
        payment.back += amount
        self._forgiven += max(0, of_amount - owed)

    def _take_back(self, payment: _Payment, refund_id: str) -> None:
        """A provider did not give it back: nor was anything given for its lines."""
        left = payment.asked.pop(refund_id)
        for number in payment.asked_lines.pop(refund_id):
            part = min(left, self._lines[number].given)
            self._lines[number].given -= part
            left -= part


class Recount:
    """Every order of a house, from the messages about it.

    Args:
        house: what prices rest on.
    """

    def __init__(self, house: House) -> None:
        self._house: Final = house
        self.bills: Final[dict[str, Bill]] = {}

    def hear(self, request: Json, reply: Json) -> Bill | None:
        """Take in a request and its reply, in the order in which they were decided.

        Args:
            request: the envelope as it was sent.
            reply: the data of its reply.

        Returns:
            The order's bill; None where the request was refused.
        """
        if reply["outcome"] != "accepted":
            return None
        asked, kind = request["data"], request["type"]
        placing = kind.split(".")[-2] == "place"
        id_ = request["id"] if placing else asked["order_id"]
        bill = self.bills.setdefault(id_, Bill(self._house)) if placing else self.bills[id_]
        bill.accept(kind, request["id"], asked, reply.get("result"))
        return bill
