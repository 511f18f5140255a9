"""Import a module when something of it is first used: what a start does not need costs it neither time nor memory."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["Late"]


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
