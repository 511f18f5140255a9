"""Cut an encoder's first step off, so that it takes a camera's 8-bit pixels as they are.

The first thing that the quantized encoder does is to turn floats into the 8-bit numbers that the picture came from.
Cameras and OpenCV order a pixel blue, green, red; turning the first layer's weights around once is cheaper than turning
every frame. LiteRT-LM hands floats over, and stops at an encoder with two signatures: so this is a section of its own.
"""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_CHANNELS = 3


def take_pixels(model: bytes) -> bytes:
    """Make an encoder begin behind its QUANTIZE, with blue first.

    Parameters
    ----------
    model : bytes
        A ``.tflite`` file of one graph.

    Returns
    -------
    bytes
        The same with the input ``(1, H, W, 3) int8, BGR``: a pixel's value less 128.

    Raises
    ------
    ValueError
        The model has several graphs, or begins otherwise.
    """
    whole = schema.ModelT.InitFromPackedBuf(model, 0)
    if len(whole.subgraphs) != 1 or len(whole.signatureDefs) != 1:
        raise ValueError("The encoder has several graphs.")
    graph, signature = whole.subgraphs[0], whole.signatureDefs[0]
    first = graph.operators.pop(0)
    if whole.operatorCodes[first.opcodeIndex].builtinCode != schema.BuiltinOperator.QUANTIZE:
        raise ValueError("The encoder does not begin by quantizing its input.")
    graph.inputs = [int(first.outputs[0])]
    signature.inputs[0].tensorIndex = graph.inputs[0]
    outside = [buffer for buffer in whole.buffers if buffer.offset > 1]
    blobs = [model[buffer.offset : buffer.offset + buffer.size] for buffer in outside]
    weights = _first_weights(whole)
    if weights in outside:
        place = outside.index(weights)
        blobs[place] = _turned(blobs[place])
    else:
        weights.data = list(_turned(bytes(weights.data)))
    return _packed(whole, outside, blobs)


def _first_weights(whole: schema.ModelT) -> schema.BufferT:
    """Find the weights ``(outputs, rows, columns, 3)`` of the convolution that takes the picture, padded or not."""
    graph = whole.subgraphs[0]
    picture, code = graph.inputs[0], schema.BuiltinOperator.PAD
    while code in (schema.BuiltinOperator.PAD, schema.BuiltinOperator.PADV2):
        (taker,) = (operator for operator in graph.operators if picture in operator.inputs)
        picture, code = taker.outputs[0], whole.operatorCodes[taker.opcodeIndex].builtinCode
    weights = graph.tensors[taker.inputs[1]]
    if code != schema.BuiltinOperator.CONV_2D or weights.shape[-1] != _CHANNELS:
        raise ValueError("The encoder's picture does not go into a convolution of three channels.")
    if weights.type != schema.TensorType.INT8:
        raise ValueError("The encoder's first convolution does not have 8-bit weights.")
    return whole.buffers[weights.buffer]


def _turned(weights: bytes) -> bytes:
    return np.frombuffer(weights, np.int8).reshape(-1, _CHANNELS)[:, ::-1].tobytes()


def _packed(whole: schema.ModelT, outside: list[schema.BufferT], blobs: list[bytes]) -> bytes:
    """Write the tables, and behind them the weights, where the tables say: each at a multiple of 16 bytes."""
    place = _aligned(len(_tables(whole)))
    for buffer, blob in zip(outside, blobs, strict=True):
        buffer.offset, place = place, _aligned(place + len(blob))
    out = bytearray(_tables(whole))  # as long as before: a place is a number of fixed width
    for buffer, blob in zip(outside, blobs, strict=True):
        out += bytes(buffer.offset - len(out)) + blob
    return bytes(out)


def _tables(whole: schema.ModelT) -> bytes:
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _aligned(place: int) -> int:
    return -(-place // 16) * 16
