"""Key-value caches: which tensors they are, which lengths a model offers, and the arrays themselves.

A cache is one array, bound as input and as output, so the engine updates it in place: nothing is copied, and
the tokens come out the same as with two. A step reads all of it, so a bundle may offer several lengths
(signatures ``prefill_N_cache_L`` and ``decode_cache_L``) to begin in the shortest and move up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from edge_sdk.bundle import ExecutorMetadata
from edge_sdk.errors import ModelError
from edge_sdk.runtime import Array, Model, Signature, aligned

__all__ = [
    "CacheNames",
    "Caches",
    "Layout",
    "Stage",
    "cache_layout",
    "copy_rows",
    "move_rows",
    "new_caches",
    "reach",
    "read_stages",
    "tokens",
]

TOKENS, EMBEDDINGS = ("tokens", "token_ids"), "embeddings"
POSITIONS = ("input_pos", "positions")
MASKS = ("mask", "attn_mask")
# What marks the token that a run for a prompt gives scores after: ``(1, 1, N) float32``, 1 at it and 0 elsewhere.
LAST_ROW = "last_row"


@dataclass(frozen=True, slots=True)
class CacheNames:
    """What a cache is called on either side of either kind of signature, and the axis along which it grows."""

    prefill: tuple[str, str]
    decode: tuple[str, str]
    axis: int | None = None

    def ends(self, *, decoding: bool) -> tuple[str, str]:
        """Return its input and its output name."""
        return self.decode if decoding else self.prefill


@dataclass(frozen=True, slots=True)
class Stage:
    """What a model offers for one length of the cache.

    Attributes
    ----------
    length : int
        Tokens that fit.
    decode : Signature
        The step for one token.
    prefills : mapping
        Signatures that take several tokens, by how many: those that score what may follow one of them, or else none.
    begins : mapping
        The like for tokens that nothing stands before: they see no more of the caches than they fill.
    verifies : mapping
        The like that score what may follow each of them.
    cache_bytes : int
        What its caches take.
    """

    length: int
    decode: Signature
    prefills: Mapping[int, Signature]
    begins: Mapping[int, Signature]
    verifies: Mapping[int, Signature]
    cache_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Caches:
    """The arrays of a stage, and the axis of each along which it grows; None where one does not."""

    stage: Stage
    arrays: list[Array]
    axes: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Layout:
    """What caches look like that grow, each along one axis, whatever their length; and a stage that has such."""

    stage: Stage
    shapes: tuple[tuple[int, ...], ...]
    kinds: tuple[np.dtype[Any], ...]
    axes: tuple[int, ...]

    def cut(self, length: int) -> list[tuple[tuple[int, ...], np.dtype[Any]]]:
        """Give the shapes and types of caches of some length."""
        return [
            ((*shape[:axis], length, *shape[axis + 1 :]), kind)
            for shape, kind, axis in zip(self.shapes, self.kinds, self.axes, strict=True)
        ]


def read_stages(model: Model, executor: ExecutorMetadata | None) -> tuple[tuple[Stage, ...], tuple[CacheNames, ...]]:
    """Find the lengths that a model offers, shortest first, and the names of its caches.

    Raises
    ------
    ModelError
        The model is no decoder of a kind known here.
    """
    decodes = [
        item
        for name, item in model.signatures.items()
        if "decode" in name and "logits" in item.outputs and tokens(item) == 1 and _fits(item)
    ]
    if not decodes:
        raise ModelError(
            f"{model.name} has no signature that decodes.",
            why=f"It has: {', '.join(model.signatures)}. One must take a token, its place and a mask, and give scores.",
            fix="Take a bundle whose language model was exported with a decode signature.",
        )
    names = _cache_names(decodes[0], executor)
    by_length: dict[int, Stage] = {}
    for decode in decodes:
        length = reach(decode)
        if length is not None and length not in by_length:
            by_length[length] = Stage(
                length,
                decode,
                _prefills(_longer(model, decode, names, "prefill"), decode),
                _begins(_longer(model, decode, names, "begin"), decode),
                _verifies(_longer(model, decode, names, "verify"), decode),
                sum(decode.inputs[item.decode[0]].size_bytes for item in names),
            )
    stages = [by_length[length] for length in sorted(by_length)]
    return tuple(stage for stage in stages if _differ_in_length(stage, stages[-1], names)), names


def tokens(signature: Signature) -> int:
    """Return how many tokens a signature takes at once."""
    return next((prod(spec.shape) for name, spec in signature.inputs.items() if name in POSITIONS), 1)


def _differ_in_length(stage: Stage, other: Stage, names: tuple[CacheNames, ...]) -> bool:
    """Say whether each cache differs along one axis at the most, so that rows can be moved between them."""
    for item in names:
        one, two = (each.decode.inputs[item.decode[0]].shape for each in (stage, other))
        if len(one) != len(two) or sum(a != b for a, b in zip(one, two, strict=True)) > 1:
            return False
    return True


def _fits(signature: Signature) -> bool:
    """Say whether a run takes tokens, places and a mask, with room for each token, and scores one of them or each."""
    count, inputs, scores = tokens(signature), signature.inputs, _scores(signature)
    if not all(any(name in inputs for name in names) for names in ((*TOKENS, EMBEDDINGS), POSITIONS, MASKS)):
        return False
    places = [prod(inputs[name].shape) for name in TOKENS if name in inputs]
    for name in (*MASKS, EMBEDDINGS):
        if name in inputs:
            *rows, length = inputs[name].shape or (0,)
            places.append(prod(rows) if length else 0)
    silent = "logits" not in signature.outputs
    return set(places) <= {count} and (silent or (prod(scores or (0,)) > 0 and prod(scores[:-1]) in (1, count)))


def _longer(model: Model, decode: Signature, names: tuple[CacheNames, ...], kind: str) -> list[Signature]:
    """Find the signatures of a kind that work on the caches of a step and are fed the like, the longest first."""
    kinds, embedded = _cache_kinds(decode, names, decoding=True), EMBEDDINGS in decode.inputs
    found = [
        item
        for name, item in model.signatures.items()
        if kind in name and _fits(item) and (EMBEDDINGS in item.inputs) == embedded
        if _cache_kinds(item, names, decoding=False) == kinds
    ]
    return sorted(found, key=tokens, reverse=True)


def _prefills(found: list[Signature], decode: Signature) -> dict[int, Signature]:
    """Choose one of each size. What asks for a row that is not known here cannot be run."""
    chosen: dict[int, Signature] = {}
    for item in found:
        size = tokens(item)
        if LAST_ROW not in item.inputs:
            chosen.setdefault(size, item)
        elif item.inputs[LAST_ROW].shape == (1, 1, size) and _scores(item) == (1, 1, *_scores(decode)[-1:]):
            chosen[size] = item
    return chosen


def _begins(found: list[Signature], decode: Signature) -> dict[int, Signature]:
    chosen = _prefills([item for item in found if LAST_ROW in item.inputs], decode)
    return {size: item for size, item in chosen.items() if reach(item) == size}


def reach(signature: Signature) -> int | None:
    """Return how many places of the cache a signature sees; None where it takes no mask."""
    return next((signature.inputs[name].shape[-1] for name in MASKS if name in signature.inputs), None)


def _verifies(found: list[Signature], decode: Signature) -> dict[int, Signature]:
    """Choose those that score each of their tokens, wherever in the caches these are."""
    seeing = [item for item in found if reach(item) == reach(decode)]
    return {tokens(item): item for item in seeing if _scores(item) == (1, tokens(item), *_scores(decode)[-1:])}


def _scores(signature: Signature) -> tuple[int, ...]:
    """Return the shape of a signature's scores; empty where it gives none."""
    return signature.outputs["logits"].shape if "logits" in signature.outputs else ()


def _cache_names(decode: Signature, executor: ExecutorMetadata | None) -> tuple[CacheNames, ...]:
    if executor is not None and executor.buffers:
        return tuple(
            CacheNames(
                (item.prefill_input, item.prefill_output), (item.decode_input, item.decode_output), item.sequence_axis
            )
            for item in executor.buffers
        )
    return tuple(CacheNames((name, name), (name, name)) for name in decode.inputs if name in decode.outputs)


def _cache_kinds(
    signature: Signature, names: tuple[CacheNames, ...], *, decoding: bool
) -> list[tuple[tuple[int, ...], np.dtype[Any]]] | None:
    """Return shapes and types of a signature's caches; None where it does not have them on both sides."""
    kinds = []
    for item in names:
        before, after = item.ends(decoding=decoding)
        if before not in signature.inputs or after not in signature.outputs:
            return None
        one, other = signature.inputs[before], signature.outputs[after]
        if (one.shape, one.dtype) != (other.shape, other.dtype):
            return None
        kinds.append((one.shape, one.dtype))
    return kinds


def new_caches(name: str, stage: Stage, names: tuple[CacheNames, ...]) -> Caches:
    """Make the arrays of a stage of a model, empty; memory is taken page by page as they fill.

    Raises
    ------
    ModelError
        The model does not hand its caches from one run to the next in a way known here.
    """
    if _cache_kinds(stage.decode, names, decoding=True) is None:
        raise ModelError(
            f"{name} cannot keep a conversation.",
            why="Its key-value caches go in and come out in different shapes or under unknown names.",
            fix="Export it again with a current litert-torch.",
        )
    layout = cache_layout(stage, names)
    specs = [stage.decode.inputs[item.decode[0]] for item in names]
    return Caches(stage, [aligned(spec.shape, spec.dtype) for spec in specs], layout.axes if layout else None)


def cache_layout(stage: Stage, names: tuple[CacheNames, ...]) -> Layout | None:
    """Tell what a stage's caches look like; None where not all of them have a place for each token."""
    specs = [stage.decode.inputs[item.decode[0]] for item in names]
    axes = [_axis(item, spec.shape, stage.length) for item, spec in zip(names, specs, strict=True)]
    known = tuple(axis for axis in axes if axis is not None)
    if len(known) < len(axes):
        return None
    return Layout(stage, tuple(spec.shape for spec in specs), tuple(spec.dtype for spec in specs), known)


def _axis(names: CacheNames, shape: tuple[int, ...], length: int) -> int | None:
    """Return the axis with a place for each token; None where there is none, as in a window that moves along."""
    if names.axis is not None:
        return names.axis if names.axis < len(shape) and shape[names.axis] == length else None
    places = [axis for axis, size in enumerate(shape) if size == length]
    return places[0] if len(places) == 1 else None


def copy_rows(source: Caches, target: Caches, start: int, stop: int) -> None:
    """Copy what stands in some places of caches that grow to the same places of others."""
    assert source.axes is not None, "who asks for rows knows that there are some"
    for old, new, axis in zip(source.arrays, target.arrays, source.axes, strict=True):
        rows = (slice(None),) * axis + (slice(start, stop),)
        new[rows] = old[rows]


def move_rows(source: list[Array], target: list[Array], used: int) -> None:
    """Copy the first `used` tokens to caches of another length, along the axis where they differ."""
    for old, new in zip(source, target, strict=True):
        axis = next((axis for axis in range(old.ndim) if old.shape[axis] != new.shape[axis]), None)
        rows = tuple(slice(used) if at == axis else slice(None) for at in range(old.ndim))
        new[rows] = old[rows]
