"""Import a module when something of it is first used: what a start does not need costs it neither time nor memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["Late", "LateLogger", "late_names"]


class Late:
    """Stands for a module that is imported with the first of its names.

    Parameters
    ----------
    name : str
        The module's, in full.

    Examples
    --------
    >>> Late("math").floor(2.5)
    2
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)


class LateLogger:
    """Stands for ``logging.getLogger(name)``, at 0.4 MB less where there is nothing to say.

    Nobody hears what is below a warning who has not imported ``logging`` to say so; a warning is always told.

    Parameters
    ----------
    name : str
        The logger's.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, message: str, *values: object) -> None:
        """Tell what helps to find out what happened."""
        if "logging" in sys.modules:
            self._tell("debug", message, values)

    def info(self, message: str, *values: object) -> None:
        """Tell what was decided."""
        if "logging" in sys.modules:
            self._tell("info", message, values)

    def warning(self, message: str, *values: object) -> None:
        """Tell what whoever runs this should know of."""
        self._tell("warning", message, values)

    def _tell(self, level: str, message: str, values: tuple[object, ...]) -> None:
        # The line that is told of is that of who called.
        getattr(import_module("logging").getLogger(self._name), level)(message, *values, stacklevel=3)


def late_names(
    package: str, homes: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Give the ``__getattr__`` and ``__dir__`` of a package whose names are imported when they are first used.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    homes : mapping of str to tuple of str
        The module within it, and the names that it holds.
    """
    home = {name: module for module, names in homes.items() for name in names}

    def find(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{home[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *home})

    return find, names
