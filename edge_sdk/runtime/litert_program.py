"""A model as LiteRT holds it: mapped, loaded and compiled, whole or with the graphs that are in use."""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from ctypes import byref, c_int, c_void_p
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from edge_sdk.bundle.row_table import row_table
from edge_sdk.errors import ModelError
from edge_sdk.runtime.graph_choice import map_chosen
from edge_sdk.runtime.litert_library import (
    CPU,
    ELEMENT_TYPES,
    Layout,
    LiteRt,
    PerTensor,
    RankedTensorType,
    load_library,
)
from edge_sdk.runtime.mapped import read_mapped
from edge_sdk.runtime.model import DEFAULT_SIGNATURE, Quantization, Signature, TensorSpec, end_names, numpy_type
from edge_sdk.runtime.region import Region
from edge_sdk.runtime.rows import Rows

__all__ = ["ERRORS_KEPT", "ERRORS_PRINTED", "Options", "Program", "bring_in"]

_PLACEHOLDER = "<placeholder signature>"  # what LiteRT calls the first graph of a file without signatures
_RANKED, _PER_TENSOR = 0, 1
_POPULATE_READ = 22  # MADV_POPULATE_READ, since Linux 5.14. Source: madvise(2)
# So much at a time: a card that gives 20 MB in a second holds up who does not want it any more by no more than that.
_PIECE_BYTES = 4 << 20
ERRORS_PRINTED, ERRORS_KEPT = 1, 2


@dataclass(frozen=True, slots=True)
class Options:
    """How a program is compiled.

    Attributes
    ----------
    threads : int
        How many threads the engine works with.
    cache_file : str
        Where its packed weights are, or will be; empty for none.
    errors : int
        Whether the engine prints errors or keeps them.
    prepare : bool
        Prepare every graph at once, so that one with operators that may be missing fails now.
    """

    threads: int
    cache_file: str
    errors: int = ERRORS_KEPT
    prepare: bool = False


class Program:
    """What runs of a model need of the engine; they keep it until the last of them is gone, or it is closed.

    Parameters
    ----------
    region : Region
        Where the model is.
    options : Options
        How to compile it.
    flag : ctypes array
        Read as a string: empty, or a wish that the run that goes on be stopped.
    keep : frozenset of str
        Which signatures to load; empty for all.
    told : Mapping[str, Signature]
        What the file says of its signatures, where that is all there is to know; the engine is asked about others.

    Attributes
    ----------
    compiled : c_void_p
        The engine's handle.
    indices : Mapping[str, int]
        The engine's numbers of the signatures that are loaded.
    rows : Rows or None
        The table that it looks tokens up in, where its pages can be copied one by one.
    """

    def __init__(
        self,
        region: Region,
        options: Options,
        flag: ctypes.Array[ctypes.c_uint8],
        keep: frozenset[str] = frozenset(),
        told: Mapping[str, Signature] = MappingProxyType({}),
    ) -> None:
        self.name = region.name
        self.compiled = c_void_p()
        self.indices: dict[str, int] = {}
        self._lib = load_library()
        self._told = told
        self._pages: mmap.mmap | None = None
        self.rows: Rows | None = None
        # What the engine holds, and the memory that it reads until that is freed.
        self._owned: list[c_void_p] = []
        self._kept: list[object] = []
        weakref.finalize(self, _free, self._lib, self._owned, self._kept)
        self._load(region, options, flag, keep)

    def add(self, region: Region, options: Options, flag: ctypes.Array[ctypes.c_uint8], names: frozenset[str]) -> None:
        """Load further signatures beside those that are there; runs of those stay good."""
        keep = names | self.indices.keys()
        self.close()
        self._load(region, options, flag, keep)

    def _load(self, region: Region, options: Options, flag: ctypes.Array[ctypes.c_uint8], keep: frozenset[str]) -> None:
        self._kept.append(flag)
        self._prepare = options.prepare
        if keep:
            self._pages, view, changed = map_chosen(region, keep)
            table = row_table(view.data, region.name)
            self.rows = Rows(table, view.ctypes.data) if table else None
        else:
            (self._pages, view), changed = region.map(), []
        self._changed = changed
        self._kept += (self._pages, view)
        model = self._lib.make("CreateModelFromBuffer", self._lib.environment, view.ctypes.data, region.size)
        try:
            self.compiled = self._compile(model, options)
            self._owned.append(self.compiled)
            place = ctypes.addressof(flag)
            self._lib.call("SetCompiledModelCancellationFunction", self.compiled, place, self._lib.flag_is_set)
            self.signatures = self._read_signatures(model)
        finally:
            # It is a copy of the tables, 1 kB an operator; what was compiled reads the file's own, which are kept.
            self._lib.functions["DestroyModel"](model)
        # Most of what loading read of the file no run looks at; what one does comes back by itself.
        self.advise(mmap.MADV_DONTNEED)

    def advise(self, advice: int) -> None:
        """Tell the kernel how the file is used, but for the pages that are not as they are in the file."""
        if self._pages is None:
            return
        begin, end = 0, len(self._pages)
        with suppress(OSError):  # pages that someone has locked in memory stay
            for page in [*self._changed, -(-end // mmap.PAGESIZE)]:
                stop = min(end, page * mmap.PAGESIZE)
                if stop > begin:
                    self._pages.madvise(advice, begin, stop - begin)
                begin = stop + mmap.PAGESIZE

    def close(self) -> None:
        """Free it; runs of it are of no use any more. Twice is harmless."""
        self.compiled = c_void_p()
        self._pages = self.rows = None
        self.indices.clear()
        _free(self._lib, self._owned, self._kept)

    def prepare(self) -> None:
        """Prepare all signatures now instead of at their first run, which completes a new cache file."""
        for name, index in self.indices.items():
            self._output_shapes(index, len(self.signatures[name].outputs))

    def _compile(self, model: c_void_p, asked: Options) -> c_void_p:
        lib = self._lib
        cache = f'weight_cache_file_path = "{asked.cache_file}"\n' if asked.cache_file else ""
        options = lib.make("CreateOptions")
        try:
            lib.call("SetOptionsHardwareAccelerators", options, CPU)
            for identifier, settings in (
                ("xnnpack", f"num_threads = {asked.threads}\n" + cache),
                (
                    "runtime_options_string",
                    f"error_reporter_mode = {asked.errors}\ncompress_quantization_zero_points = true\n",
                ),
            ):
                lib.call("AddOpaqueOptions", options, lib.opaque_options(identifier, settings))
            return lib.make("CreateCompiledModel", lib.environment, model, options)
        finally:
            lib.functions["DestroyOptions"](options)

    def _output_shapes(self, index: int, count: int) -> list[tuple[int, ...]]:
        """Have the engine prepare a signature's graph, and return the shapes that its outputs get."""
        layouts = (Layout * count)()
        self._lib.call("GetCompiledModelOutputTensorLayouts", self.compiled, index, count, layouts, True)
        return [layout.shape() for layout in layouts]

    def _read_signatures(self, model: c_void_p) -> Mapping[str, Signature]:
        found: dict[str, Signature] = {}
        for index in range(self._lib.number("GetNumModelSignatures", model)):
            handle = self._lib.make("GetModelSignature", model, index)
            key = self._lib.text("GetSignatureKey", handle)
            name = DEFAULT_SIGNATURE if key == _PLACEHOLDER else key
            self.indices[name] = index
            if told := self._in_order(name, handle):
                found[name] = told
                continue
            # The engine prepares a graph with 1 where the file leaves a dimension open (mostly the batch).
            inputs = [
                replace(spec, shape=tuple(max(1, n) for n in spec.shape)) for spec in self._specs(handle, "Input")
            ]
            outputs = self._specs(handle, "Output")
            if self._prepare or any(min(spec.shape, default=0) < 0 for spec in outputs):
                shapes = self._output_shapes(index, len(outputs))
                outputs = [replace(spec, shape=shape) for spec, shape in zip(outputs, shapes, strict=True)]
            found[name] = Signature(name, end_names(inputs, "input"), end_names(outputs, "output"))
        return MappingProxyType(found)

    def _in_order(self, name: str, handle: c_void_p) -> Signature | None:
        """Return what was told of a signature, its ends in the engine's order; None where nothing was."""
        told = self._told.get(name)
        if told is None or self._prepare:
            return None
        lib, ends = self._lib, []
        for end, specs in (("Input", told.inputs), ("Output", told.outputs)):
            count = lib.number(f"GetNumSignature{end}s", handle)
            names = [lib.text(f"GetSignature{end}Name", handle, index) for index in range(count)]
            if set(names) != set(specs):
                return None
            ends.append({key: specs[key] for key in names})
        return Signature(name, *ends)

    def _specs(self, signature: c_void_p, end: str) -> list[TensorSpec]:
        lib = self._lib
        specs = []
        for index in range(lib.number(f"GetNumSignature{end}s", signature)):
            name = lib.text(f"GetSignature{end}Name", signature, index)
            tensor = lib.make(f"GetSignature{end}TensorByIndex", signature, index)
            ranked, kind, quantization = c_int(), RankedTensorType(), None
            lib.call("GetTensorTypeId", tensor, byref(ranked))
            if ranked.value != _RANKED:
                raise ModelError(f"{self.name} has a tensor {name!r} without a shape.")
            lib.call("GetRankedTensorType", tensor, byref(kind))
            lib.call("GetQuantizationTypeId", tensor, byref(ranked))
            if ranked.value == _PER_TENSOR:
                found = PerTensor()
                lib.call("GetPerTensorQuantization", tensor, byref(found))
                quantization = Quantization(found.scale, found.zero_point)
            dtype = numpy_type(ELEMENT_TYPES.get(kind.element_type, f"number {kind.element_type}"), name, self.name)
            specs.append(TensorSpec(name, kind.layout.shape(), dtype, quantization))
        return specs


def bring_in(file: Path, unwanted: Callable[[], bool]) -> None:
    """Have most of a file that the engine has mapped at hand, at once; an older kernel leaves it to the runs.

    For 137 MB that are in the disk's cache it takes 3 ms, and the first run over them a fifth less. The last quarter
    is left: there is what gives a decoder's scores, which comes to a prompt's rows of the table only when those are
    let go of again.
    """
    with suppress(OSError):
        for place in read_mapped():
            if place.path == os.fsencode(file):
                most = place.begin + (place.end - place.begin) * 3 // 4
                for at in range(place.begin, most, _PIECE_BYTES):
                    if unwanted():
                        return
                    size = min(_PIECE_BYTES, most - at)
                    ctypes.CDLL(None).madvise(ctypes.c_void_p(at), ctypes.c_size_t(size), _POPULATE_READ)


def _free(lib: LiteRt, owned: list[c_void_p], kept: list[object]) -> None:
    """Free what a model takes in the engine; the memory that it reads may go only then."""
    while owned:
        lib.functions["DestroyCompiledModel"](owned.pop())
    kept.clear()
