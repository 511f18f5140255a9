from __future__ import annotations

import subprocess
import sys

import pytest

import edge_sdk

HEAVY = ("numpy", "cv2", "ai_edge_litert", "tflite_runtime", "click", "jinja2", "sentencepiece", "google.protobuf")


def test_importing_the_sdk_loads_nothing_heavy() -> None:
    code = f"import sys, edge_sdk; print([m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


@pytest.mark.parametrize("name", edge_sdk.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(edge_sdk, name)
    assert name == "__version__" or (value.__doc__ and len(value.__doc__) > 20)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = edge_sdk.nothing  # type: ignore[attr-defined]
