"""Reading what may be chosen with an item, and what is in it. Pure.

Every complaint names the place by the names that stand in the file: an importer reads
``item 3 (burger): group sides: fries: …``, and finds it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from schemas.identifiers import slug
from schemas.menu import MAX_CHOICES, MAX_DEPTH, Modifier, ModifierGroup
from schemas.money import to_minor
from services.menu import making

_GROUP: Final = ("group", "name", "least", "most", "modifiers")
_MODIFIER: Final = (
    "modifier",
    "name",
    "price",
    "allergens",
    "removes",
    "components",
    "groups",
)
MAX_MODIFIERS: Final = 2_000
"""Of one item, those counted twice that YAML names twice: a few lines of it can mean millions."""
BETWEEN: Final = "|"
"""Stands between the words of a list in one cell: ``gluten|milk``."""


class Choices:
    """Reads groups, and collects what is wrong with them.

    Args:
        currency: of the prices.
    """

    def __init__(self, currency: str) -> None:
        self._currency: Final = currency
        self.complaints: Final[list[str]] = []
        self._read = 0

    def words(self, value: Any, where: str) -> tuple[str, ...]:
        """Read a list of words: ``[gluten, milk]`` or ``gluten|milk``."""
        found = value.split(BETWEEN) if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            self._complain(where, "it is a list of words, as [gluten, milk]")
            return ()
        return tuple(dict.fromkeys(each.strip() for each in found if each.strip()))

    def groups(
        self, value: Any, where: str, *, depth: int = MAX_DEPTH
    ) -> tuple[ModifierGroup, ...]:
        """Read groups of modifiers, with those that stand in them.

        Args:
            value: what YAML gives for them: lists, mappings and texts.
            where: the place, for complaints.
            depth: how many levels may still follow.
        """
        if not isinstance(value, list):
            self._complain(where, "groups are a list, each with a name and modifiers")
            return ()
        if value and depth == 0:
            self._complain(where, f"modifiers stand no deeper than {MAX_DEPTH} in each other")
            return ()
        found = [
            group
            for number, each in enumerate(value, start=1)
            if (group := self._group(each, where, number, depth)) is not None
        ]
        self._each_once((group.group for group in found), where, "the group")
        # A request names the modifier alone, so among its neighbours it must be one.
        names = (each.modifier for group in found for each in group.modifiers)
        self._each_once(names, where, "the modifier")
        return tuple(found)

    def _group(self, value: Any, where: str, number: int, depth: int) -> ModifierGroup | None:
        named = self._named(value, f"{where}: group {number}", _GROUP, "group", ("modifiers",))
        if named is None:
            return None
        values, name = named
        where = f"{where}: group {name}"
        inner = values.get("modifiers")
        if not isinstance(inner, list) or not inner:
            self._complain(where, "it needs a list of modifiers")
            return None
        if self._read > MAX_MODIFIERS:
            return None
        modifiers = [
            modifier
            for place, each in enumerate(inner, start=1)
            if (modifier := self._modifier(each, where, place, depth)) is not None
        ]
        if len(modifiers) < len(inner):
            return None  # told already
        least = self._number(values.get("least", "0"), f"{where}: least")
        # Who says how many must be chosen, and no more, means just as many.
        most = self._number(values.get("most", str(max(1, least))), f"{where}: most")
        if least > most:
            self._complain(where, f"least is {least}, more than most, which is {most}")
        try:
            return ModifierGroup(
                group=name,
                name=values.get("name", ""),
                least=least,
                most=most,
                modifiers=tuple(modifiers),
            )
        except ValidationError as error:
            self.complaints.extend(f"{where}: {each}" for each in told(error))
            return None

    def _modifier(self, value: Any, where: str, number: int, depth: int) -> Modifier | None:
        self._read += 1
        if self._read > MAX_MODIFIERS:
            if self._read == MAX_MODIFIERS + 1:
                self._complain(where, f"with this the item has more than {MAX_MODIFIERS} modifiers")
            return None
        if isinstance(value, str):  # the commonest: a word that costs nothing
            value = {"name": value}
        lists = ("groups", "allergens", "removes", "components")
        named = self._named(value, f"{where}: modifier {number}", _MODIFIER, "modifier", lists)
        if named is None:
            return None
        values, name = named
        where = f"{where}: {name}"
        groups = self.groups(values.get("groups", []), where, depth=depth - 1)
        allergens = self.words(values.get("allergens", ""), f"{where}: allergens")
        removes = self.words(values.get("removes", ""), f"{where}: removes")
        components = making.components(
            values.get("components", ""), lambda what: self._complain(where, what)
        )
        try:
            price = to_minor(values.get("price", "0"), self._currency)
            return Modifier(
                modifier=name,
                name=values.get("name") or name,
                price_minor=price,
                allergens=allergens,
                removes=removes,
                components=components,
                groups=groups,
            )
        except ValidationError as error:
            self.complaints.extend(f"{where}: {each}" for each in told(error))
        except ValueError as error:
            self._complain(where, f"price: {error}")
        return None

    def _named(
        self,
        value: Any,
        where: str,
        names: Sequence[str],
        key: str,
        nested: Sequence[str],
    ) -> tuple[Mapping[str, Any], str] | None:
        """Read a mapping that has a name; the key is made of it, where it is not given."""
        if not isinstance(value, dict):
            self._complain(where, f"it is names with values: {', '.join(names)}")
            return None
        values = {
            str(name): each.strip() if isinstance(each, str) else each
            for name, each in value.items()
        }
        unknown = [name for name in values if name not in names]
        wrong = [
            name
            for name, each in values.items()
            if not isinstance(each, str) and name not in nested
        ]
        if unknown:
            self._complain(where, f"{', '.join(unknown)}: there are {', '.join(names)}")
        elif wrong:
            self._complain(where, f"{', '.join(wrong)}: this is one word, not a list")
        elif values.get(key):
            return values, values[key]
        elif values.get("name"):
            return values, slug(values["name"])
        else:
            self._complain(where, f"it needs a {key} or a name")
        return None

    def _number(self, value: str, where: str) -> int:
        # isdecimal alone would let other scripts' digits pass; int reads those too.
        if value.isdecimal() and int(value) <= MAX_CHOICES:
            return int(value)
        self._complain(where, f"{value!r} is no number from 0 to {MAX_CHOICES}")
        return 0

    def _each_once(self, names: Iterable[str], where: str, what: str) -> None:
        for name, times in Counter(names).items():
            if times > 1:
                self._complain(where, f"{what} {name} stands there {times} times")

    def _complain(self, where: str, what: str) -> None:
        self.complaints.append(f"{where}: {what}")


def told(error: ValidationError) -> Iterator[str]:
    """What is wrong, one line each, for people."""
    for each in error.errors(include_url=False, include_context=False):
        what = each["msg"]
        if each["type"] == "string_pattern_mismatch":
            what = f"{each['input']!r} is no name: lower-case letters, digits and hyphens"
        yield f"{'.'.join(str(part) for part in each['loc'])}: {what}"
