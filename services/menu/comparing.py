"""What putting a menu would change, for people to read before they do it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas.menu import Component, MenuItem, Modifier, ModifierGroup
from schemas.money import to_text
from services.menu import serving


@dataclass(frozen=True, slots=True)
class Changed:
    """What putting a menu would do to one item."""

    item: str
    what: str
    """``new``, ``gone``, or what is different."""


def difference(
    before: Sequence[MenuItem], items: Sequence[MenuItem], *, replace: bool
) -> list[Changed]:
    """Tell what would change."""
    known = {item.item: item for item in before}
    found: list[Changed] = []
    for item in items:
        old = known.pop(item.item, None)
        if old is None:
            price = to_text(item.price_minor, item.currency)
            found.append(Changed(item.item, f"new: {item.name}, {item.station}, {price}"))
        elif old != item:
            found.append(Changed(item.item, ", ".join(_fields_changed(old, item))))
    if replace:
        found += [Changed(item, "gone") for item in sorted(known)]
    return found


def choices(groups: Sequence[ModifierGroup], currency: str, indent: str = "") -> Iterator[str]:
    """Draw groups and what stands in them as indented lines."""
    for group in groups:
        yield f"{indent}{_group(group)}:"
        for each in group.modifiers:
            yield f"{indent}  {_modifier(each, currency)}"
            yield from choices(each.groups, currency, indent + "    ")


def _fields_changed(old: MenuItem, new: MenuItem) -> Iterator[str]:
    for name in MenuItem.model_fields:
        if getattr(old, name) == getattr(new, name):
            continue
        if name == "groups":
            yield from _groups_changed(old, new)
        else:
            yield f"{name.removesuffix('_minor')} {_shown(old, name)} → {_shown(new, name)}"


def _shown(item: MenuItem, name: str) -> str:
    value = getattr(item, name)
    if name == "price_minor":
        return to_text(value, item.currency)
    if name == "components":
        return _components(value)
    if name == "hours":
        return serving.shown(value) or "always"
    if isinstance(value, tuple):
        return " + ".join(value) or "none"
    return "none" if value is None else str(value)


def _groups_changed(old: MenuItem, new: MenuItem) -> Iterator[str]:
    """Each choice that came, went, or is another, by the path that leads to it."""
    before, after = dict(_paths(old.groups, old.currency)), dict(_paths(new.groups, new.currency))
    told = False
    for path, said in after.items():
        if path not in before:
            # What came with its parent needs no word of its own.
            if path[:-1] in before or len(path) == 1:
                yield f"+ {_path(path)}: {said}"
                told = True
        elif before[path] != said:
            yield f"{_path(path)}: {before[path]} → {said}"
            told = True
    for path in before:
        if path not in after and (path[:-1] in after or len(path) == 1):
            yield f"- {_path(path)}"
            told = True
    if not told:
        yield "its choices stand in another order"


def _paths(
    groups: Sequence[ModifierGroup], currency: str, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str]]:
    for group in groups:
        path = (*above, group.group)
        yield path, _group(group)
        for each in group.modifiers:
            yield (*path, each.modifier), _modifier(each, currency)
            yield from _paths(each.groups, currency, (*path, each.modifier))


def _path(path: Sequence[str]) -> str:
    return " > ".join(path)


def _group(group: ModifierGroup) -> str:
    return f"{group.name or group.group} {_bounds(group)}"


def _bounds(group: ModifierGroup) -> str:
    if group.least == group.most:
        return f"(choose {group.least})"
    return f"(choose {group.least} to {group.most})"


def _modifier(modifier: Modifier, currency: str) -> str:
    told = modifier.name
    if modifier.price_minor:
        told += f" +{to_text(modifier.price_minor, currency)}"
    if modifier.allergens:
        told += f", with {' + '.join(modifier.allergens)}"
    if modifier.removes:
        told += f", without {' + '.join(modifier.removes)}"
    if modifier.components:
        told += f", made of {_components(modifier.components)}"
    return told


def _components(components: Sequence[Component]) -> str:
    return " + ".join(f"{each.quantity} {each.component}" for each in components) or "none"
