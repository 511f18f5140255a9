from __future__ import annotations

import builtins
import pickle

import pytest

import edge_sdk.errors
from boards.errors import EdgeError
from edge_sdk.errors import BundleError


def test_an_error_says_what_why_and_what_to_do() -> None:
    error = EdgeError("No camera.", why="Nothing is plugged in.", fix="Plug one in.")
    assert str(error) == "No camera.\n  why: Nothing is plugged in.\n  fix: Plug one in."
    assert str(EdgeError("No camera.")) == "No camera."


def test_an_error_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(BundleError("Cut off.", why="No end.", fix="Copy it again.")))
    assert isinstance(error, BundleError)
    assert (error.what, error.why, error.fix) == ("Cut off.", "No end.", "Copy it again.")


@pytest.mark.parametrize("name", [n for n in edge_sdk.errors.__all__ if n != "EdgeError"])
def test_every_error_is_also_the_builtin_that_fits(name: str) -> None:
    kind = getattr(edge_sdk.errors, name)
    assert issubclass(kind, EdgeError)
    builtin = [
        base
        for base in kind.__mro__
        if base.__module__ == "builtins" and base not in (Exception, BaseException, object)
    ]
    assert builtin
    assert all(getattr(builtins, base.__name__) is base for base in builtin)
