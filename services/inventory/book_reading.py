"""Reading a book of items, recipes, modifiers and suppliers from files. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from pydantic import ValidationError

from schemas.inventory import THOUSANDTHS, BaseUnit, Pack, StockItem
from schemas.money import to_minor
from schemas.suppliers import Supplier
from services.inventory.book_files import Many, Named, Source, Unreadable, Value, Word, yaml_value
from services.inventory.book_tables import table_sections
from services.inventory.book_words import Fields, Reading, Said, Wrong, each_of, quantity, share
from services.inventory.recipes import Part, Recipe
from services.inventory.units import Measure, UnitMismatch, exactly
from services.inventory.written import Made, Written
from services.runtime.facts import WITH

SECTIONS: Final = ("currency", "suppliers", "items", "recipes", "modifiers")
ITEM_FIELDS: Final = (
    "item",
    "name",
    "unit",
    "piece",
    "litre",
    "place",
    "par",
    "low",
    "low_clear",
    "critical",
    "critical_clear",
    "sells",
    "packs",
)
PACK_FIELDS: Final = ("supplier", "holds", "price", "name")
SUPPLIER_FIELDS: Final = ("supplier", "name", "email", "lead_days", "delivery_days", "minimum")
RECIPE_FIELDS: Final = ("recipe", "name", "yields", "parts")
MODIFIER_FIELDS: Final = ("modifier", "name", "parts", "leaves_out")
PART_FIELDS: Final = ("part", "amount", "waste")
_LIMITS: Final = ("par", "low", "low_clear", "critical", "critical_clear")
_MOST_DAYS: Final = 365
_SIX_PLACES: Final = 10**6


def read_book(sources: Sequence[Source], *, currency: str | None) -> Written:
    """Read a book: items, recipes, modifiers and suppliers.

    Nothing is raised: whatever is wrong stands in ``complaints``, all of it, and the rest is read
    nevertheless, so that what depends on it can be checked too.

    Args:
        sources: the files.
        currency: the tenant's; what a file says must agree. None believes the first that says.
    """
    reader = _Reader(currency)
    for source in sources:
        try:
            reader.read(source)
        except Unreadable as error:
            reader.reading.complaints.extend(error.complaints)
    return reader.written()


class _Reader:
    """One book, from however many files."""

    def __init__(self, currency: str | None) -> None:
        self.reading: Final = Reading()
        self._currency = currency
        self._items: Final[dict[str, StockItem]] = {}
        self._recipes: Final[dict[str, Made]] = {}
        self._suppliers: Final[dict[str, Supplier]] = {}
        self._places: Final[dict[str, str]] = {}
        self._broken: Final[set[str]] = set()

    def written(self) -> Written:
        return Written(
            self._items,
            self._recipes,
            self._suppliers,
            self._places,
            tuple(self.reading.complaints),
            frozenset(self._broken),
        )

    def read(self, source: Source) -> None:
        """Read one file.

        Raises:
            Unreadable: it is neither YAML nor a table.
        """
        if source.kind == "csv":
            sections = table_sections(source)
        else:
            whole = yaml_value(source)
            if not isinstance(whole, Named):
                said = f"a book has {', '.join(SECTIONS)}, each with what is in it below"
                raise Unreadable([f"{source.name}: {said}"])
            sections = whole
        fields = self.reading.fields(sections, SECTIONS, SECTIONS[1:])
        agreed = fields.word("currency")
        if agreed is not None and self._currency is None:
            self._currency = agreed.text
        elif agreed is not None and agreed.text != self._currency:
            said = f"the file says {agreed.text}, the tenant has {self._currency}"
            self.reading.complain(agreed.where, said)
        for each in each_of(fields.value("suppliers"), "supplier", self.reading):
            self._supplier(each)
        for each in each_of(fields.value("items"), "item", self.reading):
            self._item(each)
        for each in each_of(fields.value("recipes"), "recipe", self.reading):
            self._recipe(each)
        for each in each_of(fields.value("modifiers"), "modifier", self.reading):
            self._modifier(each)

    # -- suppliers and items ------------------------------------------------------------------

    def _supplier(self, value: Value) -> None:
        fields = self.reading.fields(value, SUPPLIER_FIELDS, ("delivery_days",))
        name = fields.called("supplier")
        if name is None:
            return
        self._place("supplier", name, fields.where)
        lead = fields.whole("lead_days", _MOST_DAYS)
        days = [each.text.lower()[:3] for each in self.reading.names(fields.value("delivery_days"))]
        values = {
            "supplier": name,
            "name": fields.text("name") or name,
            "email": fields.text("email") or None,
            "delivery_days": days,
            "minimum_minor": self._money(fields, "minimum") or 0,
        }
        try:
            made = Supplier.model_validate(values | ({} if lead is None else {"lead_days": lead}))
        except ValidationError as error:
            self.reading.refused(f"{fields.where} ({name})", error)
        else:
            self._suppliers[name] = made

    def _item(self, value: Value) -> None:
        fields = self.reading.fields(value, ITEM_FIELDS, ("packs",))
        name = fields.called("item")
        if name is None:
            return
        self._place("item", name, fields.where)
        before = len(self.reading.complaints)
        unit = fields.word("unit")
        if unit is None:
            self.reading.complain(fields.where, f"{name} needs a unit: g, ml or each")
        elif unit.text not in set(BaseUnit):
            said = f"{unit.text!r:.40}: an item is counted in g, ml or each"
            self.reading.complain(unit.where, said)
        if len(self.reading.complaints) > before or unit is None:
            self._broken.add(name)
            return
        base = BaseUnit(unit.text)
        measure = Measure(
            base, self._weight(fields, "piece", 1), self._weight(fields, "litre", THOUSANDTHS)
        )
        values: dict[str, Any] = {
            "item": name,
            "name": fields.text("name") or name,
            "unit": base,
            "piece_g": measure.piece_g,
            "g_per_ml": measure.g_per_ml,
            "packs": self._packs(fields, measure),
        }
        place = fields.word("place")
        if place is not None:
            values["place"] = self.reading.name(place) or "kitchen"
        for limit in _LIMITS:
            values[limit] = fields.quantity(limit, measure)
        self._sells(fields, name, measure, values["name"])
        made = None
        if len(self.reading.complaints) == before:
            try:
                made = StockItem.model_validate(values)
            except ValidationError as error:
                self.reading.refused(f"{fields.where} ({name})", error)
        if made is None:
            self._broken.add(name)
        else:
            self._items[name] = made

    def _weight(self, fields: Fields, name: str, of: int) -> Decimal | None:
        """What one piece, or one of a thousand millilitres, weighs in grams."""
        word = fields.word(name)
        if word is None:
            return None
        try:
            read = quantity(word.text)
            grams = exactly(read.amount, read.unit, Measure(BaseUnit.GRAM)) / THOUSANDTHS / of
        except (Wrong, UnitMismatch) as error:
            self.reading.complain(word.where, f"{name}: {error}")
            return None
        rounded = Decimal(round(grams * _SIX_PLACES)) / _SIX_PLACES
        if not rounded:
            self.reading.complain(
                word.where, f"{name}: {word.text} is nothing: what does it weigh?"
            )
        return rounded or None

    def _packs(self, fields: Fields, measure: Measure) -> list[Pack]:
        value = fields.value("packs")
        if value is None or (isinstance(value, Word) and not value.text):
            return []
        values = value.values if isinstance(value, Many) else (value,)
        found = []
        for each in values:
            pack = self.reading.fields(each, PACK_FIELDS)
            supplier, holds = pack.word("supplier"), pack.quantity("holds", measure)
            price = self._money(pack, "price")
            for name in ("supplier", "holds", "price"):
                if pack.word(name) is None:
                    self.reading.complain(pack.where, f"a pack needs {name}")
            if supplier is None or holds is None or price is None:
                continue
            try:
                found.append(
                    Pack(
                        supplier=supplier.text,
                        holds=holds,
                        price_minor=price,
                        name=pack.text("name"),
                    )
                )
            except ValidationError as error:
                self.reading.refused(pack.where, error)
        return found

    def _sells(self, fields: Fields, name: str, measure: Measure, title: str) -> None:
        """An item that is sold as it is: how much of it each time."""
        word = fields.word("sells")
        if word is None:
            return
        read = self._quantity(word)
        if read is None or fields.quantity("sells", measure) is None:
            return
        recipe = Recipe(name, (Part(name, read.amount, read.unit),))
        self._keep(Made(recipe, title, sold=True, where=word.where, parts_where=(word.where,)))

    def _money(self, fields: Fields, name: str) -> int | None:
        word = fields.word(name)
        if word is None:
            return None
        try:
            return to_minor(word.text, self._currency or "")
        except ValueError as error:
            self.reading.complain(word.where, f"{name}: {error}")
            return None

    # -- recipes ------------------------------------------------------------------------------

    def _recipe(self, value: Value) -> None:
        fields = self.reading.fields(value, RECIPE_FIELDS, ("parts",))
        name = fields.called("recipe")
        if name is None:
            return
        before = len(self.reading.complaints)
        word = fields.word("yields")
        yields = Said(Decimal(1), BaseUnit.EACH.value)
        if word is not None:
            yields = self._quantity(word) or yields
        parts, places = self._parts(fields.value("parts"))
        if not parts and len(self.reading.complaints) == before:
            said = f"{name}: nothing goes in: name its parts, or take it off the book"
            self.reading.complain(fields.where, said)
        if len(self.reading.complaints) > before:
            self._broken.add(name)
        recipe = Recipe(name, parts, yields.amount, yields.unit)
        self._keep(Made(recipe, fields.text("name"), where=fields.where, parts_where=places))

    def _modifier(self, value: Value) -> None:
        fields = self.reading.fields(value, MODIFIER_FIELDS, ("parts", "leaves_out"))
        name = fields.called("modifier")
        if name is None:
            return
        before = len(self.reading.complaints)
        parts, places = self._parts(fields.value("parts"))
        left_out = tuple(each.text for each in self.reading.names(fields.value("leaves_out")))
        if not parts and not left_out and len(self.reading.complaints) == before:
            said = f"{name}: it changes nothing: say its parts, or what it leaves_out"
            self.reading.complain(fields.where, said)
        recipe = Recipe(WITH + name, parts)
        title = fields.text("name")
        self._keep(Made(recipe, title, left_out, where=fields.where, parts_where=places))

    def _parts(self, value: Value | None) -> tuple[tuple[Part, ...], tuple[str, ...]]:
        """The parts of a recipe, ``flour: 1 kg`` or ``{part: flour, amount: 1 kg, waste: 5%}``."""
        parts, places = [], []
        for each, where in self._each_part(value):
            name, amount = each.word("part"), each.word("amount")
            read = None if amount is None else self._quantity(amount)
            waste = Decimal(0)
            word = each.word("waste")
            if word is not None:
                try:
                    waste = share(word.text)
                except Wrong as error:
                    self.reading.complain(word.where, f"waste: {error}")
            if name is None:
                self.reading.complain(where, "a part needs the name of what goes in")
            elif amount is None:
                self.reading.complain(where, f"{name.text:.80}: say how much goes in")
            elif read is not None:
                parts.append(Part(name.text, read.amount, read.unit, waste))
                places.append(where)
        return tuple(parts), tuple(places)

    def _each_part(self, value: Value | None) -> list[tuple[Fields, str]]:
        if value is None or (isinstance(value, Word) and not value.text):
            return []
        if isinstance(value, Word):
            self.reading.complain(value.where, "parts are names with how much of each goes in")
            return []
        if isinstance(value, Many):
            return [(self.reading.fields(each, PART_FIELDS), each.where) for each in value.values]
        found = []
        for name, each in value.values.items():
            word = Word(name, each.where)
            inside = each.values if isinstance(each, Named) else {"amount": each}
            whole = Named({**inside, "part": word}, each.where)
            found.append((self.reading.fields(whole, PART_FIELDS), each.where))
        return found

    # -- what all have ------------------------------------------------------------------------

    def _quantity(self, word: Word) -> Said | None:
        try:
            return quantity(word.text)
        except Wrong as error:
            self.reading.complain(word.where, str(error))
            return None

    def _keep(self, made: Made) -> None:
        before = self._recipes.get(made.name)
        if before is not None:
            what = made.modifier or made.name
            self.reading.complain(made.where, f"{what} stands there twice: see {before.where}")
        self._recipes[made.name] = made

    def _place(self, what: str, name: str, where: str) -> None:
        before = self._places.get(f"{what} {name}")
        if before is not None:
            self.reading.complain(where, f"the {what} {name} stands there twice: see {before}")
        self._places[f"{what} {name}"] = where
