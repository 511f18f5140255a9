"""Give an engine only those graphs of a model that are in use.

Engines keep records of every operator of a model from the moment it is opened, some 4 kB each: a decoder that offers
several lengths of cache, each with its graphs, would take ten times what the conversation needs. Here a file is shown
to the engine with the other graphs left out of its lists, while nothing in the file changes: the pages with the lists
are copied as they are written to, a few of them.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from edge_sdk.bundle.flatbuffer import FlatReader, Table
from edge_sdk.bundle.tflite import SignatureInfo, TfliteModel, read_tflite
from edge_sdk.runtime.region import Region, custom_operators

__all__ = ["cache_groups", "map_chosen"]

_GRAPHS, _SIGNATURES = 2, 7  # fields of Model. Source: schema.fbs of TensorFlow Lite, version 3
_KEY, _GRAPH = 2, 4  # fields of SignatureDef
_OPERATORS = 3  # field of SubGraph
_U32 = struct.Struct("<I")


def cache_groups(model: TfliteModel) -> tuple[frozenset[str], ...]:
    """Part the signatures of a decoder by the caches that they work on, the smallest caches first.

    Returns
    -------
    tuple of frozenset
        Names of signatures that share their caches; empty where there is nothing to choose, or where what the file
        says of a tensor is not all that the engine needs to know.
    """
    groups: dict[tuple[tuple[str, tuple[int, ...]], ...], set[str]] = {}
    for name, signature in model.signatures.items():
        groups.setdefault(_caches(signature), set()).add(name)
    ends = [item for signature in model.signatures.values() for item in _tensors(signature)]
    if len(groups) < 2 or () in groups or custom_operators(model) or any(min(shape, default=1) < 1 for shape in ends):
        return ()
    if len({signature.subgraph for signature in model.signatures.values()}) < len(model.signatures):
        return ()
    return tuple(frozenset(groups[key]) for key in sorted(groups, key=_elements))


def map_chosen(region: Region, keep: Collection[str]) -> tuple[mmap.mmap, npt.NDArray[np.uint8], list[int]]:
    """Map a model into memory with only some of its signatures, and the graphs that they call.

    Parameters
    ----------
    region : Region
        Where it is; its tables have been checked.
    keep : collection of str
        Some of its signatures, a group of `cache_groups`.

    Returns
    -------
    pages : mmap.mmap
        From the page in which the region begins.
    region : ndarray
        ``(size,)`` uint8, a view of the pages.
    changed : list of int
        Which pages, counted from the first, are not as they are in the file, in order.

    Raises
    ------
    BundleError
        With the lists written, it is no sound model.
    """
    pages, view = region.map(private=True)
    first = view.ctypes.data - view.ctypes.data % mmap.PAGESIZE
    reader = FlatReader(view.data, region.name)
    writes = _writes(reader, keep)
    if not all(0 <= value < 1 << 32 for value in writes.values()):
        raise reader.damaged("Lists in it stand behind what they list, or too far before it.")
    # Nobody promises that a number stands at a multiple of four: it may lie in two pages.
    ends = {at + byte for at in writes for byte in (0, _U32.size - 1)}
    changed = sorted({(view.ctypes.data + at - first) // mmap.PAGESIZE for at in ends})
    for page in changed:
        _protect(first + page * mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE)
    for at, value in writes.items():
        ctypes.memmove(view.ctypes.data + at, _U32.pack(value), _U32.size)
    for page in changed:
        _protect(first + page * mmap.PAGESIZE, mmap.PROT_READ)
    # In a file that was made to mislead, the lists may lie on what has been checked: it is another model now.
    read_tflite(view.data, region.name)
    return pages, view, changed


def _writes(reader: FlatReader, keep: Collection[str]) -> Mapping[int, int]:
    """Return what to write where, so that other signatures and their graphs are gone from the lists."""
    with reader.guard():
        root = reader.root()
        signatures_at, signatures = _entries(reader, root, _SIGNATURES)
        graphs_at, graphs = _entries(reader, root, _GRAPHS)
        tables = [reader.table(at) for at in signatures]
        calls = [table.integer(_GRAPH, "u32") for table in tables]
        kept = [number for number, table in enumerate(tables) if table.text(_KEY) in keep]
        writes = _list(signatures_at, [signatures[number] for number in kept])
        wanted = sorted({calls[number] for number in kept})
        inner = [number for number in range(len(graphs)) if number not in calls]
        if inner:
            # Operators call graphs by number, so that each keeps its place; a small one stands for those left out.
            least = min(inner, key=lambda number: reader.table(graphs[number]).count(_OPERATORS))
            chosen = [at if number in {*wanted, *inner} else graphs[least] for number, at in enumerate(graphs)]
            return writes | _list(graphs_at, chosen)
        writes |= _list(graphs_at, [graphs[number] for number in wanted])
        for number in kept:
            place = tables[number].place(_GRAPH)
            if place:  # left out it is 0, and the first graph stays the first
                writes[place] = wanted.index(calls[number])
        return writes


def _entries(reader: FlatReader, root: Table, field: int) -> tuple[int, list[int]]:
    """Return where a list of tables stands, and where each of them does."""
    begin, count = reader.vector(root.target(field), _U32.size)
    places = range(begin, begin + count * _U32.size, _U32.size)
    return root.target(field), [at + int(_U32.unpack_from(reader.view, at)[0]) for at in places]


def _list(at: int, tables: list[int]) -> dict[int, int]:
    """Return what to write so that a list holds just these tables, which stand behind it, as offsets have no sign."""
    places = range(at + _U32.size, at + (len(tables) + 1) * _U32.size, _U32.size)
    return {at: len(tables)} | {place: table - place for place, table in zip(places, tables, strict=True)}


def _caches(signature: SignatureInfo) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return the tensors that go in and come out under one name and in one shape."""
    both = signature.inputs.keys() & signature.outputs.keys()
    return tuple(sorted((name, signature.inputs[name].shape) for name in both))


def _tensors(signature: SignatureInfo) -> list[tuple[int, ...]]:
    return [item.shape for end in (signature.inputs, signature.outputs) for item in end.values()]


def _elements(caches: tuple[tuple[str, tuple[int, ...]], ...]) -> int:
    return sum(int(np.prod(shape)) for _, shape in caches)


def _protect(address: int, protection: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE), protection):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
