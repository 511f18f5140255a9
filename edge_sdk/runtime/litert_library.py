"""LiteRT's C library by ctypes: its structures, its functions, and its complaints as text.

Source: headers in litert/c of github.com/google-ai-edge/LiteRT, tried with ai-edge-litert 2.3.0. The structs
are declared ABI-stable there and the symbols carry version tags.
"""

from __future__ import annotations

import ctypes
import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

from boards import require
from edge_sdk.errors import MissingDependency, ModelError

__all__ = [
    "CPU",
    "ELEMENT_TYPES",
    "Layout",
    "LiteRt",
    "PerTensor",
    "RankedTensorType",
    "library_path",
    "load_library",
    "ranked_type",
]

CPU = 1
_ENV_ACCELERATORS, _ENV_LOG_SEVERITY = 24, 25
_ANY_INT, _LOG_ERRORS, _LOG_NOTHING = 2, 3, 4
_RANK_MAX = 8
# Names that numpy knows, by element type code (litert_model_types.h); other types cannot be fed from numpy.
ELEMENT_TYPES = {
    1: "float32",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    8: "complex64",
    9: "int8",
    10: "float16",
    11: "float64",
    12: "complex128",
    13: "uint64",
    16: "uint32",
    17: "uint16",
}
_CODES = {name: code for code, name in ELEMENT_TYPES.items()}
_loading = threading.Lock()
# Said where the engine itself gives no reason (litert_common.h).
_STATUS = {
    1: "an argument is wrong",
    2: "there is not enough memory",
    3: "it failed while running",
    5: "the model needs something that this engine does not have",
    6: "something was not found",
    500: "the file could not be read",
    501: "the file is damaged",
    504: "the model could not be prepared",
}


class _Any(ctypes.Structure):
    _fields_ = (("type", c_int), ("value", c_int64))


class _EnvironmentOption(ctypes.Structure):
    _fields_ = (("tag", c_int), ("value", _Any))


class Layout(ctypes.Structure):
    """A shape: the rank in the low 7 bits of the first word, then room for 8 dimensions and 8 strides."""

    _fields_ = (("rank", c_uint32), ("dimensions", c_int32 * _RANK_MAX), ("strides", c_uint32 * _RANK_MAX))

    def shape(self) -> tuple[int, ...]:
        """Return the dimensions."""
        return tuple(self.dimensions[: self.rank & 0x7F])


class RankedTensorType(ctypes.Structure):
    """An element type and a shape."""

    _fields_ = (("element_type", c_int), ("layout", Layout))


class PerTensor(ctypes.Structure):
    """The quantization of a whole tensor."""

    _fields_ = (("scale", ctypes.c_float), ("zero_point", c_int64))


_OUT = POINTER(c_void_p)
# Function -> argument types; all of these return a status. `make` functions write a handle to the last one.
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "CreateEnvironment": (c_int, POINTER(_EnvironmentOption), _OUT),
    "CreateModelFromBuffer": (c_void_p, c_void_p, c_size_t, _OUT),
    "GetNumModelSignatures": (c_void_p, POINTER(c_size_t)),
    "GetModelSignature": (c_void_p, c_size_t, _OUT),
    "GetSignatureKey": (c_void_p, POINTER(c_char_p)),
    "GetNumSignatureInputs": (c_void_p, POINTER(c_size_t)),
    "GetNumSignatureOutputs": (c_void_p, POINTER(c_size_t)),
    "GetSignatureInputName": (c_void_p, c_size_t, POINTER(c_char_p)),
    "GetSignatureOutputName": (c_void_p, c_size_t, POINTER(c_char_p)),
    "GetSignatureInputTensorByIndex": (c_void_p, c_size_t, _OUT),
    "GetSignatureOutputTensorByIndex": (c_void_p, c_size_t, _OUT),
    "GetTensorTypeId": (c_void_p, POINTER(c_int)),
    "GetRankedTensorType": (c_void_p, POINTER(RankedTensorType)),
    "GetQuantizationTypeId": (c_void_p, POINTER(c_int)),
    "GetPerTensorQuantization": (c_void_p, POINTER(PerTensor)),
    "CreateOptions": (_OUT,),
    "SetOptionsHardwareAccelerators": (c_void_p, c_int),
    "CreateOpaqueOptions": (c_char_p, c_void_p, c_void_p, _OUT),
    "AddOpaqueOptions": (c_void_p, c_void_p),
    "CreateCompiledModel": (c_void_p, c_void_p, c_void_p, _OUT),
    "GetCompiledModelOutputTensorLayouts": (c_void_p, c_size_t, c_size_t, POINTER(Layout), ctypes.c_bool),
    "SetCompiledModelCancellationFunction": (c_void_p, c_void_p, c_void_p),
    "CreateTensorBufferFromHostMemory": (POINTER(RankedTensorType), c_void_p, c_size_t, c_void_p, _OUT),
    "RunCompiledModel": (c_void_p, c_size_t, c_size_t, _OUT, c_size_t, _OUT),
    "CompiledModelGetErrorMessages": (c_void_p, POINTER(c_void_p)),
    "CompiledModelClearErrors": (c_void_p,),
}
_QUICK = frozenset(name for name in _SIGNATURES if name.startswith("Get")) - {"GetCompiledModelOutputTensorLayouts"}
_DESTROYERS = ("Model", "Options", "CompiledModel", "TensorBuffer", "Environment")


class LiteRt:
    """The loaded library with the one environment that all models share.

    Parameters
    ----------
    path : pathlib.Path
        ``libLiteRt.so``.
    """

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self.path = path
        # RunCompiledModel is called directly, once for each token; CDLL lets go of the GIL around it. What only looks
        # something up keeps it: to get it back may take 5 ms beside another thread, for each of hundreds of names.
        quick = ctypes.PyDLL(str(path))
        self.functions: dict[str, Any] = {}
        for name, arguments in _SIGNATURES.items():
            function = getattr(quick if name in _QUICK else self._library, f"LiteRt{name}")
            function.argtypes, function.restype = arguments, c_int
            self.functions[name] = function
        for name in _DESTROYERS:
            function = getattr(self._library, f"LiteRtDestroy{name}")
            function.argtypes, function.restype = (c_void_p,), None
            self.functions[f"Destroy{name}"] = function
        libc = ctypes.CDLL(None)
        self._free, self._duplicate = libc.free, libc.strdup
        self._free.argtypes, self._free.restype = (c_void_p,), None
        self._duplicate.argtypes, self._duplicate.restype = (c_char_p,), c_void_p
        # As a cancel callback: a C function from pointer to flag, false while the byte there is 0. A callback
        # written in Python would take the GIL between any two operators.
        self.flag_is_set = ctypes.cast(libc.strlen, c_void_p)
        self.environment = self._new_environment(_LOG_NOTHING)

    def _new_environment(self, severity: int) -> c_void_p:
        # Only the CPU is registered, so the WebGPU plug-in beside the library is never loaded (it holds
        # instructions that a Raspberry Pi 4 does not have).
        options = (_EnvironmentOption * 2)(
            _EnvironmentOption(_ENV_ACCELERATORS, _Any(_ANY_INT, CPU)),
            _EnvironmentOption(_ENV_LOG_SEVERITY, _Any(_ANY_INT, severity)),
        )
        return self.make("CreateEnvironment", 2, options)

    @contextmanager
    def loud(self) -> Iterator[None]:
        """Have the library print what is wrong; it takes that setting from the environment made last."""
        self.functions["DestroyEnvironment"](self._new_environment(_LOG_ERRORS))
        try:
            yield
        finally:
            self.functions["DestroyEnvironment"](self._new_environment(_LOG_NOTHING))

    def call(self, function: str, *arguments: Any) -> None:
        """Call a function that returns a status; raise `ModelError` unless it is 0."""
        status = self.functions[function](*arguments)
        if status:
            raise ModelError(f"LiteRt{function} failed.", why=f"{status_text(status)} (status {status}).")

    def make(self, function: str, *arguments: Any) -> c_void_p:
        """Call a function that writes a handle to its last argument, and return the handle."""
        handle = c_void_p()
        self.call(function, *arguments, byref(handle))
        return handle

    def number(self, function: str, *arguments: Any) -> int:
        """Call a function that writes a count to its last argument."""
        value = c_size_t()
        self.call(function, *arguments, byref(value))
        return value.value

    def text(self, function: str, *arguments: Any) -> str:
        """Call a function that writes a string to its last argument."""
        value = c_char_p()
        self.call(function, *arguments, byref(value))
        return (value.value or b"").decode("utf-8", "replace")

    def opaque_options(self, identifier: str, settings: str) -> c_void_p:
        """Make options of a part of the engine from TOML text; C's own heap holds the text, and frees it."""
        text = self._duplicate(settings.encode())
        return self.make("CreateOpaqueOptions", identifier.encode(), text, ctypes.cast(self._free, c_void_p))

    def error_messages(self, compiled: c_void_p) -> str:
        """Take what a compiled model has complained about since the last call."""
        value = c_void_p()
        if self.functions["CompiledModelGetErrorMessages"](compiled, byref(value)) or not value.value:
            return ""
        message = ctypes.string_at(value.value).decode("utf-8", "replace")
        self._free(value)
        self.functions["CompiledModelClearErrors"](compiled)
        return message


def ranked_type(shape: tuple[int, ...], dtype: str) -> RankedTensorType:
    """Describe a tensor to the library."""
    kind = RankedTensorType()
    kind.element_type = _CODES[dtype]
    kind.layout.rank = len(shape)
    kind.layout.dimensions[: len(shape)] = shape
    return kind


def status_text(status: int) -> str:
    """Return a status as words."""
    return _STATUS.get(status, "the engine gave no reason")


def library_path() -> Path:
    """Find the library, without loading it.

    Raises
    ------
    MissingDependency
        ai-edge-litert is not installed.
    """
    spec = importlib.util.find_spec("ai_edge_litert")
    folders = spec.submodule_search_locations if spec else None
    path = Path(next(iter(folders)), "libLiteRt.so") if folders else None
    if path is None or not path.is_file():
        raise MissingDependency(
            "The LiteRT engine is not installed.",
            why="The package ai-edge-litert, or the libLiteRt.so in it, is not there.",
            fix="pip install 'ai-edge-litert>=2.3,<3' (64-bit), or engine='interpreter' with tflite-runtime.",
        )
    return path


def load_library() -> LiteRt:
    """Find and load the library, once for the process.

    The Python package around it is not imported: that would take a second copy of the engine into memory.

    Raises
    ------
    MissingDependency
        ai-edge-litert is not installed, or its library does not run here.
    EdgeError
        The processor lacks what the library uses without asking.
    """
    with _loading:  # two models may be the first ones, on two threads
        return _load()


@cache
def _load() -> LiteRt:
    path = library_path()
    require("ai-edge-litert")
    try:
        return LiteRt(path)
    except (OSError, AttributeError) as error:
        raise MissingDependency(
            "The LiteRT engine does not run here.",
            why=str(error),
            fix="Install the build for this machine and Python: pip install 'ai-edge-litert>=2.3,<3'.",
        ) from error
