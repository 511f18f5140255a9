from __future__ import annotations

import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest

from edge_sdk.bundle.tflite import TfliteModel, read_tflite
from edge_sdk.errors import BundleError

schema = pytest.importorskip("ai_edge_litert.schema_py_generated", exc_type=ImportError)
DTYPES = {value: name.lower() for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}

QUANTIZED = schema.QuantizationParametersT(scale=[0.5], zeroPoint=[-3])


def small_model(**changes: Any) -> bytes:
    """Return a model of one addition with constant weights, changed as a test wants it."""
    settings: dict[str, Any] = {
        "tensors": [
            schema.TensorT(shape=[2, 3], type=0, buffer=0, name="in"),
            schema.TensorT(shape=[3], type=0, buffer=1, name="weights"),
            schema.TensorT(shape=[2, 3], type=9, buffer=0, name="out", quantization=QUANTIZED),
        ],
        "operators": [schema.OperatorT(opcodeIndex=0, inputs=[0, 1], outputs=[2])],
        "inputs": [0],
        "outputs": [2],
        "weights": np.arange(12, dtype=np.uint8),
        "codes": [schema.OperatorCodeT(deprecatedBuiltinCode=0, builtinCode=0)],
        "signature": schema.SignatureDefT(
            inputs=[schema.TensorMapT(name="x", tensorIndex=0)],
            outputs=[schema.TensorMapT(name="y", tensorIndex=2)],
            signatureKey="add",
            subgraphIndex=0,
        ),
        "version": 3,
    } | changes
    graph = schema.SubGraphT(
        tensors=settings["tensors"],
        inputs=settings["inputs"],
        outputs=settings["outputs"],
        operators=settings["operators"],
        name="main",
    )
    return pack(
        schema.ModelT(
            version=settings["version"],
            operatorCodes=settings["codes"],
            subgraphs=settings.get("graphs", [graph]),
            buffers=[schema.BufferT(), schema.BufferT(data=settings["weights"])],
            signatureDefs=[settings["signature"]],
            description="made for a test",
            metadata=settings.get("metadata"),
            externalBuffers=settings.get("externals"),
        )
    )


def pack(model: Any) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def read(data: bytes, name: str = "small.tflite") -> TfliteModel:
    return read_tflite(memoryview(data), name)


def all_models(material: Path) -> Iterator[Path]:
    yield from sorted([*material.glob("models/*.tflite"), *material.glob("models/negative/*.tflite")])
    yield from sorted(material.glob("bundles/litert_lm_testdata/*.tflite"))


def test_a_small_model_tells_all_of_itself() -> None:
    model = read(small_model())
    assert model.description == "made for a test"
    (graph,) = model.subgraphs
    assert graph.name == "main"
    assert dict(graph.operators) == {"ADD": 1}
    assert dict(graph.weights) == {"float32": 1}
    assert dict(graph.activations) == {"float32": 1, "qint8": 1}
    (signature,) = model.signatures.values()
    assert (signature.name, signature.subgraph, list(signature.inputs)) == ("add", 0, ["x"])
    out = signature.outputs["y"]
    assert (out.name, out.shape, out.dtype, out.scale, out.zero_point) == ("out", (2, 3), "int8", 0.5, -3)


def test_many_graphs_with_many_operators_to_choose_from_take_no_room_for_what_might_be() -> None:
    """Of 100 000 each there are 10^10 pairs, which a file of 1 MB can claim: all may be one record."""
    count = 1000
    codes = [schema.OperatorCodeT(deprecatedBuiltinCode=0, builtinCode=0) for _ in range(count)]
    graph = schema.SubGraphT(
        tensors=[schema.TensorT(shape=[1], type=0, buffer=0, name="a")],
        inputs=[0],
        outputs=[0],
        operators=[schema.OperatorT(opcodeIndex=count - 1, inputs=[0], outputs=[0])],
    )
    signature = schema.SignatureDefT(
        inputs=[schema.TensorMapT(name="x", tensorIndex=0)],
        outputs=[schema.TensorMapT(name="y", tensorIndex=0)],
        signatureKey="copy",
        subgraphIndex=0,
    )
    data = small_model(codes=codes, graphs=[graph] * count, signature=signature)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    model = read(data)
    taken = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert [dict(item.operators) for item in model.subgraphs] == [{"ADD": 1}] * count
    assert taken < 8 * count * count


def test_ends_and_operators_are_those_that_the_generated_classes_read(material: Path) -> None:
    count = 0
    for path in all_models(material):
        data = path.read_bytes()
        model, expected = read(data, str(path)), schema.ModelT.InitFromPackedBuf(data, 0)
        for graph, other in zip(model.subgraphs, expected.subgraphs, strict=True):
            for found, indices in ((graph.inputs, other.inputs), (graph.outputs, other.outputs)):
                tensors = [other.tensors[index] for index in indices]
                assert [item.name for item in found] == [(item.name or b"").decode() for item in tensors]
                assert [item.dtype for item in found] == [DTYPES[item.type] for item in tensors]
                for item, tensor in zip(found, tensors, strict=True):
                    shape = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
                    assert list(item.shape) == ([] if shape is None else list(shape))
            assert sum(graph.operators.values()) == len(other.operators or [])
            assert sum(graph.weights.values()) + sum(graph.activations.values()) == len(other.tensors)
            count += 1
    assert count > 30


def test_operators_have_the_names_of_the_schema() -> None:
    for code in range(0, max(OPERATORS) + 1, 7):
        codes = [schema.OperatorCodeT(deprecatedBuiltinCode=min(code, 127), builtinCode=code)]
        name = OPERATORS[code]
        expected = "" if name == "CUSTOM" else name
        assert list(read(small_model(codes=codes)).subgraphs[0].operators) == [expected]


def test_a_custom_operator_goes_by_its_own_name(material: Path) -> None:
    path = material / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"
    assert "TFLite_Detection_PostProcess" in read(path.read_bytes()).subgraphs[0].operators


def test_the_tensors_of_eight_bits_are_as_many_as_were_counted_by_hand(material: Path) -> None:
    table = re.findall(
        r"^\| (\S+\.tflite) \|.*\| (\d+) \| (\d+)/(\d+) \|", (material / "models/CHECK.md").read_text(), re.MULTILINE
    )
    assert len(table) > 15
    for name, operators, narrow, total in table:
        graph = read((material / "models" / name).read_bytes(), name).subgraphs[0]
        tensors = graph.weights, graph.activations
        found = sum(side.get(kind, 0) for side in tensors for kind in ("int8", "uint8", "qint8", "quint8"))
        # The runtime counts what a delegate adds: its operators and tensors come on top.
        assert found == int(narrow), name
        assert sum(sum(side.values()) for side in tensors) == int(total), name
        assert sum(graph.operators.values()) == int(operators), name


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"inputs": [3]}, "tensor 3 of 3"),
        ({"outputs": [-1]}, "tensor -1 of 3"),
        ({"operators": [schema.OperatorT(opcodeIndex=1, inputs=[0], outputs=[2])]}, "operator 1 of 1"),
        ({"operators": [schema.OperatorT(opcodeIndex=0, inputs=[0, 3], outputs=[2])]}, "uses tensor 3"),
        ({"operators": [schema.OperatorT(opcodeIndex=0, inputs=[-2], outputs=[2])]}, "uses tensor -2"),
        ({"codes": [schema.OperatorCodeT(deprecatedBuiltinCode=127, builtinCode=9999)]}, "operator 9999"),
        ({"weights": np.zeros(11, np.uint8)}, "needs 12 bytes; its buffer has 11"),
        ({"version": 2}, "version 2"),
        ({"graphs": []}, "no graph"),
        ({"metadata": [schema.MetadataT(name="m", buffer=2)]}, "buffer 2 of 2"),
        ({"signature": schema.SignatureDefT(signatureKey="f", subgraphIndex=1)}, "graph 1 of 1"),
    ],
)
def test_what_points_outside_is_refused_with_the_reason(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(BundleError, match=r"small\.tflite is damaged") as error:
        read(small_model(**changes))
    assert why in str(error.value.why)


@pytest.mark.parametrize(
    "tensor", [{"buffer": 2}, {"type": 23}, {"shape": [-2]}, {"shape": [2**31 - 1] * 2}, {"shape": [1] * 9}]
)
def test_a_tensor_that_cannot_be_is_refused(tensor: dict[str, Any]) -> None:
    wrong = schema.TensorT(**({"shape": [2, 3], "type": 0, "buffer": 0, "name": "in"} | tensor))
    with pytest.raises(BundleError, match=r"small\.tflite is damaged"):
        read(small_model(tensors=[wrong] * 3))


def test_weights_in_a_file_of_their_own_go_by_their_number() -> None:
    tensors = [
        schema.TensorT(shape=[2, 3], type=0, buffer=0, name="in"),
        schema.TensorT(shape=[3], type=9, buffer=0, name="weights", externalBuffer=700),
        schema.TensorT(shape=[2, 3], type=0, buffer=0, name="out"),
    ]
    listed = [schema.ExternalBufferT(id=700, group=0, offset=0, length=3)]
    assert dict(read(small_model(tensors=tensors, externals=listed)).subgraphs[0].weights) == {"int8": 1}
    with pytest.raises(BundleError, match=r"small\.tflite is damaged") as error:
        read(small_model(tensors=tensors))
    assert "external buffer" in str(error.value.why)


def test_an_operand_may_be_left_out() -> None:
    operators = [schema.OperatorT(opcodeIndex=0, inputs=[0, -1], outputs=[2])]
    assert dict(read(small_model(operators=operators)).subgraphs[0].operators) == {"ADD": 1}


def test_a_side_that_may_be_resized_shows_as_minus_one() -> None:
    tensors = [
        schema.TensorT(shape=[1, 3], shapeSignature=[-1, 3], type=0, buffer=0, name="in"),
        schema.TensorT(shape=[3], type=0, buffer=1, name="weights"),
        schema.TensorT(shape=[1, 3], type=0, buffer=0, name="out"),
    ]
    assert read(small_model(tensors=tensors)).subgraphs[0].inputs[0].shape == (-1, 3)


def test_a_graph_listed_half_a_million_times_is_refused_before_it_fills_the_memory() -> None:
    model = small_model()
    root = int.from_bytes(model[:4], "little")
    vtable = root - int.from_bytes(model[root : root + 4], "little", signed=True)
    field = root + int.from_bytes(model[vtable + 8 : vtable + 10], "little")
    graphs = field + int.from_bytes(model[field : field + 4], "little")
    graph = graphs + 4 + int.from_bytes(model[graphs + 4 : graphs + 8], "little")
    # Offsets only lead forward: a list behind the model, and a copy of the model with the graph behind that.
    count = 600_000
    start = len(model) + -len(model) % 4
    copy = start + 4 + 4 * count
    places = start + 4 + 4 * np.arange(count)
    data = bytearray(model).ljust(start, b"\0") + count.to_bytes(4, "little")
    data += (copy + graph - places).astype("<u4").tobytes() + model
    data[field : field + 4] = (start - field).to_bytes(4, "little")
    with pytest.raises(BundleError, match=r"small\.tflite is damaged") as error:
        read(bytes(data))
    assert "500000 records" in str(error.value.why)


def test_what_is_no_model_is_refused_with_its_first_bytes() -> None:
    for data in (b"", b"TFL3", b"\x1c\x00\x00\x00TFL2" + bytes(100), b"<!DOCTYPE html>" + bytes(100)):
        with pytest.raises(BundleError, match=r"page\.tflite is no TFLite model") as error:
            read(data, "page.tflite")
        assert f"{len(data)} bytes" in str(error.value.why)
