"""The weights that all sides share, as the Hugging Face files that each side's own are made from."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from peer.place import FOLDER


class Source:
    """A Llama model on disk: its shape, its tokenizer, and its weights one by one.

    Attributes
    ----------
    config : dict
        What ``config.json`` says.
    """

    def __init__(self, folder: Path) -> None:
        self.config: dict[str, Any] = json.loads((folder / "config.json").read_text())
        self._tokenizer = folder / "tokenizer.json"
        self._file = folder / "model.safetensors"

    def words(self) -> tuple[list[str], list[str]]:
        """Return the tokens by number, and the merges as ``"left right"``."""
        model = json.loads(self._tokenizer.read_text())["model"]
        tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
        merges = [item if isinstance(item, str) else " ".join(item) for item in model["merges"]]
        return tokens, merges

    def weights(self) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
        """Give each matrix and vector, float32, in the file's order.

        Source: the layout of safetensors, https://github.com/huggingface/safetensors#format
        """
        with self._file.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        data = np.memmap(self._file, np.uint8, "r", 8 + length)
        for name, item in header.items():
            if name == "__metadata__":
                continue
            if item["dtype"] != "F32":
                raise SystemExit(f"{self._file}: {name} is {item['dtype']}; F32 is expected.")
            begin, end = item["data_offsets"]
            yield name, data[begin:end].view(np.float32).reshape(item["shape"])


def source_of(shape: str) -> Source:
    """Return the weights of a shape, written anew where they are not there yet."""
    folder = FOLDER / shape
    if not (folder / "tokenizer.json").exists():
        try:
            from make_bundles import SHAPES, write_model

            write_model(SHAPES[shape], folder)
        except ImportError as error:
            raise SystemExit(
                f"{folder} is not there, and {error.name} to write it is not installed.\n"
                f"Write it where it is: pip install -e '.[train]' && python benchmarks/peer_files.py {shape}"
            ) from None
    return Source(folder)
