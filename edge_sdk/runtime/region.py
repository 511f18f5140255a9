"""A model's place in a file, checked before an engine sees it: engines trust what they read, and crash."""

from __future__ import annotations

import mmap
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sdk.bundle.operation import OPERATORS
from edge_sdk.bundle.tflite import TfliteModel, read_tflite
from edge_sdk.errors import BundleError, ModelError

__all__ = ["Region", "refusal"]

# Operators that stand for a program of another chip, or for TensorFlow itself: how they begin -> what to do.
_FOREIGN = {
    "edgetpu-custom-op": "It was compiled for a Coral Edge TPU; use the file it was made from (without _edgetpu).",
    "ethos-u": "It was compiled for an Arm Ethos-U by Vela; use the file it was made from (without _vela).",
    "Flex": "It was exported with TensorFlow operators; export it again with TFLite's built-in ones only.",
}
_WHY_MAX = 200  # some engines put everything they have to say on one line
_OWN_OPERATORS = "Export the model again with TFLite's built-in operators only."
_TOO_NEW = re.compile(r"builtin_code out of range: (\d+)")
_UNRESOLVED = re.compile(r"unresolved custom op: (\S+?)\.?\s")


@dataclass(frozen=True, slots=True)
class Region:
    """Where a model lies: a file, or a part of one.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    offset, size : int
        The part of it, in bytes.
    """

    path: Path
    offset: int
    size: int

    @classmethod
    def of(cls, path: str | os.PathLike[str], offset: int = 0, size: int | None = None) -> Region:
        """Check that a region lies within its file; without a size it reaches to the end.

        Raises
        ------
        BundleError
            There is no such file, or the region is not in it.
        """
        file = Path(path)
        try:
            length = file.stat().st_size if file.is_file() else None
        except OSError as error:
            raise BundleError(f"{file} cannot be read.", why=error.strerror) from error
        if length is None:
            raise BundleError(f"There is no model file at {file}.", fix="Check the path; it must be a file.")
        region = cls(file, offset, length - offset if size is None else size)
        if offset < 0 or region.size <= 0 or offset + region.size > length:
            raise BundleError(
                f"{file} is too short: bytes {offset} to {offset + region.size} are wanted of its {length}.",
                why="The file was cut off, or it is not the file that was described.",
                fix="Copy the file again and compare its SHA-256 with the source's.",
            )
        return region

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"{self.path} (at byte {self.offset})" if self.offset else str(self.path)

    def describe(self) -> TfliteModel:
        """Walk the model's tables, so that the engine is given nothing that points outside of it.

        Raises
        ------
        BundleError
            It is no TFLite model, or a damaged one.
        """
        found = read_tflite(self.map()[1].data, self.name)
        # Without the metadata, which are views of the file: it is unmapped with its last view.
        return TfliteModel(found.description, found.subgraphs, found.signatures, {})

    def map(self, *, private: bool = False) -> tuple[mmap.mmap, npt.NDArray[np.uint8]]:
        """Map the region into memory by descriptor and offset, and return the pages with the region in them.

        Parameters
        ----------
        private : bool
            A page that is written to (after mprotect) becomes this process's own, and the file stays as it is.

        Returns
        -------
        pages : mmap.mmap
            From the page in which the region begins.
        region : ndarray
            ``(size,)`` uint8, a view of the pages.
        """
        page = self.offset - self.offset % mmap.ALLOCATIONGRANULARITY
        try:
            with self.path.open("rb") as file:
                kind = mmap.MAP_PRIVATE if private else mmap.MAP_SHARED
                length = self.offset - page + self.size
                pages = mmap.mmap(file.fileno(), length, flags=kind, prot=mmap.PROT_READ, offset=page)
        except (OSError, ValueError) as error:
            raise BundleError(f"{self.path} cannot be read.", why=str(error)) from error
        return pages, np.frombuffer(pages, np.uint8, self.size, self.offset - page)


def custom_operators(description: TfliteModel) -> list[str]:
    """Return the operators of a model that are not TFLite's own."""
    names = {name for graph in description.subgraphs for name in graph.operators}
    return sorted(names.difference(OPERATORS))


def refusal(name: str, description: TfliteModel, said: str, fix: str | None = None) -> ModelError:
    """Make the error for a model that an engine does not take, from what the engine said.

    Parameters
    ----------
    name : str
        What to call the model.
    description : TfliteModel
        What the model says of itself.
    said : str
        The engine's words, one complaint a line.
    fix : str, optional
        What to do where nothing is known of what the engine said.
    """
    missing = _UNRESOLVED.search(said)
    operators = custom_operators(description)
    for operator in [missing[1]] if missing else operators:
        why = f"It needs the operator {operator}, which this engine does not have."
        fixes = [advice for start, advice in _FOREIGN.items() if operator.startswith(start)]
        if missing or fixes:
            return ModelError(f"{name} does not run here.", why=why, fix=fixes[0] if fixes else _OWN_OPERATORS)
    if newer := _TOO_NEW.search(said):
        return ModelError(
            f"{name} is newer than the engine installed here.",
            why=f"It needs the operator {OPERATORS[int(newer[1])]}, which tflite-runtime 2.14 does not have.",
            fix="Use a 64-bit system with ai-edge-litert, or a model exported without that operator.",
        )
    if "Variable tensors" in said:
        return ModelError(
            f"{name} does not run in LiteRT.",
            why="It keeps state between runs, in variable tensors.",
            fix="Open it with engine='interpreter', or leave the choice to engine='auto'.",
        )
    reason = said.splitlines()[0][:_WHY_MAX] if said else None
    fix = fix or "Convert the model again with a current converter."
    return ModelError(f"{name} does not run here.", why=reason, fix=fix)
