"""A group of commands each of which is imported only when it is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import click

__all__ = ["Table"]


class Table(click.Group):
    """A group that imports a command's module only when that command is wanted.

    Parameters
    ----------
    table : mapping of str to (str, str)
        Command -> module and attribute.
    before : function, optional
        Called with a command's name before its module is imported.
    """

    def __init__(
        self,
        *arguments: Any,
        table: Mapping[str, tuple[str, str]],
        before: Callable[[str], object] = str,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **settings)
        self._table, self._before = table, before

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, in alphabetical order."""
        return sorted(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module and give the command."""
        if cmd_name not in self._table:
            return None
        self._before(cmd_name)
        module, attribute = self._table[cmd_name]
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command
