"""Arguments that must be able to stand in a topic."""

from __future__ import annotations

from typing import Any, Final

import click

from schemas.devices import Role
from schemas.identifiers import is_slug, slug


class Name(click.ParamType[str]):
    """A name: lower-case letters, digits and hyphens."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it, and propose one that would do."""
        text = str(value)
        if not is_slug(text):
            self.fail(
                f"{text!r} is no name: lower-case letters, digits and hyphens, as {slug(text)!r}",
                param,
                ctx,
            )
        return text


NAME: Final = Name()

ROLES: Final = [role.value for role in Role if role is not Role.SERVICE]
"""What a device may be."""
