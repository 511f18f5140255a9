"""An encoder that takes pixels as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pixels import take_pixels

from edge_sdk.bundle import find_bundle, open_bundle
from edge_sdk.runtime import open_model


@pytest.fixture(scope="module")
def parts() -> dict[str, bytes]:
    """Give the models of the shipped bundle."""
    with open_bundle(find_bundle("smear")) as bundle:
        return {s.name: bytes(bundle.view(s)) for s in bundle.sections if s.is_model}


def run(path: Path, value: np.ndarray) -> np.ndarray:
    with open_model(path, threads=1) as model:
        look = model.bind()
        (given,), (made,) = look.inputs.values(), look.outputs.values()
        given[:] = value
        look()
        return made.copy()


def test_pixels_give_the_very_features_that_floats_give(parts: dict[str, bytes], tmp_path: Path) -> None:
    floats, whole = tmp_path / "floats.tflite", tmp_path / "pixels.tflite"
    floats.write_bytes(parts["tf_lite_vision_encoder"])
    whole.write_bytes(take_pixels(parts["tf_lite_vision_encoder"]))
    rgb = np.random.default_rng(6).integers(0, 256, (1, 288, 288, 3), dtype=np.uint8)
    features = run(floats, rgb.astype(np.float32) / 255)
    assert features.any()
    bgr = rgb[..., ::-1]
    assert np.array_equal(run(whole, (bgr.astype(np.int16) - 128).astype(np.int8)), features)


def test_a_model_of_several_graphs_is_refused(parts: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="several graphs"):
        take_pixels(parts["tf_lite_prefill_decode"])


def test_a_model_that_does_not_begin_by_quantizing_is_refused(parts: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="does not begin by quantizing"):
        take_pixels(parts["tf_lite_vision_adapter"])
