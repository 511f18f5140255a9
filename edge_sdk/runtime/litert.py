"""The main engine: LiteRT through its C API, nothing copied in or out, the GIL free during a run."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import weakref
from collections.abc import Mapping
from contextlib import suppress
from ctypes import byref, c_void_p
from dataclasses import replace
from math import prod
from pathlib import Path
from types import MappingProxyType

from edge_sdk.bundle.tflite import SignatureInfo, TensorInfo, TfliteModel
from edge_sdk.errors import ModelError
from edge_sdk.runtime.engine_log import Caught, caught
from edge_sdk.runtime.graph_choice import cache_groups
from edge_sdk.runtime.litert_library import LiteRt, load_library, ranked_type, status_text
from edge_sdk.runtime.litert_program import ERRORS_PRINTED, Options, Program, bring_in
from edge_sdk.runtime.model import (
    Array,
    Model,
    Quantization,
    Run,
    Signature,
    TensorSpec,
    end_names,
    numpy_type,
)
from edge_sdk.runtime.packing import IN_MEMORY
from edge_sdk.runtime.region import Region, custom_operators, refusal

__all__ = ["LiteRtModel"]

_CACHE_REFUSED = "weight cache could neither be loaded"
# Pages that runs looked tokens up in: to let go of them takes microseconds, and to have one back no more; the kernel
# keeps them as long as there is room.
_RUNS_PER_DROP = 16
_TOKENS = "tokens"  # what decoders call the input whose rows they look up


class LiteRtModel(Model):
    """A model in LiteRT; see `Model`.

    Of a decoder with several lengths of cache the engine holds graphs of one length: those of another take their place
    when a run of them is bound, which takes as long as opening the model did. Of one length it holds at first those
    that take the fewest tokens and the most, which a first prompt needs; others join them when they are first bound.

    Parameters
    ----------
    region : Region
        Where the model is.
    description : TfliteModel
        What it says of itself.
    threads : int
        How many threads the engine works with.
    cache_file : str
        Where its packed weights are, or will be.
    whole : bool
        Load all graphs at once.

    Attributes
    ----------
    cache_refused : bool
        The engine could neither read the cache file nor write it, and works without.
    """

    engine = "litert"

    def __init__(
        self,
        region: Region,
        description: TfliteModel,
        threads: int,
        cache_file: str = IN_MEMORY,
        *,
        whole: bool = False,
    ) -> None:
        super().__init__(region.name)
        self._region = region
        self._cancel_flag = (ctypes.c_uint8 * 2)()  # read as a string that is empty or not
        self._settled = False
        self._runs = 0
        self._is_new = True  # nothing was run since the engine mapped the weights
        self._programs: weakref.WeakSet[Program] = weakref.WeakSet()
        self._program: Program | None = None
        self._whole = whole
        self._groups = () if whole else cache_groups(description)
        known: dict[tuple[object, ...], TensorSpec] = {}
        told = {name: _told(item, known) for name, item in description.signatures.items()} if self._groups else {}
        self._told: dict[str, Signature] = told
        # A limit on the size of files holds for XNNPACK's file in memory too, and passing it ends the process.
        limit_bytes = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        if cache_file == IN_MEMORY and 0 <= limit_bytes < 2 * region.size:
            cache_file = ""
        self._options = Options(threads, cache_file, prepare=bool(custom_operators(description)))
        log = Caught()
        try:
            with caught(log):
                program = self._load(self._core(self._groups[0]) if self._groups else frozenset())
        except ModelError as error:
            raise refusal(region.name, description, self._complaints() or error.why or "") from error
        self.signatures = MappingProxyType({**self._told, **program.signatures})
        self.cache_refused = _CACHE_REFUSED in log.complaints()
        if cache_file not in ("", IN_MEMORY) and not self.cache_refused:
            self.weights = Path(cache_file)

    def _load(self, keep: frozenset[str]) -> Program:
        # The one before goes first, unless runs of it are still there: two of them would take the room twice.
        self._program = None
        self._program = Program(self._region, self._options, self._cancel_flag, keep, self._told)
        self._programs.add(self._program)
        return self._program

    def _complaints(self) -> str:
        """Fail once more, with the engine printing what is wrong, and return that."""
        log = Caught()
        options = replace(self._options, cache_file="", errors=ERRORS_PRINTED)
        with suppress(ModelError), caught(log), load_library().loud():
            Program(self._region, options, self._cancel_flag).close()
        return log.complaints()

    def prepare(self) -> None:
        """Prepare what is loaded, which completes a new cache file, and have the weights at hand.

        A decoder's graphs are left to their first runs: the engine would make room for the caches that are bound in
        place, 6 MB for 135 M parameters, and keep it.
        """
        with self._busy:
            self._check_open()
            assert self._program is not None
            if self._whole or len(self.signatures) == 1:
                self._program.prepare()
            if not self._whole:  # what packs weights runs none of them
                self.bring_in()

    def cancel(self) -> None:
        """Stop the run that goes on in another thread; see `Model.cancel`."""
        super().cancel()
        if self._cancelled:
            self._cancel_flag[0] = 1

    def _begin(self, run: Run) -> None:
        self._cancel_flag[0] = 0
        super()._begin(run)

    def bring_in(self) -> None:
        """Have the weights at hand before the first run over them, unless something reads them ahead."""
        if self._is_new and self._attendant is None and self.weights is not None:
            bring_in(self.weights, lambda: self._cancelled)
        self._is_new = False

    def _end(self) -> None:
        super()._end()
        self._runs += 1
        if self._runs % _RUNS_PER_DROP == 1 and self._attendant is None and self._program is not None:
            self._program.advise(mmap.MADV_DONTNEED)
        if self._attendant is not None and not self._settled:
            self._settled = True
            # Of the model's file, later runs read single rows of tables. What is read around those takes the room, up
            # to 8 MB for each, of what the attendant keeps in memory.
            if self._program is not None:
                self._program.advise(mmap.MADV_RANDOM)
            with suppress(OSError), self._region.path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def _bind(self, signature: Signature, inputs: dict[str, Array], outputs: dict[str, Array]) -> Run:
        program = next((item for item in self._programs if signature.name in item.indices), None)
        if program is None:
            program = self._reload(signature.name)
        return _LiteRtRun(self, signature, inputs, outputs, program)

    def _reload(self, name: str) -> Program:
        """Load another signature: beside those of the same length of cache, or in their place."""
        if self.weights is not None and not self.weights.exists():
            # Another process needed the room. The engine would write the file anew, in place and for this group only.
            self._options, self.weights = replace(self._options, cache_file=IN_MEMORY), None
        self._dismiss()
        group = next(group for group in self._groups if name in group)
        program = next((item for item in self._programs if group & item.indices.keys()), None)
        with caught(Caught()):
            if program is None:
                program = self._load(self._core(group) | {name})
            else:
                program.add(self._region, self._options, self._cancel_flag, frozenset([name]))
        self._settled, self._is_new = False, True
        self._summon()
        return program

    def _core(self, group: frozenset[str]) -> frozenset[str]:
        """Return what to load of signatures that share their caches: that which takes the fewest tokens, and the most.

        Of those that take the most that which is told most about them, for it gives scores; and that which sees the
        least, for a prompt begins with it.
        """
        fed = {name: _fed_elements(self._told[name]) for name in sorted(group)}
        fixed = set.intersection(*(set(sizes.items()) for sizes in fed.values()))

        def rank(name: str) -> tuple[int, int, int]:
            sizes = [size for key, size in fed[name].items() if (key, size) not in fixed]
            return min(sizes, default=0), len(sizes), -sum(sizes)

        return frozenset([min(fed, key=lambda name: sum(fed[name].values())), max(fed, key=rank)])

    def _release(self) -> None:
        self._program = None
        for program in list(self._programs):
            program.close()


class _LiteRtRun(Run):
    """One signature with its tensor buffers; an array bound on both sides has one buffer."""

    def __init__(
        self,
        model: LiteRtModel,
        signature: Signature,
        inputs: dict[str, Array],
        outputs: dict[str, Array],
        program: Program,
    ) -> None:
        super().__init__(model, signature, inputs, outputs)
        self._lib, self._program, self._bring_in = load_library(), program, model.bring_in
        self._function = self._lib.functions["RunCompiledModel"]
        self._tokens = inputs.get(_TOKENS)
        buffers: dict[tuple[int, TensorSpec], c_void_p] = {}
        order = program.signatures[signature.name]
        try:
            self._ends = [
                (len(arrays), (c_void_p * len(arrays))(*self._handles(buffers, specs, arrays)))
                for specs, arrays in ((order.inputs, inputs), (order.outputs, outputs))
            ]
        finally:
            weakref.finalize(self, _destroy, self._lib, list(buffers.values()))

    def _handles(
        self,
        buffers: dict[tuple[int, TensorSpec], c_void_p],
        specs: Mapping[str, TensorSpec],
        arrays: dict[str, Array],
    ) -> list[c_void_p]:
        handles = []
        for name, spec in specs.items():
            address = arrays[name].ctypes.data
            key = (address, spec)
            if key not in buffers:
                kind = ranked_type(spec.shape, spec.dtype.name)
                make = self._lib.make
                buffers[key] = make("CreateTensorBufferFromHostMemory", byref(kind), address, spec.size_bytes, None)
            handles.append(buffers[key])
        return handles

    def _invoke(self) -> None:
        (inputs, input_handles), (outputs, output_handles) = self._ends
        compiled = self._program.compiled
        index = self._program.indices.get(self.signature.name)  # changes when others are loaded
        if index is None:
            raise ModelError(
                f"{self._model.name} lost {self.signature.name!r}.",
                why="To load another signature beside it failed, and what was loaded went first.",
                fix="Bind it again.",
            )
        self._bring_in()
        rows, looked_up = self._program.rows, 0
        if rows is not None and self._tokens is not None and self._model._attendant is None:
            rows.copy(self._tokens)
            looked_up = self._tokens.size
        status = self._function(compiled, index, inputs, input_handles, outputs, output_handles)
        if looked_up > 1:
            self._program.advise(mmap.MADV_DONTNEED)
        if status and not self._model._cancelled:
            raise ModelError(
                f"{self._model.name} failed while running {self.signature.name!r}.",
                why=self._lib.error_messages(compiled) or f"LiteRT says: {status_text(status)}.",
            )


def _fed_elements(signature: Signature) -> dict[str, int]:
    """Count what goes into a signature besides its caches, by input."""
    return {name: prod(spec.shape) for name, spec in signature.inputs.items() if name not in signature.outputs}


def _told(signature: SignatureInfo, known: dict[tuple[object, ...], TensorSpec]) -> Signature:
    """Give a signature as the file describes it; a cache is a tensor of many, and described once."""
    ends = [
        end_names([_spec(key, item, known) for key, item in tensors.items()], end)
        for end, tensors in (("input", signature.inputs), ("output", signature.outputs))
    ]
    return Signature(signature.name, *ends)


def _spec(name: str, told: TensorInfo, known: dict[tuple[object, ...], TensorSpec]) -> TensorSpec:
    key = (name, told.shape, told.dtype, told.scale, told.zero_point)
    if found := known.get(key):
        return found
    quantization = None
    if told.scale is not None and told.zero_point is not None:
        quantization = Quantization(told.scale, told.zero_point)
    return known.setdefault(key, TensorSpec(name, told.shape, numpy_type(told.dtype, name, name), quantization))


def _destroy(lib: LiteRt, buffers: list[c_void_p]) -> None:
    for buffer in buffers:
        lib.functions["DestroyTensorBuffer"](buffer)
