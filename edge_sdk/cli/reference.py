"""Writes the reference of the command line from the commands themselves: ``python -m edge_sdk.cli.reference``."""

from __future__ import annotations

from collections.abc import Iterator

import click

from edge_sdk.cli.main import edge

__all__ = ["reference"]


def reference() -> str:
    """Give the whole help of every command as one Markdown page."""
    parts = ["# The command line", "", "Written by `make docs` from the commands themselves.", ""]
    for context in _contexts(edge, click.Context(edge, info_name="edge", terminal_width=100, **edge.context_settings)):
        parts += [f"## {context.command_path}", "", "```text", context.get_help(), "```", ""]
    return "\n".join(parts)


def _contexts(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _contexts(child, click.Context(child, parent=context, info_name=name, terminal_width=100))


if __name__ == "__main__":
    click.echo(reference(), nl=False)
