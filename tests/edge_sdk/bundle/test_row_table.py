"""The table that tokens are looked up in is found, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
import pytest

from edge_sdk.bundle.row_table import row_table
from edge_sdk.errors import BundleError

schema = pytest.importorskip("ai_edge_litert.schema_py_generated", exc_type=ImportError)
INT8, INT32 = 9, 2
LOOK_UP, MULTIPLY = schema.BuiltinOperator.EMBEDDING_LOOKUP, schema.BuiltinOperator.FULLY_CONNECTED
ROWS = np.arange(12, dtype=np.uint8)


def model(*codes: int, rows: int = 3, buffer: int = 1, operands: tuple[int, ...] = (0, 1)) -> memoryview:
    """Make graphs of one operator each, which share three rows of four bytes."""
    made: list[Any] = []
    for place in range(len(codes)):
        tensors = [
            schema.TensorT(shape=[2], type=INT32, buffer=0, name="in"),
            schema.TensorT(shape=[rows, 4], type=INT8, buffer=buffer, name="table"),
            schema.TensorT(shape=[2, 4], type=INT8, buffer=0, name="out"),
        ]
        operator = schema.OperatorT(opcodeIndex=place, inputs=list(operands), outputs=[2])
        made.append(schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[2], operators=[operator]))
    listed = [schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code) for code in codes]
    buffers = [schema.BufferT(), schema.BufferT(data=ROWS)]
    builder = flatbuffers.Builder(1024)
    whole = schema.ModelT(version=3, operatorCodes=listed, subgraphs=made, buffers=buffers)
    builder.Finish(whole.Pack(builder), file_identifier=b"TFL3")
    return memoryview(bytes(builder.Output()))


@pytest.mark.parametrize("codes", [(LOOK_UP,), (MULTIPLY, LOOK_UP)])
def test_the_rows_are_where_it_says(codes: tuple[int, ...]) -> None:
    view = model(*codes)
    table = row_table(view, "some.tflite")
    assert table is not None
    assert (table.rows, table.row_bytes) == (3, 4)
    assert bytes(view[table.begin : table.begin + 12]) == ROWS.tobytes()


@pytest.mark.parametrize(
    "view", [model(MULTIPLY), model(LOOK_UP, buffer=0), model(LOOK_UP, rows=5), model(LOOK_UP, rows=0)]
)
def test_what_has_no_whole_rows_is_no_table(view: memoryview) -> None:
    assert row_table(view, "some.tflite") is None


@pytest.mark.parametrize("view", [model(LOOK_UP, buffer=7), model(LOOK_UP, operands=(0, 9))])
def test_one_that_points_outside_of_its_lists_is_damaged(view: memoryview) -> None:
    with pytest.raises(BundleError, match=r"some\.tflite is damaged"):
        row_table(view, "some.tflite")
