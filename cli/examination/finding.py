"""A finding: what was looked at, what is wrong, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass

from cli.failures import explain


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: its name.
        ok: whether it is as it should be; None where it could not be looked at.
        says: what was found.
        mend: the command that mends it.
    """

    what: str
    ok: bool | None
    says: str
    mend: str | None = None


def good(what: str, says: str) -> Finding:
    """It is as it should be."""
    return Finding(what, True, says)  # noqa: FBT003 - the field's own value


def bad(what: str, says: str, mend: str) -> Finding:
    """It is not as it should be."""
    return Finding(what, False, says, mend)  # noqa: FBT003 - the same


def why(error: BaseException) -> str:
    """One line on an error."""
    return explain(error) or f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
