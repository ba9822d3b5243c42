"""`heard contract`: every message, for other programs."""

from __future__ import annotations

import click

from cli.grammar import Command
from cli.printing import say, show_json


@click.command(cls=Command)
@click.option("--jsonschema", "form", flag_value="jsonschema", help="JSON Schema 2020-12.")
@click.option("--typescript", "form", flag_value="typescript", help="TypeScript types.")
@click.option(
    "--asyncapi", "form", flag_value="asyncapi", default=True, help="AsyncAPI 3.0, the default."
)
def contract(form: str) -> None:
    """Print the contract: every message with its topic and payload.

    Examples:
      heard contract > asyncapi.json
      heard contract --jsonschema
      heard contract --typescript > heard.ts
    """
    from schemas import asyncapi, json_schema, typescript  # noqa: PLC0415 - they build on import

    if form == "jsonschema":
        show_json(json_schema.schemas())
    elif form == "typescript":
        say(typescript.types().rstrip("\n"))
    else:
        show_json(asyncapi.document())
