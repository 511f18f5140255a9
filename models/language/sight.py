"""An untrained vision encoder and adapter: what they see means nothing, and they cost next to nothing."""

from __future__ import annotations

import numpy as np

from models.language.graph import Graph, Value
from models.language.weight import Weight, int8_weight

__all__ = ["PICTURE_PX", "build_adapter", "build_encoder"]

# 16 x 16 squares of 16 x 16 pixels: 256 visual tokens.
PICTURE_PX, _SQUARE_PX = 256, 16
_POINTS = (PICTURE_PX // _SQUARE_PX) ** 2
_FEATURES = 320


def build_encoder() -> Graph:
    """Make the graph from ``images (1, 256, 256, 3)`` to ``features (1, 256, 320)``."""
    graph = Graph("vision_encoder")
    squares = graph.blocks(graph.input("images", (1, PICTURE_PX, PICTURE_PX, 3)), _SQUARE_PX)
    points = graph.reshape(squares, (1, _POINTS, squares.shape[-1]))
    hidden = graph.linear(points, _drawn("look", _FEATURES, squares.shape[-1]))
    graph.outputs["features"] = graph.linear(_bend(graph, hidden), _drawn("see", _FEATURES, _FEATURES))
    return graph


def build_adapter(width: int) -> Graph:
    """Make the graph from ``soft_tokens (1, 256, 320)`` to ``mm_embedding (1, 256, width)``."""
    graph = Graph("vision_adapter")
    seen = graph.input("soft_tokens", (1, _POINTS, _FEATURES))
    graph.outputs["mm_embedding"] = graph.linear(_bend(graph, seen), _drawn("tell", width, _FEATURES))
    return graph


def _bend(graph: Graph, x: Value) -> Value:
    return graph.mul(x, graph.logistic(x))


def _drawn(name: str, outputs: int, inputs: int) -> Weight:
    """Draw weights that keep the size of what goes through them; the same ones each time."""
    draw = np.random.default_rng([len(name), outputs, inputs]).standard_normal((outputs, inputs), np.float32)
    return int8_weight(name, draw / np.float32(inputs**0.5))
