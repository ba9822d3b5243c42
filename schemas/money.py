"""Money in integer minor units: never a float."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

from pydantic import Field, StringConstraints

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""An ISO 4217 code."""

MAX_MINOR: Final = 10**12

Minor = Annotated[int, Field(ge=0, le=MAX_MINOR)]
"""An amount in the currency's minor unit (pence, cents, fils)."""
SignedMinor = Annotated[int, Field(ge=-MAX_MINOR, le=MAX_MINOR)]
"""The same, owed in either direction."""

# ISO 4217: every currency whose minor unit is not a hundredth.
_DIGITS: Final = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}


def digits(currency: str) -> int:
    """How many decimals the currency has: 0 for JPY, 2 for GBP, 3 for KWD."""
    return _DIGITS.get(currency, 2)


def to_minor(text: str, currency: str) -> int:
    """Read a decimal amount: ``("3.95", "GBP")`` gives 395.

    Raises:
        ValueError: no number, negative, or finer than the currency's minor unit.
    """
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is no amount of money") from None
    if not amount.is_finite():
        raise ValueError(f"{text!r} is no amount of money")
    minor = amount.scaleb(digits(currency))
    if minor != minor.to_integral_value():
        raise ValueError(f"{text!r} is finer than {currency} can pay")
    if minor < 0 or minor > MAX_MINOR:
        raise ValueError(f"{text!r} is out of range for {currency}")
    return int(minor)


def to_text(minor: int, currency: str) -> str:
    """Write an amount for people: ``(395, "GBP")`` gives ``"3.95 GBP"``."""
    places = digits(currency)
    return f"{Decimal(minor).scaleb(-places):.{places}f} {currency}"
