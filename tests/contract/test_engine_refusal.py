"""What no engine may run: models for something else, damaged ones, and what is none; and none ends the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk.errors import BundleError, ModelError
from edge_sdk.runtime import open_model


@pytest.mark.parametrize(
    ("name", "why", "fix"),
    [
        ("mobilenet_v1_0.25_128_quant_edgetpu", "edgetpu-custom-op", "Coral Edge TPU"),
        ("person_detect_vela", "ethos-u", "Arm Ethos-U"),
        ("posenet_mobilenet_v1_075_353_481_16_quant_decoder", "PosenetDecoderOp", "built-in operators"),
        ("audio_preprocessor_int8", "SignalWindow", "built-in operators"),
        ("model_invoking_error", "fake-op-double", "built-in operators"),
        ("person_detect_int8", "quantized_dimension", "Convert the model again"),
    ],
)
def test_a_model_for_something_else_is_refused_with_what_to_do(
    material: Path, engine: str, name: str, why: str, fix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = material / "models" / "negative" / f"{name}.tflite"
    with pytest.raises(ModelError) as caught:
        open_model(file, engine=engine)
    assert str(file) in caught.value.what
    assert why in (caught.value.why or "")
    assert fix in (caught.value.fix or "")
    assert capfd.readouterr().err == ""


def test_a_truncated_file_names_the_file(material: Path, engine: str, tmp_path: Path) -> None:
    whole = (material / "models" / "mnist_quantized.tflite").read_bytes()
    file = tmp_path / "cut.tflite"
    for kept in range(0, len(whole), len(whole) // 50):
        file.write_bytes(whole[:kept])
        with pytest.raises(BundleError, match=r"cut\.tflite"):
            open_model(file, engine=engine)


def test_a_region_outside_of_the_file_is_refused(material: Path, engine: str) -> None:
    file = material / "models" / "mnist_quantized.tflite"
    for offset, size in ((0, 60_000), (60_000, None), (-1, None), (10, 0), (54_000, 1_000)):
        with pytest.raises(BundleError, match=r"mnist_quantized\.tflite is too short"):
            open_model(file, offset=offset, size=size, engine=engine)
    with pytest.raises(BundleError, match=r"no TFLite model"):
        open_model(file, offset=64, engine=engine)
    with pytest.raises(BundleError, match=r"no model file at"):
        open_model(file.parent, engine=engine)


def test_an_unknown_engine_lists_the_known_ones(material: Path) -> None:
    with pytest.raises(ModelError, match=r"no engine 'onnx'") as caught:
        open_model(material / "models" / "mnist_quantized.tflite", engine="onnx")
    assert "auto, litert, interpreter" in str(caught.value)


DAMAGED = """
import random, sys
from pathlib import Path
from edge_sdk.errors import EdgeError
from edge_sdk.runtime import open_model

whole, file, engine = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2]), sys.argv[3]
chance, refused = random.Random(4), 0

def cases():
    for place in range(200):
        yield whole[: len(whole) * place // 200]
    for _ in range(100):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            damaged[chance.randrange(1024)] ^= 1 << chance.randrange(8)
        yield bytes(damaged)

for damaged in cases():
    file.write_bytes(damaged)
    try:
        with open_model(file, engine=engine, threads=1) as model:
            for name in model.signatures:
                model.bind(name)()
    except EdgeError as error:
        assert str(file) in str(error), error
        refused += 1
print(refused)
"""


@pytest.mark.parametrize("name", ["mnist_quantized", "conv_fc_mnist_srq_a8w8"])
def test_a_model_cut_off_or_with_flipped_bits_never_ends_the_process(
    material: Path, engine: str, name: str, tmp_path: Path
) -> None:
    model, file = material / "models" / f"{name}.tflite", tmp_path / "damaged.tflite"
    ended = subprocess.run(
        [sys.executable, "-c", DAMAGED, str(model), str(file), engine], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert int(ended.stdout) > 200  # all that were cut off, and many more
