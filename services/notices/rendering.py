"""From templates to text: Jinja2 in a sandbox, Babel for money and times.

A template is an operator's, and what it is filled with may be a guest's. It gets plain
values and may loop, choose and include; it calls nothing, and what it writes is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.lists import format_list
from babel.numbers import format_decimal, parse_pattern
from jinja2 import DictLoader, StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notices.letter import Unusable
from services.notices.view import Money
from services.notices.words import LANGUAGES, LAST_RESORT, PIECES, Words, shipped

MAX_TEMPLATE: Final = 20_000
MAX_TEXT: Final = 20_000
MAX_HEADLINE: Final = 200
MAX_LOOPS: Final = 2
_GROWING: Final[dict[type[nodes.Node], str]] = {
    nodes.Assign: "set names",
    nodes.AssignBlock: "set names",
    nodes.Macro: "have macros",
    nodes.CallBlock: "have macros",
}

_FILTERS: Final = (
    "abs", "capitalize", "default", "first", "int", "join", "last", "length", "lower",
    "round", "sort", "sum", "title", "trim", "truncate", "upper", "wordcount",
)  # fmt: skip
_TOUCHING: Final = re.compile(r"(?<=[^\W\d_])(?=[0-9])")
_WHOLE: Final = (int, float)


class Unrenderable(Unusable):
    """A template cannot be filled in; the message says why."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Nothing is called, and no operator makes much of little."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def is_safe_callable(self, obj: Any) -> bool:
        """Not even what Jinja2 thinks safe: there is nothing to call."""
        del obj
        return False

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Text has methods that make very long text."""
        if isinstance(obj, str | bytes):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Reckon with small numbers alone."""
        numbers = isinstance(left, _WHOLE) and isinstance(right, _WHOLE)
        if operator == "**" or not numbers or abs(left) > 10**15 or abs(right) > 10**15:
            raise Unrenderable(f"{operator} is for numbers alone (text is joined by ~)")
        return super().call_binop(context, operator, left, right)


def render(words: Words, language: str, zone: ZoneInfo, view: Mapping[str, Any]) -> tuple[str, str]:
    """Fill in a template; returns the headline, on one line, and the text.

    Args:
        words: the template.
        language: it is in; money and times are written so.
        zone: the house's.
        view: what it is filled with, see `services.notices.view`.

    Raises:
        Unrenderable: it cannot be.
    """
    environment = _environment(language, zone.key)
    headline = _filled(environment, words.headline, view, 10 * MAX_HEADLINE)
    text = _filled(environment, words.body, view, MAX_TEXT)
    return " ".join(headline.split())[:MAX_HEADLINE], text.strip("\n") + "\n"


def _filled(environment: _Sandbox, source: str, view: Mapping[str, Any], most: int) -> str:
    if len(source) > MAX_TEMPLATE:
        raise Unrenderable(f"a template may have {MAX_TEMPLATE} characters, not {len(source)}")
    pieces: list[str] = []
    length = 0
    try:
        for piece in _compiled(environment, source).generate(view):
            pieces.append(piece)
            length += len(piece)
            if length > most:
                raise Unrenderable(f"it would be longer than {most} characters")  # noqa: TRY301 - the same end as its errors
    except Unrenderable:
        raise
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        where = f"line {line}: " if line else ""
        raise Unrenderable(f"{where}{error.message or type(error).__name__}") from error
    except Exception as error:
        # What a template does with its values may fail in any way there is.
        raise Unrenderable(f"{type(error).__name__}: {str(error)[:200]}") from error
    return "".join(pieces)


@lru_cache(maxsize=512)
def _compiled(environment: _Sandbox, source: str) -> Any:
    _check(environment.parse(source))
    return environment.from_string(source)


def _check(tree: nodes.Template) -> None:
    """See that it ends soon: nothing grows by being set again, and loops stand in few others.

    Raises:
        Unrenderable: it does what might take all the memory, or all the time, there is.
    """
    for kind, what in _GROWING.items():
        if tree.find(kind) is not None:
            raise Unrenderable(f"a template cannot {what}")
    if _depth(tree) > MAX_LOOPS:
        raise Unrenderable(f"loops may stand {MAX_LOOPS} deep in each other")


def _depth(node: nodes.Node) -> int:
    inner = max((_depth(each) for each in node.iter_child_nodes()), default=0)
    return inner + isinstance(node, nodes.For)


@lru_cache(maxsize=256)
def _environment(language: str, zone_name: str) -> _Sandbox:
    zone = ZoneInfo(zone_name)
    locale = _locale(language)
    base = language.partition("-")[0]
    ours = shipped(base if base in LANGUAGES else LAST_RESORT)
    environment = _Sandbox(
        loader=DictLoader({name: ours[name].body for name in PIECES}),
        undefined=StrictUndefined,
        autoescape=False,
        finalize=_finalize(locale, zone),
        keep_trailing_newline=False,
    )
    kept = {name: environment.filters[name] for name in _FILTERS}
    environment.filters.clear()
    environment.globals.clear()
    environment.filters.update(kept | _written(locale, zone))
    return environment


def _locale(language: str) -> Locale:
    for name in (language, language.partition("-")[0], LAST_RESORT):
        try:
            return Locale.parse(name, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    raise Unrenderable(f"no language is called {language}")


def _written(locale: Locale, zone: ZoneInfo) -> dict[str, Callable[..., str]]:
    def time(value: datetime, how: str = "short") -> str:
        return format_time(value, _how(how), tzinfo=zone, locale=locale)

    def date(value: datetime, how: str = "long") -> str:
        return format_date(value.astimezone(zone), _how(how), locale=locale)

    def moment(value: datetime, how: str = "short") -> str:
        return format_datetime(value, _how(how), tzinfo=zone, locale=locale)

    def money_(value: Money) -> str:
        return money(value, locale)

    def number(value: float) -> str:
        return format_decimal(value, locale=locale)

    def listed(value: list[object]) -> str:
        return format_list([str(each) for each in value], locale=locale)

    return {
        "time": time,
        "date": date,
        "moment": moment,
        "money": money_,
        "number": number,
        "listed": listed,
    }


def _how(how: str) -> Any:
    if how not in {"short", "medium", "long", "full"}:
        raise Unrenderable(f"a time is written short, medium, long or full, not {how!r}")
    return how


def _finalize(locale: Locale, zone: ZoneInfo) -> Callable[[Any], Any]:
    def finalize(value: Any) -> Any:
        if isinstance(value, Money):
            return money(value, locale)
        if isinstance(value, datetime):
            return format_datetime(value, "short", tzinfo=zone, locale=locale)
        return "" if value is None else value

    return finalize


def money(amount: Money, locale: Locale) -> str:
    """Write an amount as the language does, with the decimals that its currency has.

    Babel alone would take CLDR's decimals, which are those of cash: none for some
    currencies that are reckoned in hundredths.
    """
    pattern = parse_pattern(locale.currency_formats["standard"].pattern)
    pattern.frac_prec = (amount.places, amount.places)
    written = pattern.apply(amount.decimal, locale, currency=amount.currency, currency_digits=False)
    # CLDR asks for a space between a letter and a number, and Babel gives none: KWD 1.235.
    return _TOUCHING.sub("\N{NO-BREAK SPACE}", str(written))
