"""`heard completion`: the shell finishes words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cli.failures import Failure
from cli.grammar import Command
from cli.printing import say

SHELLS = ["bash", "zsh", "fish"]


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, *, shell: str) -> None:
    """Print the completion for your shell, to be read by its start-up file.

    Examples:
      heard completion bash >> ~/.bashrc
      heard completion zsh > ~/.zfunc/_heard
      heard completion fish > ~/.config/fish/completions/heard.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise Failure(f"there is no completion for {shell}: there is one for {', '.join(SHELLS)}")
    root = context.find_root().command
    say(found(root, {}, "heard", "_HEARD_COMPLETE").source().rstrip("\n"))
