"""Weights with a scale for each row are found, for engines that would take all of those for 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import pytest

from edge_sdk.bundle import find_bundle, open_bundle
from edge_sdk.bundle.row_scale import row_scaled

schema = pytest.importorskip("ai_edge_litert.schema_py_generated", exc_type=ImportError)
FLOAT, INT8 = 0, 9
LOOK_UP, MULTIPLY, ADD = (
    schema.BuiltinOperator.__dict__[name] for name in ("EMBEDDING_LOOKUP", "FULLY_CONNECTED", "ADD")
)


def model(*graphs: tuple[int, int, int, bool]) -> memoryview:
    """Make graphs of one operator: its code, how many scales its weights have, its result's type, and an empty bias."""
    made: list[Any] = []
    for place, (_, scales, result, bias) in enumerate(graphs):
        quantized = schema.QuantizationParametersT(scale=[0.5] * scales, zeroPoint=[0] * scales)
        tensors = [
            schema.TensorT(shape=[2], type=FLOAT, buffer=0, name="in"),
            schema.TensorT(shape=[3, 2], type=INT8, buffer=1, name="weights", quantization=quantized),
            schema.TensorT(shape=[3], type=result, buffer=0, name="out"),
        ]
        operator = schema.OperatorT(opcodeIndex=place, inputs=[0, 1, *([-1] if bias else [])], outputs=[2])
        made.append(schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[2], operators=[operator]))
    codes = [schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code) for code, *_ in graphs]
    buffers = [schema.BufferT(), schema.BufferT(data=[0] * 6)]
    builder = flatbuffers.Builder(1024)
    whole = schema.ModelT(version=3, operatorCodes=codes, subgraphs=made, buffers=buffers)
    builder.Finish(whole.Pack(builder), file_identifier=b"TFL3")
    return memoryview(bytes(builder.Output()))


@pytest.mark.parametrize(
    ("graphs", "found"),
    [
        ([(LOOK_UP, 3, FLOAT, False)], ("EMBEDDING_LOOKUP",)),
        ([(MULTIPLY, 3, FLOAT, True)], ("FULLY_CONNECTED",)),
        ([(ADD, 3, FLOAT, False), (MULTIPLY, 1, FLOAT, True), (LOOK_UP, 3, FLOAT, False)], ("EMBEDDING_LOOKUP",)),
        ([(MULTIPLY, 3, FLOAT, False), (LOOK_UP, 3, FLOAT, False)], ("EMBEDDING_LOOKUP", "FULLY_CONNECTED")),
        ([(MULTIPLY, 1, FLOAT, True)], ()),
        ([(MULTIPLY, 3, INT8, True)], ()),
        ([(ADD, 3, FLOAT, False)], ()),
    ],
)
def test_it_names_what_multiplies_real_numbers_by_rows_with_scales(
    graphs: list[tuple[int, int, int, bool]], found: tuple[str, ...]
) -> None:
    assert row_scaled(model(*graphs), "some.tflite") == found


def test_models_that_count_have_none_and_models_that_speak_do() -> None:
    with open_bundle(find_bundle("smear")) as bundle:
        found = {
            name: row_scaled(bundle.view(bundle.section(name)), bundle.label(bundle.section(name)))
            for name in ("tf_lite_pixel_encoder", "tf_lite_aux", "tf_lite_prefill_decode", "tf_lite_embedder")
        }
    assert found["tf_lite_pixel_encoder"] == found["tf_lite_aux"] == ()
    assert "FULLY_CONNECTED" in found["tf_lite_prefill_decode"]


def test_a_model_of_whole_numbers_throughout_has_none(material: Path) -> None:
    file = material / "models" / "mlperf_tiny_resnet8_cifar10_int8.tflite"
    assert row_scaled(memoryview(file.read_bytes()), file.name) == ()
