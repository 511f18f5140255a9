from __future__ import annotations

import sys

import pytest

import boards.requirement
from boards import Cluster, EdgeError, Processor
from edge_sdk.runtime.interpreter import _interpreter_module
from edge_sdk.runtime.litert_library import _load


@pytest.fixture
def old_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process believe that its processor is one that the engines' wheels were not built for."""
    python = "aarch64" if sys.maxsize > 2**32 else "armv7l"
    weak = Processor(python, (Cluster("weak", 1, frozenset({"fp"})),))
    monkeypatch.setattr(boards.requirement, "this_processor", lambda: weak)


@pytest.mark.usefixtures("old_processor")
def test_an_engine_that_would_die_of_sigill_is_not_loaded() -> None:
    with pytest.raises(EdgeError, match=r"ai-edge-litert needs asimd, which 1 x weak does not have"):
        _load.__wrapped__()
    with pytest.raises(EdgeError, match=r"tflite-runtime needs (asimd|neon and vfpv4), which 1 x weak does not have"):
        _interpreter_module()
