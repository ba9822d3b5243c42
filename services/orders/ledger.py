"""Double entry: which accounts each change of an order touches. Pure.

Every posting sums to zero. Amounts are minor units of the order's currency; what the
accounts are is said in `services.orders.journal`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Self

from schemas.payments import CASH


@dataclass(frozen=True, slots=True)
class Posting:
    """One amount an account."""

    guest: int = 0
    cash: int = 0
    provider: int = 0
    sales: int = 0
    tax: int = 0
    tips: int = 0
    refunds: int = 0

    def __post_init__(self) -> None:
        if sum(getattr(self, name) for name in ACCOUNTS):
            raise ValueError(f"{self} does not sum to zero")

    def __add__(self, other: Self) -> Self:
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in ACCOUNTS})

    def columns(self) -> dict[str, int]:
        """The columns of the journal."""
        return {f"{name}_minor": getattr(self, name) for name in ACCOUNTS}

    @property
    def moves(self) -> bool:
        """Whether any money moved."""
        return any(getattr(self, name) for name in ACCOUNTS)


ACCOUNTS: Final = tuple(field.name for field in fields(Posting))
NOTHING: Final = Posting()
"""No money moved."""


def sold(total_minor: int, tax_minor: int) -> Posting:
    """The guests owe for what they ordered; a negative total takes it back."""
    return Posting(guest=total_minor, sales=tax_minor - total_minor, tax=-tax_minor)


def paid(method: str, amount_minor: int, tip_minor: int) -> Posting:
    """Money came: the amount pays what is owed, the tip is held for the staff."""
    taken = amount_minor + tip_minor
    return Posting(
        guest=-amount_minor,
        tips=-tip_minor,
        **{_tender(method): taken},
    )


def refunded(method: str, *, owed: int, earned: int, tax: int, tip: int) -> Posting:
    """Money went back.

    Args:
        method: how it came, and so goes back.
        owed: what of it was owed to the guests.
        earned: what of it had been earned, with tax.
        tax: the tax in that.
        tip: what of it had been a tip.
    """
    return Posting(
        guest=owed,
        refunds=earned - tax,
        tax=tax,
        tips=tip,
        **{_tender(method): -(owed + earned + tip)},
    )


def _tender(method: str) -> str:
    return "cash" if method == CASH else "provider"
