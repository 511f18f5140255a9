"""The main engine: LiteRT through its C API, nothing copied in or out, the GIL free during a run."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
import weakref
from collections.abc import Mapping
from contextlib import suppress
from ctypes import byref, c_int, c_void_p
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from edge_sdk.bundle.tflite import TfliteModel
from edge_sdk.errors import ModelError
from edge_sdk.runtime.engine_log import Caught, caught
from edge_sdk.runtime.litert_library import (
    CPU,
    ELEMENT_TYPES,
    Layout,
    LiteRt,
    PerTensor,
    RankedTensorType,
    load_library,
    ranked_type,
    status_text,
)
from edge_sdk.runtime.model import (
    DEFAULT_SIGNATURE,
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

_PLACEHOLDER = "<placeholder signature>"  # what LiteRT calls the first graph of a file without signatures
_CACHE_REFUSED = "weight cache could neither be loaded"
_RANKED, _PER_TENSOR = 0, 1
_ERRORS_PRINTED, _ERRORS_KEPT = 1, 2


class LiteRtModel(Model):
    """A model in LiteRT; see `Model`.

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

    Attributes
    ----------
    cache_refused : bool
        The engine could neither read the cache file nor write it, and works without.
    """

    engine = "litert"

    def __init__(self, region: Region, description: TfliteModel, threads: int, cache_file: str = IN_MEMORY) -> None:
        super().__init__(region.name)
        self._lib = load_library()
        self._indices: dict[str, int] = {}
        self._cancel_flag = (ctypes.c_uint8 * 2)()  # read as a string that is empty or not
        self._handle = c_void_p()
        self._compiled = c_void_p()
        # What the engine holds, the last of it to go first, and the memory that it reads until then.
        self._owned: list[tuple[str, c_void_p]] = []
        self._kept: list[object] = [self._cancel_flag]
        weakref.finalize(self, _free, self._lib, self._owned, self._kept)
        self._threads = threads
        self._path = region.path
        self._pages: mmap.mmap | None = None
        self._settled = False
        # A graph with operators that may be missing is prepared now, so that it fails now.
        self._prepare = bool(custom_operators(description))
        # A limit on the size of files holds for XNNPACK's file in memory too, and passing it ends the process.
        limit_bytes = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        if cache_file == IN_MEMORY and 0 <= limit_bytes < 2 * region.size:
            cache_file = ""
        log = Caught()
        try:
            with caught(log):
                self._start(region, cache_file, _ERRORS_KEPT)
        except ModelError as error:
            raise refusal(region.name, description, self._complaints(region) or error.why or "") from error
        self.cache_refused = _CACHE_REFUSED in log.complaints()
        if cache_file not in ("", IN_MEMORY) and not self.cache_refused:
            self.weights = Path(cache_file)

    def _start(self, region: Region, cache_file: str, errors: int) -> None:
        pages, view = region.map()
        where = view.ctypes.data, region.size
        self._handle = self._lib.make("CreateModelFromBuffer", self._lib.environment, *where)
        self._kept += (pages, view)
        self._owned.append(("Model", self._handle))
        self._compiled = self._compile(cache_file, errors)
        self._owned.append(("CompiledModel", self._compiled))
        flag = ctypes.addressof(self._cancel_flag)
        self._lib.call("SetCompiledModelCancellationFunction", self._compiled, flag, self._lib.flag_is_set)
        self.signatures = self._read_signatures()
        self._pages = pages
        # Most of what loading read of the file no run looks at; what one does comes back by itself.
        self._advise(mmap.MADV_DONTNEED)

    def _advise(self, advice: int) -> None:
        if self._pages is not None:
            with suppress(OSError):  # pages that someone has locked in memory stay
                self._pages.madvise(advice)

    def _complaints(self, region: Region) -> str:
        """Fail once more, with the engine printing what is wrong, and return that."""
        log = Caught()
        self._release()
        with suppress(ModelError), caught(log), self._lib.loud():
            self._start(region, "", _ERRORS_PRINTED)
        self._release()
        return log.complaints()

    def _compile(self, cache_file: str, errors: int) -> c_void_p:
        lib = self._lib
        cache = f'weight_cache_file_path = "{cache_file}"\n' if cache_file else ""
        options = lib.make("CreateOptions")
        try:
            lib.call("SetOptionsHardwareAccelerators", options, CPU)
            for identifier, settings in (
                ("xnnpack", f"num_threads = {self._threads}\n" + cache),
                (
                    "runtime_options_string",
                    f"error_reporter_mode = {errors}\ncompress_quantization_zero_points = true\n",
                ),
            ):
                lib.call("AddOpaqueOptions", options, lib.opaque_options(identifier, settings))
            return lib.make("CreateCompiledModel", lib.environment, self._handle, options)
        finally:
            lib.functions["DestroyOptions"](options)

    def prepare(self) -> None:
        """Prepare all signatures now instead of at their first run, which completes a new cache file."""
        for index in self._indices.values():
            self._output_shapes(index)

    def _output_shapes(self, index: int) -> list[tuple[int, ...]]:
        """Have the engine prepare a signature's graph, and return the shapes that its outputs get."""
        count = self._lib.number("GetNumSignatureOutputs", self._lib.make("GetModelSignature", self._handle, index))
        layouts = (Layout * count)()
        self._lib.call("GetCompiledModelOutputTensorLayouts", self._compiled, index, count, layouts, True)
        return [layout.shape() for layout in layouts]

    def _read_signatures(self) -> Mapping[str, Signature]:
        found: dict[str, Signature] = {}
        for index in range(self._lib.number("GetNumModelSignatures", self._handle)):
            handle = self._lib.make("GetModelSignature", self._handle, index)
            key = self._lib.text("GetSignatureKey", handle)
            name = DEFAULT_SIGNATURE if key == _PLACEHOLDER else key
            # The engine prepares a graph with 1 where the file leaves a dimension open (mostly the batch).
            inputs = [
                replace(spec, shape=tuple(max(1, n) for n in spec.shape)) for spec in self._specs(handle, "Input")
            ]
            outputs = self._specs(handle, "Output")
            if self._prepare or any(min(spec.shape, default=0) < 0 for spec in outputs):
                shapes = self._output_shapes(index)
                outputs = [replace(spec, shape=shape) for spec, shape in zip(outputs, shapes, strict=True)]
            self._indices[name] = index
            found[name] = Signature(name, end_names(inputs, "input"), end_names(outputs, "output"))
        return MappingProxyType(found)

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

    def cancel(self) -> None:
        """Stop the run that goes on in another thread; see `Model.cancel`."""
        super().cancel()
        if self._cancelled:
            self._cancel_flag[0] = 1

    def _begin(self, run: Run) -> None:
        self._cancel_flag[0] = 0
        super()._begin(run)

    def _end(self) -> None:
        super()._end()
        if self._attendant is not None and not self._settled:
            self._settled = True
            # Of the model's file, later runs read single rows of tables. What is read around those takes the room, up
            # to 8 MB for each, of what the attendant keeps in memory.
            self._advise(mmap.MADV_RANDOM)
            with suppress(OSError), self._path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def _bind(self, signature: Signature, inputs: dict[str, Array], outputs: dict[str, Array]) -> Run:
        return _LiteRtRun(self, signature, inputs, outputs, self._indices[signature.name])

    def _release(self) -> None:
        self._pages = None
        _free(self._lib, self._owned, self._kept)
        self._compiled = self._handle = c_void_p()


def _free(lib: LiteRt, owned: list[tuple[str, c_void_p]], kept: list[object]) -> None:
    """Free what a model takes in the engine; the memory that it reads may go only then."""
    while owned:
        kind, handle = owned.pop()
        lib.functions[f"Destroy{kind}"](handle)
    kept.clear()


class _LiteRtRun(Run):
    """One signature with its tensor buffers; an array bound on both sides has one buffer."""

    def __init__(
        self,
        model: LiteRtModel,
        signature: Signature,
        inputs: dict[str, Array],
        outputs: dict[str, Array],
        index: int,
    ) -> None:
        super().__init__(model, signature, inputs, outputs)
        self._lib, self._index, self._compiled = model._lib, index, model._compiled
        self._function = self._lib.functions["RunCompiledModel"]
        buffers: dict[tuple[int, TensorSpec], c_void_p] = {}
        try:
            self._ends = [
                (len(arrays), (c_void_p * len(arrays))(*self._handles(buffers, specs, arrays)))
                for specs, arrays in ((signature.inputs, inputs), (signature.outputs, outputs))
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
        status = self._function(self._compiled, self._index, inputs, input_handles, outputs, output_handles)
        if status and not self._model._cancelled:
            raise ModelError(
                f"{self._model.name} failed while running {self.signature.name!r}.",
                why=self._lib.error_messages(self._compiled) or f"LiteRT says: {status_text(status)}.",
            )


def _destroy(lib: LiteRt, buffers: list[c_void_p]) -> None:
    for buffer in buffers:
        lib.functions["DestroyTensorBuffer"](buffer)
