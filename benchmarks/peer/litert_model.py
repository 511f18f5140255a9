"""LiteRT's two Python interfaces behind one: a file's signatures, run with arrays, caches kept from run to run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
_CACHE = "kv_cache"


class LiteRtFile(ABC):
    """A file open in one of the interfaces.

    Attributes
    ----------
    shapes : dict
        The inputs' shapes, by signature.
    """

    shapes: dict[str, dict[str, tuple[int, ...]]]

    @abstractmethod
    def run(self, signature: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run a signature on what is no cache; return of its outputs what is none."""

    def only(self) -> str:
        """Return the name of the signature of a file that has one."""
        (name,) = self.shapes
        return name

    def size(self, signature: str) -> int:
        """Return how many tokens a signature takes at once."""
        return self.shapes[signature]["input_pos"][-1]

    def scores(self, signature: str) -> bool:
        """Say whether a signature for prompts tells what may follow the last of its tokens."""
        return "last_row" in self.shapes[signature]

    def fitting(self, prompt: int, answer: int) -> tuple[str, str]:
        """Return the signatures with the shortest cache that holds both: for a prompt, and for a step.

        Of those for prompts, the one with least to spare over a prompt of that length, or else the largest; where
        there are two, the one that scores what follows.
        """
        lengths = {name: ends["mask"][-1] for name, ends in self.shapes.items() if "mask" in ends}
        length = min(length for length in lengths.values() if length >= prompt + answer)
        lengths = dict(sorted(lengths.items(), key=lambda item: self.scores(item[0])))
        by_size = {self.size(name): name for name in lengths if lengths[name] == length}
        decode = by_size.pop(1)
        return by_size[min((size for size in by_size if size >= prompt), default=max(by_size))], decode

    def step_inputs(self, signature: str, tokens: Sequence[int], position: int) -> dict[str, Array]:
        """Make what a signature takes beside its caches: tokens, their positions, what each may see, which is last."""
        shapes = self.shapes[signature]
        ids = np.zeros(shapes["tokens"], np.int32)
        ids[0, : len(tokens)] = tokens
        return {"tokens": ids} | self._places(signature, position, len(tokens))

    def blank(self, signature: str) -> dict[str, Array]:
        """Make the same for a signature that takes embeddings, all zero, at the beginning."""
        return {"embeddings": np.zeros(self.shapes[signature]["embeddings"], np.float32)} | self._places(
            signature, 0, 1
        )

    def _places(self, signature: str, position: int, count: int) -> dict[str, Array]:
        shape = self.shapes[signature]["mask"]
        where = np.arange(position, position + self.size(signature), dtype=np.int32)
        hidden = np.float32(-0.7 * np.finfo(np.float32).max)
        seen = np.arange(shape[-1])[None] <= where[:, None]
        found = {"input_pos": where, "mask": np.where(seen, np.float32(0), hidden).reshape(shape)}
        if self.scores(signature):
            found["last_row"] = (np.arange(len(where)) == count - 1).astype(np.float32)[None, None]
        return found


class InterpreterFile(LiteRtFile):
    """A file in LiteRT's Interpreter, by signature runners as its guide shows: caches come out as arrays and go in."""

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._model = Interpreter(model_path=str(path), num_threads=threads)
        self._runners = {name: self._model.get_signature_runner(name) for name in self._model.get_signature_list()}
        self.shapes = {name: _shapes(runner.get_input_details()) for name, runner in self._runners.items()}
        self._caches: dict[str, Array] = {}

    def run(self, signature: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run it; every input is copied in and every output out."""
        for name, shape in self.shapes[signature].items():
            if _CACHE in name and name not in self._caches:
                self._caches[name] = np.zeros(shape, self._runners[signature].get_input_details()[name]["dtype"])
        out = self._runners[signature](**inputs, **self._caches)
        self._caches = {name: out.pop(name) for name in self._caches}
        return dict(out)


class CompiledFile(LiteRtFile):
    """A file in LiteRT's CompiledModel, with a weight cache; two sets of cache buffers change places."""

    def __init__(self, path: Path, threads: int, packed: Path) -> None:
        from ai_edge_litert.compiled_model import CompiledModel, CpuOptions, HardwareAccelerator, Options

        cpu = CpuOptions(num_threads=threads, xnnpack_weight_cache_path=str(packed))
        options = Options(hardware_accelerators=HardwareAccelerator.CPU, cpu_options=cpu)
        self._model = CompiledModel.from_file(str(path), options=options)
        names = self._model.get_signature_list()
        self.shapes = {name: _shapes(self._model.get_input_tensor_details(name)) for name in names}
        self._outputs = {name: _shapes(self._model.get_output_tensor_details(name)) for name in names}
        self._caches: list[dict[str, Any]] = []
        self._buffers: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    def run(self, signature: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run it; inputs and outputs are copied, caches are not."""
        given, made = self._bound(signature)
        for name, value in inputs.items():
            given[name].write(value)
        before, after = self._caches
        self._model.run_by_name(signature, given | before, made | after)
        self._caches.reverse()
        sizes = self._outputs[signature]
        return {name: made[name].read(int(np.prod(sizes[name])), np.float32) for name in made}

    def _bound(self, signature: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the buffers of a signature that are no caches; those come with the first signature that is run."""
        shapes, make = self.shapes[signature], self._model.create_input_buffer_by_name
        if not self._caches:
            names = [name for name in shapes if _CACHE in name]
            self._caches = [{name: make(signature, name) for name in names} for _ in range(2)]
            for name in names:
                kind = self._model.get_input_tensor_details(signature)[name]["dtype"]
                self._caches[0][name].write(np.zeros(shapes[name], kind))
        if signature not in self._buffers:
            given = {name: make(signature, name) for name in shapes if _CACHE not in name}
            made = {
                name: self._model.create_output_buffer_by_name(signature, name)
                for name in self._outputs[signature]
                if _CACHE not in name
            }
            self._buffers[signature] = given, made
        return self._buffers[signature]


def _shapes(details: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(int(n) for n in item["shape"]) for name, item in details.items()}
