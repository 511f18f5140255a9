"""Delegates: plug-in libraries that hand a model's operators to an accelerator, and which models they are for.

A delegate is a shared library that exports ``tflite_plugin_create_delegate`` and ``tflite_plugin_destroy_delegate``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards.accelerator import Accelerator
from edge_sdk.bundle.tflite import TfliteModel
from edge_sdk.errors import ModelError
from edge_sdk.runtime.model import CPU
from edge_sdk.runtime.region import Region

__all__ = ["CPU", "DELEGATES", "Delegate", "find_delegate", "ladder", "operators_taken"]

# Where distributions and Mesa's own build put such libraries.
_FOLDERS = ("usr/local/lib", "usr/local/lib/*-linux-gnu*", "usr/lib", "usr/lib/*-linux-gnu*", "usr/lib/teflon")
_INTEGERS = ("qint8", "quint8")


@dataclass(frozen=True, slots=True)
class Delegate:
    """A delegate: the library, and what a model must be like for it.

    Attributes
    ----------
    name : str
        What users call it.
    library : str
        The library's file name, looked for where libraries are, or its path.
    options : tuple of (str, str)
        What it is told when it is created.
    operators : tuple of str
        It takes nothing of a graph that has none of these operators on INT8 values; empty: not known.
    compiled : str
        It runs only what its own compiler made, which adds this to the file's name; empty: there is none.
    install : str
        How to come by it.
    """

    name: str
    library: str
    options: tuple[tuple[str, str], ...] = ()
    operators: tuple[str, ...] = ()
    compiled: str = ""
    install: str = ""

    def find(self) -> Path | None:
        """Return the library's path; ``None`` where it is not installed."""
        if os.sep in self.library:
            return Path(self.library) if Path(self.library).is_file() else None
        return next((folder / self.library for folder in _folders() if (folder / self.library).is_file()), None)

    def program(self, region: Region) -> tuple[Region, Region]:
        """Return what it runs of a model, and what the CPU runs: the same, but where it has a compiler.

        Raises
        ------
        ModelError
            One of the two files is missing.
        """
        if not self.compiled:
            return region, region
        path = region.path
        stem = path.stem.removesuffix(self.compiled)
        files = path.with_name(f"{stem}{self.compiled}{path.suffix}"), path.with_name(stem + path.suffix)
        if region.offset or region.size != path.stat().st_size:
            raise ModelError("It runs only what was compiled for it, and a bundle holds nothing of that kind.")
        for file, use in zip(files, ("to run", "to compare with on the CPU"), strict=True):
            if not file.is_file():
                raise ModelError(f"It runs only what was compiled for it; {use}, {file.name} is missing in its folder.")
        return Region.of(files[0]), Region.of(files[1])

    def unfit(self, description: TfliteModel) -> str:
        """Say why it can take nothing of a model; empty where it may."""
        if not self.operators:
            return ""
        graphs = [graph for graph in description.subgraphs if set(self.operators).intersection(graph.operators)]
        if not graphs:
            return f"It only takes {' and '.join(self.operators)}; the model has none of them."
        if not any(kind in graph.activations for graph in graphs for kind in _INTEGERS):
            return "It only takes graphs that compute in INT8; this one computes in float."
        return ""


# Sources: src/gallium/frontends/teflon/tfl_device.c in Mesa 25.3; coral.ai/docs/edgetpu/compiler (file names).
DELEGATES: Mapping[str, Delegate] = {
    delegate.name: delegate
    for delegate in (
        Delegate(
            "teflon",
            "libteflon.so",
            operators=("CONV_2D", "DEPTHWISE_CONV_2D"),
            install="On an RK3588 it needs Linux 6.18 and Mesa 25.3, built with -Dteflon=true.",
        ),
        Delegate(
            "edgetpu",
            "libedgetpu.so.1",
            compiled="_edgetpu",
            install="Install libedgetpu1-std for this system, and plug the Edge TPU in.",
        ),
    )
}


def find_delegate(name: str) -> Delegate:
    """Return the delegate of a name, or that of a library's path.

    Raises
    ------
    ModelError
        There is none of that name.
    """
    if os.sep in name:
        return Delegate(Path(name).name, name)
    if name not in DELEGATES:
        raise ModelError(
            f"There is no delegate {name!r}.",
            fix=f"Use one of: auto, {', '.join([*DELEGATES, CPU])}, or the path of a delegate's library.",
        )
    return DELEGATES[name]


def ladder(accelerators: Iterable[Accelerator]) -> tuple[str, ...]:
    """Return which delegates to try with a board's accelerators, in order; the CPU is always the last.

    Examples
    --------
    >>> from boards import find_profile
    >>> ladder(find_profile("rock-5b").accelerators)
    ('teflon', 'edgetpu', 'cpu')
    """
    there = {accelerator.delegate for accelerator in accelerators}
    return (*(name for name in DELEGATES if name in there), CPU)


def operators_taken(nodes: Sequence[Mapping[str, Any]], count: int) -> int:
    """Return how many of a graph's operators were replaced by nodes that delegates put in.

    Parameters
    ----------
    nodes : sequence of mappings
        The Interpreter's nodes with ``inputs`` and ``outputs``, tensors by number: the file's, then the delegates'.
    count : int
        How many are the file's.
    """
    makers = {int(tensor): index for index in range(count) for tensor in nodes[index]["outputs"]}
    taken: set[int] = set()
    for node in nodes[count:]:
        given = {int(tensor) for tensor in node["inputs"]}
        left = [int(tensor) for tensor in node["outputs"]]
        while left:
            tensor = left.pop()
            maker = makers.get(tensor)
            if tensor not in given and maker is not None and maker not in taken:
                taken.add(maker)
                left += (int(number) for number in nodes[maker]["inputs"])
    return len(taken)


def _folders() -> Iterator[Path]:
    for folder in filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":")):
        yield Path(folder)
    for pattern in _FOLDERS:
        yield from sorted(Path("/").glob(pattern))
