"""What an engine would follow blindly in a model is checked first."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import pytest

from edge_sdk.bundle.flatbuffer import FlatReader
from edge_sdk.bundle.soundness import check_soundness
from edge_sdk.bundle.tflite import read_tflite
from edge_sdk.errors import BundleError


@pytest.fixture
def model(material: Path) -> bytearray:
    return bytearray((material / "models" / "mnist_quantized.tflite").read_bytes())


def check(model: bytearray) -> None:
    reader = FlatReader(memoryview(model), "some.tflite")
    with reader.guard():
        check_soundness(reader)


def signature_field(model: bytearray, end: int, field: int) -> int:
    """Return the byte at which a field of the first input or output of the first signature stands."""
    reader = FlatReader(memoryview(model), "some.tflite")
    signature = next(reader.root().tables(7))
    return next(signature.tables(end)).place(field)


def test_every_model_of_the_material_is_sound(material: Path) -> None:
    files = [*(material / "models").glob("*.tflite"), *(material / "models" / "negative").glob("*.tflite")]
    assert len(files) > 20
    for file in files:
        check(bytearray(file.read_bytes()))


def test_a_signature_that_names_an_inner_tensor_as_output_is_refused(model: bytearray) -> None:
    model[signature_field(model, 1, 1)] ^= 8
    with pytest.raises(BundleError, match=r"some\.tflite is damaged") as caught:
        read_tflite(memoryview(model), "some.tflite")
    assert "does not name the ends of its graph" in (caught.value.why or "")


def test_two_outputs_in_the_place_of_an_input_and_an_output_are_refused(model: bytearray) -> None:
    one, other = signature_field(model, 0, 1), signature_field(model, 1, 1)
    model[one : one + 4] = model[other : other + 4]
    with pytest.raises(BundleError):
        read_tflite(memoryview(model), "some.tflite")


def test_a_name_without_its_end_is_refused(model: bytearray) -> None:
    at = signature_field(model, 0, 0)
    text = at + int.from_bytes(model[at : at + 4], "little")
    length = int.from_bytes(model[text : text + 4], "little")
    assert model[text + 4 + length] == 0
    model[text + 4 + length] = 65
    with pytest.raises(BundleError, match=r"damaged"):
        read_tflite(memoryview(model), "some.tflite")


def test_a_quantization_whose_lists_lead_outside_is_refused(model: bytearray) -> None:
    reader = FlatReader(memoryview(model), "some.tflite")
    graph = next(reader.root().tables(2))
    at = next(found.place(3) for tensor in graph.tables(0) if (found := tensor.table(4)) is not None and found.place(3))
    model[at : at + 4] = (len(model) * 2).to_bytes(4, "little")
    with pytest.raises(BundleError, match=r"damaged"):
        check(model)


def test_operator_options_that_lead_outside_are_refused(model: bytearray) -> None:
    reader = FlatReader(memoryview(model), "some.tflite")
    graph = next(reader.root().tables(2))
    at = next(operator.place(4) for operator in graph.tables(3) if operator.place(4))
    model[at : at + 4] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(BundleError, match=r"damaged"):
        check(model)


@pytest.mark.parametrize("place", [(1 << 63) + 16, (1 << 64) - 16])
def test_options_behind_the_tables_that_begin_and_end_beyond_all_are_refused(place: int) -> None:
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated", exc_type=ImportError)
    operator = schema.OperatorT(
        opcodeIndex=0, inputs=[0], outputs=[1], largeCustomOptionsOffset=place, largeCustomOptionsSize=(1 << 64) - place
    )
    tensors = [schema.TensorT(shape=[1], type=0, buffer=0, name=name) for name in "ab"]
    graph = schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[1], operators=[operator])
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(deprecatedBuiltinCode=32, builtinCode=32, customCode="mine")],
        subgraphs=[graph],
        buffers=[schema.BufferT()],
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    with pytest.raises(BundleError) as caught:
        read_tflite(memoryview(bytes(builder.Output())), "some.tflite")
    assert "options of an operator" in (caught.value.why or "")
