"""What the sides of one shape read."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peer.place import BUNDLES, FOLDER, ROOT
from peer.side import Side

_DATA = ROOT / "edge_sdk" / "data"
_PARTS = {
    "encoder": "tf_lite_vision_encoder",
    "adapter": "tf_lite_vision_adapter",
    "decoder": "tf_lite_prefill_decode",
}


@dataclass(frozen=True, slots=True)
class Material:
    """Files and facts.

    Attributes
    ----------
    shape : str
        ``135m`` and so on, or ``smear``.
    bundle, parts : Path
        The bundle, and a folder with its models in files of their own.
    vocabulary : int
        Tokens that a prompt may be made of.
    lengths : tuple of int
        Of the caches that the bundle has.
    config : mapping
        The model's shape; empty where its weights are not there.
    pictures : tuple of Path
        For smear.
    """

    shape: str
    bundle: Path
    parts: Path
    vocabulary: int = 0
    lengths: tuple[int, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    pictures: tuple[Path, ...] = ()

    def file(self, side: Side) -> Path:
        """Return what a side reads."""
        named = {"bundle": self.bundle, "decoder": self.parts / "decoder.tflite", "parts": self.parts}
        return named.get(side.file) or Path(side.file.format(shape=self.shape))


@contextmanager
def open_material(shape: str, bundle: Path | None) -> Iterator[Material]:
    """Find the bundle of a shape, and take it apart for those that read no bundles."""
    from edge_sdk.bundle import open_bundle
    from edge_sdk.runtime import open_model

    smear = shape == "smear"
    path = bundle or (_DATA / "smear.litertlm" if smear else BUNDLES / f"{shape}.litertlm")
    if not path.exists():
        raise SystemExit(f"{path} is not there: python benchmarks/make_bundles.py {shape}")
    with tempfile.TemporaryDirectory() as scratch, open_bundle(path) as opened:
        for part, name in _PARTS.items():
            if smear or part == "decoder":
                section = opened.section(name)
                with path.open("rb") as file:
                    file.seek(section.offset)
                    Path(scratch, f"{part}.tflite").write_bytes(file.read(section.size))
        if smear:
            yield Material(shape, path, Path(scratch), pictures=tuple(sorted((_DATA / "photos").glob("*.jpg"))))
            return
        with open_model(Path(scratch, "decoder.tflite")) as model:
            masks = {s.inputs["mask"].shape[-1] for s in model.signatures.values() if "logits" in s.outputs}
        about = FOLDER / shape / "config.json"
        config = json.loads(about.read_text()) if about.exists() else {}
        yield Material(shape, path, Path(scratch), opened.tokenizer().vocab_size, tuple(sorted(masks)), config)
