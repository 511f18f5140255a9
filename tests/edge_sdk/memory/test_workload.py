"""What headers say of weights that are quantized in blocks, on a model made for the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest

from edge_sdk.bundle import inspection, open_bundle
from edge_sdk.memory.workload import workload

schema = pytest.importorskip("ai_edge_litert.schema_py_generated", exc_type=ImportError)
ROWS, COLUMNS, BLOCK = 64, 96, 32


@pytest.fixture
def blocks(tmp_path: Path) -> Path:
    """Write a model that multiplies by INT4 weights with a scale for each block of 32."""
    kinds = schema.TensorType
    parameters = schema.QuantizationParametersT(
        detailsType=schema.QuantizationDetails.BlockwiseQuantization,
        details=schema.BlockwiseQuantizationT(scales=2, zeroPoints=-1, blockSize=BLOCK),
    )
    tensors = [
        schema.TensorT(shape=[1, COLUMNS], type=kinds.FLOAT32, name="x"),
        schema.TensorT(shape=[ROWS, COLUMNS], type=kinds.INT4, buffer=1, name="weights", quantization=parameters),
        schema.TensorT(shape=[ROWS, COLUMNS // BLOCK], type=kinds.FLOAT16, buffer=2, name="scales"),
        schema.TensorT(shape=[1, ROWS], type=kinds.FLOAT32, name="y"),
    ]
    operator = schema.OperatorT(inputs=[0, 1, -1], outputs=[3])
    code = schema.BuiltinOperator.FULLY_CONNECTED
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code)],
        subgraphs=[schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[3], operators=[operator])],
        buffers=[schema.BufferT(data=np.zeros(size, np.uint8)) for size in (0, ROWS * COLUMNS // 2, 2 * ROWS * 3)],
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "blocks.tflite"
    path.write_bytes(bytes(builder.Output()))
    return path


def test_int4_takes_half_a_byte_and_the_scales_of_its_blocks_are_packed_with_it(blocks: Path) -> None:
    with open_bundle(blocks) as bundle:
        (graph,) = workload(bundle, bundle.sections[0].name)
    assert sorted(graph.weights.values()) == [2 * ROWS * COLUMNS // BLOCK, ROWS * COLUMNS // 2]
    assert graph.table_bytes == 0


@pytest.fixture
def sharing(tmp_path: Path) -> Path:
    """Write a model of three runs: two share a cache of 8, of which one looks at 4 places; one has a cache of 16."""
    made: list[Any] = []
    signatures: list[Any] = []
    float32, sizes = schema.TensorType.FLOAT32, {"begin": (8, 4), "prefill": (8, 8), "long": (16, 16)}
    for place, (name, (length, sees)) in enumerate(sizes.items()):
        shapes = {"kv": [1, length, 2], "mask": [1, 1, 1, sees], "kv_after": [1, length, 2]}
        tensors = [schema.TensorT(shape=shape, type=float32, name=key) for key, shape in shapes.items()]
        operator = schema.OperatorT(inputs=[0, 1], outputs=[2])
        made.append(schema.SubGraphT(tensors=tensors, inputs=[0, 1], outputs=[2], operators=[operator]))
        ends = [
            [schema.TensorMapT(name=key, tensorIndex=index) for key, index in end]
            for end in ((("kv", 0), ("mask", 1)), (("kv", 2),))
        ]
        signatures.append(schema.SignatureDefT(inputs=ends[0], outputs=ends[1], signatureKey=name, subgraphIndex=place))
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT()],
        subgraphs=made,
        buffers=[schema.BufferT()],
        signatureDefs=signatures,
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "sharing.tflite"
    path.write_bytes(bytes(builder.Output()))
    return path


def test_a_run_that_looks_at_the_beginning_of_a_cache_is_one_of_that_cache(
    sharing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "_DECODER", "tflite")
    with open_bundle(sharing) as bundle:
        lengths = {graph.signature: graph.cache_length for graph in workload(bundle, bundle.sections[0].name)}
        assert inspection.cache_lengths(bundle) == (8, 16)
    assert lengths == {"begin": 8, "prefill": 8, "long": 16}
