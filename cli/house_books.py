"""How one book of a house's rules is shown, and changed by NAME=VALUE."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import click
from pydantic import BaseModel, ValidationError

from cli.admission import actor
from cli.application import Application
from cli.failures import Failure
from cli.known_houses import must_be_there
from cli.printing import note, show_json, show_table
from services.runtime import audit, house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock

B = TypeVar("B", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Change(Generic[B]):
    """What a change has made.

    Attributes:
        book: as it is now.
        news: of each rule that is another than before, what it was and what it is.
    """

    book: B
    news: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class HouseBook(Generic[B]):
    """One of the books that `services.runtime.house_rules` keeps.

    Attributes:
        name: what it is called there.
        action: what the audit calls a change of it.
        rows: name and value of each rule, as `put` takes them.
        put: puts one value, written as text, into the book's JSON; a ValueError says what is
            wrong with it.
        lacks: what else a book needs to hold together, in words; None where nothing.
    """

    name: Literal["orders", "delivery"]
    action: str
    rows: Callable[[B], Iterable[tuple[str, str]]]
    put: Callable[[dict[str, Any], str, str], None]
    lacks: Callable[[B], str | None] = lambda _: None

    def read(self, app: Application, tenant: str) -> B:
        """What a house has.

        Raises:
            Unknown: there is no such house.
        """

        async def read(database: Database) -> B:
            async with database.read() as connection:
                await must_be_there(connection, tenant)
                found: B = getattr(await house_rules.read(connection, tenant), self.name)
                return found

        return app.run(read)

    def change(self, app: Application, tenant: str, pairs: Sequence[str]) -> Change[B]:
        """Change some of a house's rules; the audit says which.

        Raises:
            Unknown: there is no such house.
            BadParameter: there is no such rule, or the value is none of it.
            Failure: a value is out of its range, or lacks another; nothing was changed.
        """

        async def write(database: Database) -> Change[B]:
            async with database.write() as connection:
                await must_be_there(connection, tenant)
                before: B = getattr(await house_rules.read(connection, tenant), self.name)
                try:
                    after = self.changed(before, pairs)
                except ValidationError as error:
                    words = _in_words(error, {name for name, _ in self.rows(before)})
                    raise Failure(f"{words} (nothing was changed)") from None
                if (lack := self.lacks(after)) is not None and self.lacks(before) is None:
                    raise Failure(f"{lack} (nothing was changed)")
                was, is_ = dict(self.rows(before)), dict(self.rows(after))
                names = sorted(was.keys() | is_.keys())
                news = {name: is_.get(name, "") for name in names if was.get(name) != is_.get(name)}
                if news:
                    book: Any = {self.name: after}
                    await house_rules.write(connection, tenant, **book)
                    await audit.record(
                        connection,
                        tenant=tenant,
                        actor=actor(),
                        action=self.action,
                        subject=tenant,
                        now=system_clock(),
                        **news,
                    )
                return Change(after, {each: (was.get(each, ""), to) for each, to in news.items()})

        return app.run(write)

    def changed(self, before: B, pairs: Sequence[str]) -> B:
        """The book with other values.

        Raises:
            BadParameter: there is no such rule, or the value is none of it.
            ValidationError: a value is out of its range.
        """
        values: dict[str, Any] = before.model_dump(mode="json")
        for pair in pairs:
            name, equals, text = (each.strip() for each in pair.partition("="))
            hint = "NAME=VALUE"
            if not equals:
                raise click.BadParameter(f"{pair!r}: write it as {hint}", param_hint=hint)
            try:
                self.put(values, name, text)
            except ValueError as error:
                raise click.BadParameter(f"{name}: {error}", param_hint=hint) from None
        return type(before).model_validate(values)

    def show_change(self, change: Change[B], *, as_json: bool) -> None:
        """Show what is another than before, and then all of it."""
        if not as_json:
            for name, (was, is_) in change.news.items():
                note(f"{name}: {was or 'none'} -> {is_ or 'none'}")
            if not change.news:
                note("nothing is another than before")
        self.show(change.book, as_json=as_json)

    def show(self, book: B, *, as_json: bool) -> None:
        """Show all of it."""
        if as_json:
            show_json(book.model_dump(mode="json"))
        else:
            show_table(("rule", "value"), self.rows(book), empty="no rules")


def _in_words(error: ValidationError, names: Collection[str]) -> str:
    """What is wrong with which rules, each called as `show` lists it."""
    told = []
    for each in error.errors(include_url=False, include_context=False):
        name = ".".join(str(part).replace("_", "-") for part in each["loc"])
        if name not in names:  # spans of time are written as such, and kept in seconds
            name = name.removesuffix("-s")
        what = each["msg"].removeprefix("Value error, ")
        if not name:  # what rules want of each other, said by the names of their fields
            for rule in names:
                what = what.replace(rule.replace("-", "_"), rule)
        what = f"{what[:1].lower()}{what[1:]}"
        told.append(f"{name}: {what}" if name else what)
    return "; ".join(told)
