"""`heard recipe list` and `show`: how things are made."""

from __future__ import annotations

from typing import Any

import click

from cli.application import Application, pass_application
from cli.book_files import the_tenant
from cli.failures import Failure
from cli.grammar import Command, json_option, tenant_option
from cli.printing import say, show_json, show_table
from services.inventory.book_words import Said
from services.inventory.importing import Standing, standing
from services.inventory.recipes import Part
from services.inventory.units import text
from services.inventory.written import Made
from services.runtime.database import Database
from services.runtime.facts import WITH


@click.command("list", cls=Command)
@tenant_option
@json_option
@pass_application
def list_(app: Application, *, tenant: str, as_json: bool) -> None:
    """List what is made: dishes, parts of them, and modifiers.

    Examples:
      heard recipe list --tenant roma
      heard recipe list --tenant roma --json
    """
    house = _read(app, tenant)
    made = sorted(house.book.recipes.values(), key=lambda each: (each.modifier or "", each.name))
    if as_json:
        show_json([_document(each, house) for each in made])
        return
    show_table(
        ("recipe", "for", "yields", "of"),
        (
            (
                each.modifier or each.name,
                "modifier" if each.modifier else "as it is" if each.sold else "",
                "" if each.modifier or each.sold else _amount(each),
                _of(each),
            )
            for each in made
        ),
        empty=f"{tenant} has no recipes yet: heard recipe import FILE --tenant {tenant}",
    )


@click.command(cls=Command)
@click.argument("name")
@tenant_option
@json_option
@pass_application
def show(app: Application, *, name: str, tenant: str, as_json: bool) -> None:
    """Show how something is made, and what one of it takes from the shelf.

    NAME is a dish, a part, or a modifier.

    Examples:
      heard recipe show burger --tenant roma
      heard recipe show no-onions --tenant roma --json
    """
    house = _read(app, tenant)
    recipes = house.book.recipes
    found = [recipes[key] for key in (name, WITH + name) if key in recipes]
    if not found:
        raise Failure(f"nothing is made that is called {name}: heard recipe list --tenant {tenant}")
    if as_json:
        show_json([_document(each, house) for each in found])
        return
    for made in found:
        _show(made, house)


def _show(made: Made, house: Standing) -> None:
    what = "modifier " if made.modifier else ""
    called = f" ({made.title})" if made.title not in {"", made.name} else ""
    if made.sold:
        say(f"{made.name}{called}: sold as it is, {_part(made.recipe.parts[0])}")
    elif made.modifier:
        say(f"{what}{made.modifier}{called}:")
    else:
        say(f"{made.name}{called}: {_amount(made)} of")
    for part in () if made.sold else made.recipe.parts:
        say(f"  {_part(part)}")
    if made.leaves_out:
        say(f"  without {', '.join(made.leaves_out)}")
    takes = house.takes.get(made.name, {})
    if takes and not made.sold:
        say("one takes from the shelf:")
        for item, amount in takes.items():
            say(f"  {text(amount, house.book.items[item].unit)} {item}")
    inside = sorted(
        other.modifier or other.name
        for other in house.book.recipes.values()
        if not other.sold and any(part.name == made.name for part in other.recipe.parts)
    )
    if inside:
        say(f"goes into: {', '.join(inside)}")


def _part(part: Part) -> str:
    waste = f" ({(part.waste * 100).normalize():f} % waste)" if part.waste else ""
    return f"{Said(part.amount, part.unit)} {part.name}{waste}"


def _amount(made: Made) -> str:
    return str(Said(made.recipe.yields, made.recipe.unit))


def _of(made: Made) -> str:
    parts = ", ".join(_part(part) for part in made.recipe.parts)
    without = f"without {', '.join(made.leaves_out)}" if made.leaves_out else ""
    return ", ".join(each for each in (parts, without) if each)


def _document(made: Made, house: Standing) -> dict[str, Any]:
    key = "modifier" if made.modifier else "recipe"
    name = made.modifier or made.name
    return {key: name, **made.document(), "takes": dict(house.takes.get(made.name, {}))}


def _read(app: Application, tenant: str) -> Standing:
    async def read(database: Database) -> Standing:
        async with database.read() as connection:
            await the_tenant(connection, tenant)
            return await standing(connection, tenant)

    return app.run(read)
