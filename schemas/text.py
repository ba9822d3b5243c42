"""Text for people: without the control characters that no one can read.

A NUL is text to JSON but not to PostgreSQL, and an escape sequence would steer the
terminal of whoever looks at an order. Both are refused where they come in.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import StringConstraints

_ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f]*$"
_MORE_LINES: Final = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"
"""The same, but for tabs and the ends of lines."""

Line32: TypeAlias = Annotated[str, StringConstraints(max_length=32, pattern=_ONE_LINE)]
Line64: TypeAlias = Annotated[str, StringConstraints(max_length=64, pattern=_ONE_LINE)]
Line120: TypeAlias = Annotated[str, StringConstraints(max_length=120, pattern=_ONE_LINE)]
"""One line of at most so many characters."""

MAX_REMARK: Final = 280
Remark: TypeAlias = Annotated[str, StringConstraints(max_length=MAX_REMARK, pattern=_MORE_LINES)]
"""What a person writes to another: it may have lines."""
