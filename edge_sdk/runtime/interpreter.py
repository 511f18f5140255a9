"""The second engine: TensorFlow Lite's Interpreter, which is all there is on 32-bit boards.

It keeps its tensors to itself, so a run copies each input in and each output out once, into the bound arrays.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from boards import require
from edge_sdk.bundle.row_scale import row_scaled
from edge_sdk.bundle.tflite import TfliteModel
from edge_sdk.errors import MissingDependency, ModelError
from edge_sdk.runtime.delegate import Delegate, operators_taken
from edge_sdk.runtime.engine_log import Caught, caught
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
from edge_sdk.runtime.region import Region, custom_operators, refusal

__all__ = ["NEWER", "OLD_REASON", "InterpreterModel", "installed_interpreter", "is_old"]

# tflite-runtime first: where it is installed beside the other, someone chose it.
_PACKAGES = ("tflite_runtime", "ai_edge_litert")
_OLD = _PACKAGES[0]
NEWER = "Use a 64-bit system with ai-edge-litert to ask; to count cells, as smear does, tflite-runtime is enough."
OLD_REASON = "Where rows of weights have scales of their own ({}), tflite-runtime gives 0 without a word."


def is_old() -> bool:
    """Say whether models would run in tflite-runtime, which is taken where it is installed."""
    return importlib.util.find_spec(_OLD) is not None


def installed_interpreter() -> str:
    """Return the name and version of the package that models run in, without loading it; empty where none is."""
    from importlib.metadata import version  # takes 2 MB

    for package in _PACKAGES:
        if importlib.util.find_spec(package):
            return f"{package} {version(package)}"
    return ""


def _interpreter_module() -> Any:
    reasons = []
    for package in _PACKAGES:
        require(package.replace("_", "-"))
        try:
            module = importlib.import_module(f"{package}.interpreter")
            if module.Interpreter and module.load_delegate:
                return module
        except (ImportError, AttributeError) as error:  # a build for numpy 1 fails so under numpy 2
            reasons.append(f"{package}: {error}")
    raise MissingDependency(
        "No TensorFlow Lite interpreter is installed.",
        why="; ".join(reasons),
        fix="pip install 'ai-edge-litert>=2.3,<3' (64-bit) or 'tflite-runtime==2.14.0' 'numpy<2' (32-bit).",
    )


class InterpreterModel(Model):
    """A model in the Interpreter; see `Model`. A run cannot be stopped midway, and there is no weight cache.

    Attributes
    ----------
    operators_taken : int or None
        How many of the first graph's operators the delegate took; ``None`` without one.
    """

    engine = "interpreter"

    def __init__(
        self, region: Region, description: TfliteModel, threads: int, delegate: Delegate | None = None
    ) -> None:
        super().__init__(region.name)
        self._interpreter: Any = None
        self.operators_taken: int | None = None
        module = _interpreter_module()
        self._fix = NEWER if module.__name__.startswith(_OLD) else None
        if self._fix:
            _check_row_scales(region)
        plug_ins = []
        if delegate:
            self.delegate = delegate.name
            plug_ins.append(_plug_in(module, delegate))
        # The tensors of each signature: graph, then input and output indices in the order of the names.
        self._indices: dict[str, tuple[int, list[int], list[int]]] = {}
        log = Caught()
        try:
            with caught(log):
                self._interpreter = module.Interpreter(
                    **_source(region), num_threads=threads, experimental_delegates=plug_ins
                )
                if delegate:  # asked before tensors are allocated, when the engine lets its own delegate take the rest
                    nodes = self._interpreter._get_ops_details()
                    self.operators_taken = operators_taken(nodes, sum(description.subgraphs[0].operators.values()))
                self._read_signatures(description)
        except (ValueError, RuntimeError) as error:
            if isinstance(error, ModelError):
                raise
            self._release()
            raise refusal(region.name, description, log.complaints() or str(error), self._fix) from error

    @property
    def _core(self) -> Any:
        """The only way to graphs other than the first; not kept, for it must end before its delegates do."""
        return self._interpreter._interpreter

    def _read_signatures(self, description: TfliteModel) -> None:
        found = self._interpreter.get_signature_list()
        prepare = len(found) < 2 or bool(custom_operators(description))
        self.signatures = MappingProxyType(
            {name: self._read_signature(name, prepare) for name in found} or {DEFAULT_SIGNATURE: self._default()}
        )

    def _default(self) -> Signature:
        self._core.AllocateTensors(0)
        ends = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        return self._signature(DEFAULT_SIGNATURE, 0, [[(item["name"], item) for item in end] for end in ends])

    def _read_signature(self, name: str, prepare: bool) -> Signature:
        runner = self._interpreter.get_signature_runner(name)
        graph = self._core.GetSubgraphIndexFromSignature(name)
        if prepare:
            self._core.AllocateTensors(graph)
        ends = runner.get_input_details(), runner.get_output_details()
        return self._signature(name, graph, [end.items() for end in ends])

    def _signature(self, name: str, graph: int, ends: list[Iterable[tuple[str, Any]]]) -> Signature:
        inputs, outputs = ([(self._spec(key, item), int(item["index"])) for key, item in end] for end in ends)
        self._indices[name] = (graph, [index for _, index in inputs], [index for _, index in outputs])
        return Signature(
            name,
            end_names([spec for spec, _ in inputs], "input"),
            end_names([spec for spec, _ in outputs], "output"),
        )

    def _spec(self, name: str, details: Mapping[str, Any]) -> TensorSpec:
        kind = np.dtype(details["dtype"])
        scales, zero_points = (details["quantization_parameters"][key] for key in ("scales", "zero_points"))
        quantization = Quantization(float(scales[0]), int(zero_points[0])) if len(scales) == 1 else None
        shape = tuple(int(n) for n in details["shape"])
        return TensorSpec(
            name,
            shape,
            numpy_type("text" if kind.kind in "SUO" else kind.name, name, self.name),
            quantization,
        )

    def _bind(self, signature: Signature, inputs: dict[str, Array], outputs: dict[str, Array]) -> Run:
        try:
            with caught(Caught()):
                self._core.AllocateTensors(self._indices[signature.name][0])
        except RuntimeError as error:
            raise ModelError(
                f"{self.name} cannot prepare {signature.name!r}.", why=str(error), fix=self._fix
            ) from error
        return _InterpreterRun(self, signature, inputs, outputs)

    def _release(self) -> None:
        self._interpreter = None


def _check_row_scales(region: Region) -> None:
    """Refuse what tflite-runtime 2.14 would run to wrong answers, without a word."""
    if kinds := row_scaled(region.map()[1].data, region.name):
        raise ModelError(
            f"{region.name} does not run in tflite-runtime.",
            why=OLD_REASON.format(", ".join(kinds)),
            fix=NEWER,
        )


def _plug_in(module: Any, delegate: Delegate) -> Any:
    """Load a delegate's library and have it make its delegate."""
    try:
        return module.load_delegate(str(delegate.find() or delegate.library), dict(delegate.options))
    except AttributeError as error:
        why = f"It is no delegate: {error}"
    except (ValueError, OSError) as error:
        # The engine puts a line of its own before what the delegate said.
        why = str(error).split("\n", 1)[-1].strip() or "It gave no reason."
    raise ModelError(f"The delegate {delegate.library} does not load.", why=why, fix=delegate.install or None)


def _source(region: Region) -> dict[str, Any]:
    """Say to the Interpreter where the model is; a part of a file must be copied into memory for it."""
    with region.path.open("rb") as file:
        if region.offset == 0 and file.seek(0, 2) == region.size:
            return {"model_path": str(region.path)}
        file.seek(region.offset)
        return {"model_content": file.read(region.size)}


class _InterpreterRun(Run):
    """One signature; an array bound on both sides ends up as if it had been updated in place."""

    def __init__(
        self,
        model: InterpreterModel,
        signature: Signature,
        inputs: dict[str, Array],
        outputs: dict[str, Array],
    ) -> None:
        super().__init__(model, signature, inputs, outputs)
        self._owner = model
        self._graph, sources, targets = model._indices[signature.name]
        self._sources = list(zip(sources, inputs.values(), strict=True))
        self._targets = list(zip(targets, outputs.values(), strict=True))

    def _invoke(self) -> None:
        core, graph = self._owner._core, self._graph
        try:
            core.AllocateTensors(graph)
            for index, array in self._sources:
                core.SetTensor(index, array, graph)
            core.Invoke(graph)
            for index, array in self._targets:
                np.copyto(array, core.tensor(core, index, graph))
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"{self._model.name} failed while running {self.signature.name!r}.", why=str(error)
            ) from error
