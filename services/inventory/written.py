"""What a book of items, recipes and suppliers says, and how its recipes are kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self

from schemas.inventory import BaseUnit, StockItem
from schemas.suppliers import Supplier
from services.inventory.recipes import Part, Recipe
from services.runtime.facts import WITH

OURS = "on the book already"
"""Where something stands that is in no file."""


@dataclass(frozen=True, slots=True)
class Made:
    """How a dish, a part or a modifier is made, as somebody wrote it.

    Attributes:
        recipe: its parts; a modifier that only leaves something out has none.
        title: what people call it.
        leaves_out: which items and parts a modifier takes out of its dish.
        sold: whether it is an item that is sold as it is: its one part is the item itself.
        where: where it stands, for people; of no account for what it is.
        parts_where: where each part stands.
    """

    recipe: Recipe
    title: str = ""
    leaves_out: tuple[str, ...] = ()
    sold: bool = False
    where: str = field(default=OURS, compare=False)
    parts_where: tuple[str, ...] = field(default=(), compare=False)

    @property
    def name(self) -> str:
        """Under which it is kept."""
        return self.recipe.name

    @property
    def modifier(self) -> str | None:
        """The modifier that it is for."""
        return self.name.removeprefix(WITH) if self.name.startswith(WITH) else None

    def place(self, part: int | None) -> str:
        """Where one of its parts stands, or all of it."""
        if part is None or part >= len(self.parts_where):
            return self.where
        return self.parts_where[part]

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        parts = []
        for part in self.recipe.parts:
            one = {"part": part.name, "amount": str(part.amount), "unit": part.unit}
            parts.append(one | ({"waste": str(part.waste)} if part.waste else {}))
        return {
            "title": self.title,
            "yields": str(self.recipe.yields),
            "unit": self.recipe.unit,
            "parts": parts,
            "leaves_out": list(self.leaves_out),
            "sold": self.sold,
        }

    @classmethod
    def kept(cls, name: str, document: Mapping[str, Any]) -> Self:
        """Read what `document` wrote."""
        parts = tuple(
            Part(each["part"], Decimal(each["amount"]), each["unit"], Decimal(each.get("waste", 0)))
            for each in document.get("parts", ())
        )
        unit = document.get("unit", BaseUnit.EACH.value)
        return cls(
            Recipe(name, parts, Decimal(document.get("yields", 1)), unit),
            document.get("title", ""),
            tuple(document.get("leaves_out", ())),
            document.get("sold", False),
        )


@dataclass(frozen=True, slots=True)
class Written:
    """What files say, as far as it could be read.

    Attributes:
        items: by name.
        recipes: by the name under which each is kept.
        suppliers: by name.
        places: where each item and supplier stands: ``item flour``, ``supplier metro``.
        complaints: all that is wrong, one line each, with its place.
        broken: what is named in the files and could not be read.
    """

    items: Mapping[str, StockItem]
    recipes: Mapping[str, Made]
    suppliers: Mapping[str, Supplier]
    places: Mapping[str, str] = field(default_factory=dict)
    complaints: tuple[str, ...] = ()
    broken: frozenset[str] = frozenset()
