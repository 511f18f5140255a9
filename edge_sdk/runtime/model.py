"""What every engine offers: signatures, buffers that are numpy arrays, and runs bound to them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import Cancelled, ClosedError, ModelError, ShapeError, SignatureNotFound
from edge_sdk.runtime.alive import Alive

__all__ = ["CPU", "Array", "Model", "Quantization", "Run", "Signature", "TensorSpec", "aligned"]

CPU = "cpu"  # where no delegate runs a model
DEFAULT_SIGNATURE = "default"  # for the first graph of a file that names none
Array: TypeAlias = npt.NDArray[Any]
ALIGNMENT_BYTES = 64  # what LiteRT asks of host memory (LITERT_HOST_MEMORY_BUFFER_ALIGNMENT)
# XNNPACK's kernels load whole vectors and so read a few bytes behind the end of an input.
_TAIL_BYTES = 64


@dataclass(frozen=True, slots=True)
class Quantization:
    """How a whole-numbered tensor stands for real values: ``real = scale * (stored - zero_point)``."""

    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """The name, shape and type of an input or output."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quantization: Quantization | None = None

    @property
    def size_bytes(self) -> int:
        """How much memory a tensor of this kind takes."""
        return prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Signature:
    """A named way to call a model; inputs and outputs by name, in the engine's order."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


def aligned(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """Make an array of zeros that an engine takes as it is; pages are taken only once they are touched."""
    kind = np.dtype(dtype)
    size_bytes = prod(shape) * kind.itemsize
    raw = np.zeros(size_bytes + ALIGNMENT_BYTES + _TAIL_BYTES, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT_BYTES
    return raw[start : start + size_bytes].view(kind).reshape(shape)


def end_names(specs: Sequence[TensorSpec], end: str) -> Mapping[str, TensorSpec]:
    """Key tensors by name; one without a name, or with another's, becomes its end and place (``input_1``)."""
    named: dict[str, TensorSpec] = {}
    for index, spec in enumerate(specs):
        name = spec.name if spec.name and spec.name not in named else f"{end}_{index}"
        named[name] = spec if name == spec.name else replace(spec, name=name)
    return MappingProxyType(named)


class Run(ABC):
    """One signature bound to its arrays; calling it runs the model on what they hold.

    Attributes
    ----------
    inputs, outputs : Mapping[str, ndarray]
        The bound arrays by name. Write into the inputs, call, read the outputs; nothing is copied.
    """

    def __init__(self, model: Model, signature: Signature, inputs: dict[str, Array], outputs: dict[str, Array]) -> None:
        self.inputs: Mapping[str, Array] = MappingProxyType(inputs)
        self.outputs: Mapping[str, Array] = MappingProxyType(outputs)
        self.signature, self._model, self._alive = signature, model, Alive()

    def __repr__(self) -> str:
        return f"<Run of {self.signature.name!r} in {self._model.name}>"

    def __call__(self, wanted: Callable[[], bool] | None = None) -> None:
        """Run the model once; other Python threads go on meanwhile.

        Parameters
        ----------
        wanted : function, optional
            Asked when the engine's turn has come, from when on `cancel` has its effect: whether to run still.

        Raises
        ------
        Cancelled
            It was not wanted any more, or was cancelled during the run; what the outputs hold is then undefined.
        ModelError
            The engine could not run the model.
        ClosedError
            The model was closed.
        """
        model = self._model
        with model._busy:
            model._check_open()
            with model._turn:
                model._begin(self)
            try:
                unwanted = wanted is not None and not wanted()
                if not unwanted:
                    self._alive(self._invoke)
                if unwanted or model._cancelled:
                    raise Cancelled(f"The run of {self.signature.name!r} in {model.name} was cancelled.")
            finally:
                model._end()

    def cancel(self) -> None:
        """Stop this run, from another thread; without effect where it is not running."""
        with self._model._turn:  # else the next run might begin after the look, and be stopped in its stead
            if self._model._current is self:
                self._model.cancel()

    @abstractmethod
    def _invoke(self) -> None:
        """Run the engine; return without an error where it stopped because of a cancel."""


class Attendant(Protocol):
    """Something that works beside a model's runs; see `Model.attend`."""

    def begin(self) -> None:
        """Take note that a run begins."""

    def end(self) -> None:
        """Take note that it is over."""

    def close(self) -> None:
        """Stop, because the engine's memory is about to go."""


class Model(ABC):
    """A model in an engine, made by `open_model`.

    A model runs one signature at a time: a second thread waits. `cancel` may be called from any thread at any time.

    Attributes
    ----------
    name : str
        The file, and the place in it, for messages.
    engine : str
        Which engine runs it: ``litert`` or ``interpreter``.
    delegate : str
        What runs the operators that it takes: ``cpu``, or a delegate's name.
    signatures : Mapping[str, Signature]
        What can be called. A file without signatures has one, named ``default``, for its first graph.
    weights : pathlib.Path or None
        The file of packed weights that it has mapped; None where they are in memory.
    """

    engine: str
    delegate = CPU
    weights: Path | None = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.signatures: Mapping[str, Signature] = MappingProxyType({})
        self._busy, self._turn = threading.RLock(), threading.RLock()  # the second of `_current`, as it comes
        self._current: Run | None = None
        self._attendant: Attendant | None = None
        self._attend: Callable[[], Attendant | None] | None = None
        self._cancelled = False
        self._closed = False

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Model {self.name} in {self.engine}: {'closed' if self._closed else ', '.join(self.signatures)}>"

    def prepare(self) -> None:  # noqa: B027
        """Have the engine do now what the first run of what is loaded would begin with."""

    def signature(self, name: str | None = None) -> Signature:
        """Return a signature; without a name the only one there is.

        Raises
        ------
        SignatureNotFound
            There is none of that name, or several and no name was given.
        """
        if name is None and len(self.signatures) == 1:
            return next(iter(self.signatures.values()))
        found = self.signatures.get(name or "")
        if found is None:
            raise SignatureNotFound(
                f"{self.name} has no signature {name!r}." if name else f"{self.name} has several signatures.",
                fix=f"Ask for one of: {', '.join(self.signatures)}.",
            )
        return found

    def buffer(self, spec: TensorSpec) -> Array:
        """Make an array for a tensor, zeroed, aligned as the engine wants it."""
        return aligned(spec.shape, spec.dtype)

    def bind(
        self,
        signature: str | None = None,
        inputs: Mapping[str, Array] | None = None,
        outputs: Mapping[str, Array] | None = None,
    ) -> Run:
        """Tie a signature to the arrays it reads and writes.

        Parameters
        ----------
        signature : str, optional
            Which one; may be left out where there is only one.
        inputs, outputs : Mapping[str, ndarray], optional
            Arrays made by `buffer` (or views of them that start at a multiple of 64 bytes); what is left out
            is made here. The same array on both sides is updated in place, which is how a key-value cache
            should be bound.

        Raises
        ------
        SignatureNotFound
            There is no such signature.
        ShapeError
            An array has another shape or type, is not contiguous or not aligned, or has an unknown name.
        """
        self._check_open()
        found = self.signature(signature)
        ready = [
            self._arrays(found, specs, given or {}, side)
            for specs, given, side in ((found.inputs, inputs, "input"), (found.outputs, outputs, "output"))
        ]
        with self._busy:
            self._check_open()
            return self._bind(found, ready[0], ready[1])

    def cancel(self) -> None:
        """Stop the run that goes on in another thread, which raises `Cancelled`; where none does, do nothing.

        An engine looks between operators; a graph that it compiled into one operator is finished first.
        """
        if self._current is not None:
            self._cancelled = True

    def close(self) -> None:
        """Free the engine's memory, after a run in progress is done; arrays stay valid. Twice is harmless."""
        with self._busy:
            if not self._closed:
                self._closed = True
                self._dismiss()
                self._release()

    def attend(self, start: Callable[[], Attendant | None]) -> Attendant | None:
        """Have something told of each run's beginning and end, and closed before the engine's memory goes.

        Parameters
        ----------
        start : function
            Makes it, now and whenever the engine has mapped the weights anew; None where there is nothing to do.
        """
        with self._busy:
            self._check_open()
            self._attend = start
            return self._summon()

    @abstractmethod
    def _bind(self, signature: Signature, inputs: dict[str, Array], outputs: dict[str, Array]) -> Run:
        """Make the engine's run over checked arrays."""

    @abstractmethod
    def _release(self) -> None:
        """Free what the engine holds."""

    def _dismiss(self) -> None:
        """Close the attendant, because the engine's memory is about to go."""
        if self._attendant is not None:
            self._attendant.close()
            self._attendant = None

    def _summon(self) -> Attendant | None:
        """Start an attendant, where one was asked for."""
        self._attendant = self._attend() if self._attend is not None else None
        return self._attendant

    def _begin(self, run: Run) -> None:
        """Note which run is going on; a cancel that came too late for the one before is forgotten."""
        self._cancelled = False
        self._current = run
        if self._attendant is not None:
            self._attendant.begin()

    def _end(self) -> None:
        self._current = None
        if self._attendant is not None:
            self._attendant.end()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"{self.name} was closed.", fix="Open it again, or move the work into its `with` block.")

    def _arrays(
        self, signature: Signature, specs: Mapping[str, TensorSpec], given: Mapping[str, Array], side: str
    ) -> dict[str, Array]:
        for name, array in given.items():
            if name not in specs:
                what = f"{signature.name!r} of {self.name} has no {side} {name!r}."
                raise ShapeError(what, fix=f"It has: {', '.join(specs)}.")
            self._check_array(specs[name], array, f"The {side} {name!r} of {signature.name!r} in {self.name}")
        return {name: given[name] if name in given else self.buffer(spec) for name, spec in specs.items()}

    def _check_array(self, spec: TensorSpec, array: Array, what: str) -> None:
        if not isinstance(array, np.ndarray) or array.shape != spec.shape or array.dtype != spec.dtype:
            found = f"{list(array.shape)} {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
            raise ShapeError(f"{what} takes {list(spec.shape)} {spec.dtype}; this is {found}.")
        if not (array.flags.c_contiguous and array.flags.writeable) or array.ctypes.data % ALIGNMENT_BYTES:
            raise ShapeError(
                f"{what} got an array whose memory the engine cannot use as it is.",
                why="It must be contiguous, writeable and start at a multiple of 64 bytes.",
                fix="Make it with model.buffer(spec) and write into it.",
            )


def numpy_type(name: str, tensor: str, model: str) -> np.dtype[Any]:
    """Return numpy's type of that name, or say that tensors of it cannot be fed."""
    try:
        return np.dtype(name)
    except TypeError:
        raise ModelError(
            f"{model} has a tensor {tensor!r} of type {name}.",
            why="Inputs and outputs of that type have no numpy counterpart.",
            fix="Export the model with float32, int32, int8 or uint8 inputs and outputs.",
        ) from None
