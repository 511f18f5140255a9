"""Write what the other systems read, from the same weights as the bundles: see peers.py.

    python benchmarks/peer_files.py 135m          # build/peers/135m-q8_0.gguf, -q4_0.gguf, -256.litertlm, 135m.onnx
    python benchmarks/peer_files.py smear         # build/peers/smear-encoder.onnx, from build/smear/vision.pt

The weights come first (the `train` extra writes them: random ones, the same every time, as Hugging Face files under
build/peers/NAME), then what is made of them (the `peers` extra). `--weights-only` stops between the two, for those who
have the extras in two environments. What is there already is kept.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from peer.place import FOLDER, ROOT

SHAPES = ("tiny", "135m", "360m")


def write_language(name: str, *, weights_only: bool) -> list[Path]:
    """Write the files of a language model, and return them."""
    from peer.source import source_of

    source = source_of(name)
    if weights_only:
        return []
    from peer.gguf_file import KINDS, write_gguf
    from peer.onnx_file import write_onnx

    targets = [FOLDER / f"{name}-{kind}.gguf" for kind in KINDS]
    for kind, target in zip(KINDS, targets, strict=True):
        if not target.exists():
            write_gguf(source, kind, target)
    graph, plain = FOLDER / f"{name}.onnx", FOLDER / f"{name}-256.litertlm"
    if not graph.exists():
        write_onnx(source, graph)
    if not plain.exists():
        write_plain(FOLDER / name, plain)
    return [*targets, graph, plain]


def write_plain(source: Path, target: Path) -> None:
    """Write a bundle with one prompt length and one cache of 256: what suits LiteRT-LM best, which uses no others."""
    sys.path.insert(0, str(ROOT))
    from models.language.export import Plan, export

    export(source, target, "int8", Plan(lengths=(256,), prefill=(128,), verify=(), scored=False))


def write_smear(*, weights_only: bool) -> list[Path]:
    """Write the encoder of smear, and return it."""
    from peer.onnx_encoder import quantize, write_float

    real, target = FOLDER / "smear-encoder-float.onnx", FOLDER / "smear-encoder.onnx"
    if not real.exists():
        write_float(real)
    if not weights_only and not target.exists():
        quantize(real, target)
    return [] if weights_only else [target]


def main() -> None:
    """Write the files that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=(*SHAPES, "smear"))
    parser.add_argument("--weights-only", action="store_true")
    asked = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in asked.names:
        only = {"weights_only": asked.weights_only}
        for target in write_smear(**only) if name == "smear" else write_language(name, **only):
            print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
