"""A Llama-shaped decoder as a graph, every operator of it chosen for the engine.

What a step costs besides reading its weights is the number of operators, each of which takes a microsecond and 4 kB,
and attention, for which the engine copies ("packs") all of the cache. So query and key are one matrix and are turned
together; norms' weights and the attention's scale are part of the matrices behind them; and the queries that share a
key stand in one matrix. What would have to be cut apart again is not put together: of a long prompt that is a copy.

Source: Touvron et al. 2023, arXiv:2302.13971; rotary positions: Su et al. 2021, arXiv:2104.09864; shared keys: Ainslie
et al. 2023, arXiv:2305.13245.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from models.language.graph import Graph, Value
from models.language.weight import Weight

__all__ = ["Layer", "Llama", "Shape", "build_embedder", "build_step"]


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a decoder."""

    width: int
    hidden: int
    layers: int
    heads: int
    key_heads: int
    head_width: int
    vocabulary: int
    rope_theta: float
    epsilon: float


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one layer: query and key, which are turned by position; value; output; gate; up; down."""

    turned: Weight
    value: Weight
    out: Weight
    gate: Weight
    up: Weight
    down: Weight


@dataclass(frozen=True, slots=True)
class Llama:
    """A decoder's shape and weights."""

    shape: Shape
    table: Weight
    layers: tuple[Layer, ...]
    head: Weight


def build_step(
    model: Llama,
    name: str,
    tokens: int,
    length: int,
    *,
    speak: bool,
    last: bool = False,
    sees: int | None = None,
    embedded: bool = False,
    cache: str = "float32",
) -> Graph:
    """Make the graph that runs tokens behind what the caches hold.

    Parameters
    ----------
    model : Llama
        What to run.
    name : str
        The signature's.
    tokens : int
        How many go in at once, ``n``.
    length : int
        How many the caches hold, ``l``.
    speak : bool
        Give scores after each of them, ``logits (1, n, vocabulary)``; without, the last layer only fills its caches.
    last : bool
        Of these scores only those after one token, ``logits (1, 1, vocabulary)``: that whose place in ``last_row (1, 1,
        n)`` holds 1, the others 0. All fill the caches, but the last layer goes on with that one alone.
    sees : int, optional
        How many places of the caches it looks at, from the first, ``s``; all, unless told.
    embedded : bool
        Take ``embeddings (1, n, width)`` instead of ``tokens (1, n)``.
    cache : {'float32', 'float16'}
        What the caches hold; all is computed in float32.

    Returns
    -------
    Graph
        With ``input_pos (n,) int32``, of which the first places the rows in the caches; ``mask (1, 1, n, s)``, added
        to the scores of attention; and ``kv_cache_k_N (1, key heads, l, head width)`` and ``kv_cache_v_N (1, key
        heads, head width, l)`` on both sides.
    """
    shape, graph = model.shape, Graph(name)
    fed = (
        graph.input("embeddings", (1, tokens, shape.width)) if embedded else graph.input("tokens", (1, tokens), "int32")
    )
    step = _Step(graph, shape, tokens, sees or length)
    caches = [
        (
            graph.input(f"kv_cache_k_{number}", (1, shape.key_heads, length, shape.head_width), cache),
            graph.input(f"kv_cache_v_{number}", (1, shape.key_heads, shape.head_width, length), cache),
        )
        for number in range(shape.layers)
    ]
    x = fed if embedded else _embed(graph, fed, model.table)
    last_row = graph.input("last_row", (1, 1, tokens)) if last else None
    for number, (layer, (keys, values)) in enumerate(zip(model.layers, caches, strict=True)):
        row = last_row if number == shape.layers - 1 else None
        query, keys, values = step.remember(layer, x, keys, values, row)
        graph.outputs[f"kv_cache_k_{number}"] = keys
        graph.outputs[f"kv_cache_v_{number}"] = values
        if row is not None:
            x = step.narrow(x, row)
        if speak or number < shape.layers - 1:
            x = step.transform(layer, step.attend(layer, x, query, keys, values))
    if speak:
        graph.outputs["logits"] = graph.linear(step.norm(x), model.head)
    return graph


def build_embedder(model: Llama) -> Graph:
    """Make the graph that looks a token's embedding up."""
    graph = Graph("embedder")
    graph.outputs["embeddings"] = _embed(graph, graph.input("token_ids", (1, 1), "int32"), model.table)
    return graph


def _embed(graph: Graph, tokens: Value, table: Weight) -> Value:
    rows = graph.look_up(graph.reshape(tokens, tokens.shape[1:]), table)
    return graph.reshape(rows, (*tokens.shape, table.shape[1]))


class _Step:
    """What the layers of one graph share: positions, the mask, and where rows go in the caches."""

    def __init__(self, graph: Graph, shape: Shape, tokens: int, sees: int) -> None:
        self._graph, self._shape, self._tokens, self._sees = graph, shape, tokens, sees
        position = graph.input("input_pos", (tokens,), "int32")
        mask = graph.input("mask", (1, 1, tokens, sees))
        self._shared = shape.heads // shape.key_heads
        self._mask = self._share(mask)
        self._cos, self._sin = self._angles(position)
        zero = graph.constant(0, "int32")
        start = graph.reshape(graph.part(position, 0, 0, 1) if tokens > 1 else position, ())
        self._at_row = graph.pack([zero, zero, start, zero])
        self._at_column = graph.pack([zero, zero, zero, start])
        self._epsilon = graph.constant([[[shape.epsilon]]])

    def narrow(self, x: Value, row: Value) -> Value:
        """Go on with one row."""
        mask = self._graph.inputs["mask"]
        seen = self._only(self._graph.reshape(mask, mask.shape[1:]), row)
        self._mask = self._share(self._graph.reshape(seen, (1, 1, 1, mask.shape[-1])))
        return self._only(x, row)

    def _only(self, x: Value, row: Value) -> Value:
        """Give that of the rows ``(1, n, ...)`` at which `row` is 1: a product, for the engine gathers nothing."""
        graph, n = self._graph, self._tokens
        rows = graph.reshape(x, (1, n, prod(x.shape[2:])))
        return graph.reshape(graph.matmul(row, rows), (1, 1, *x.shape[2:]))

    def _share(self, mask: Value) -> Value:
        """Repeat a mask for each of the heads that share a key."""
        return self._graph.concat([mask] * self._shared, 2) if self._shared > 1 else mask

    def _angles(self, position: Value) -> tuple[Value, Value]:
        """Give cosines and sines ``(1, n, 1, head width)``, the sines of the first half negative."""
        graph, half = self._graph, self._shape.head_width // 2
        rates = self._shape.rope_theta ** (-np.arange(half) / half)
        places = graph.to_float(graph.reshape(position, (1, self._tokens, 1, 1)))
        angles = graph.mul(places, graph.constant(np.tile(rates, 2).reshape(1, 1, 1, -1)))
        signs = graph.constant(np.repeat([-1.0, 1.0], half).reshape(1, 1, 1, -1))
        return graph.cos(angles), graph.mul(graph.sin(angles), signs)

    def norm(self, x: Value) -> Value:
        """Scale each vector to unit mean square; the norm's weight is part of the matrix behind it."""
        graph = self._graph
        return graph.mul(x, graph.rsqrt(graph.add(graph.mean(graph.mul(x, x)), self._epsilon)))

    def remember(
        self, layer: Layer, x: Value, keys: Value, values: Value, row: Value | None = None
    ) -> tuple[Value, Value, Value]:
        """Give the queries ``(1, key heads, n * shared, head width)``, and the caches with the new rows in them.

        With a row, queries are those of that one.
        """
        graph, shape, n = self._graph, self._shape, self._tokens
        turned_heads = shape.heads + shape.key_heads
        y = self.norm(x)
        turned = self._rotate(graph.reshape(graph.linear(y, layer.turned), (1, n, turned_heads, shape.head_width)))
        asking = turned if row is None else self._only(turned, row)
        query = self._by_head(graph.part(asking, 2, 0, shape.heads), shape.key_heads)
        key = self._by_head(graph.part(turned, 2, shape.heads, shape.key_heads), shape.key_heads)
        value = graph.linear(y, layer.value)
        if n > 1:
            value = graph.reshape(value, (1, n, shape.key_heads, shape.head_width))
            value = graph.transpose(value, (0, 2, 3, 1))
        else:
            value = graph.reshape(value, (1, shape.key_heads, shape.head_width, 1))
        return (
            query,
            graph.write_into(keys, graph.convert(key, keys.dtype), self._at_row),
            graph.write_into(values, graph.convert(value, values.dtype), self._at_column),
        )

    def attend(self, layer: Layer, x: Value, query: Value, keys: Value, values: Value) -> Value:
        """Add what is attended to."""
        graph, shape, n = self._graph, self._shape, x.shape[1]
        if self._sees < keys.shape[2]:
            keys, values = graph.part(keys, 2, 0, self._sees), graph.part(values, 3, 0, self._sees)
        keys, values = graph.convert(keys, "float32"), graph.convert(values, "float32")
        shares = graph.softmax(graph.add(graph.matmul(query, keys, turned=True), self._mask))
        found = graph.matmul(shares, values, turned=True)
        if n > 1:
            found = graph.reshape(found, (1, shape.heads, n, shape.head_width))
            found = graph.transpose(found, (0, 2, 1, 3))
        found = graph.reshape(found, (1, n, shape.heads * shape.head_width))
        return graph.add(x, graph.linear(found, layer.out))

    def transform(self, layer: Layer, x: Value) -> Value:
        """Add the feed-forward part."""
        graph, y = self._graph, self.norm(x)
        gate = graph.linear(y, layer.gate)
        gate = graph.mul(gate, graph.logistic(gate))  # before `up` is there: two such rooms, not three
        return graph.add(x, graph.linear(graph.mul(gate, graph.linear(y, layer.up)), layer.down))

    def _rotate(self, x: Value) -> Value:
        """Turn each pair (first half, second half) by its position's angle."""
        graph, half = self._graph, self._shape.head_width // 2
        swapped = graph.concat([graph.part(x, -1, half, half), graph.part(x, -1, 0, half)], -1)
        return graph.add(graph.mul(x, self._cos), graph.mul(swapped, self._sin))

    def _by_head(self, x: Value, groups: int) -> Value:
        """Turn ``(1, n, heads, w)`` into ``(1, groups, heads / groups * n, w)``, which costs nothing for one token."""
        if x.shape[1] > 1:
            x = self._graph.transpose(x, (0, 2, 1, 3))
        return self._graph.reshape(x, (1, groups, x.shape[1] * x.shape[2] // groups, x.shape[3]))
