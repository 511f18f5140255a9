"""Make bundles to measure with: a known shape, random weights (they mean nothing, and take as long as good ones).

    python benchmarks/make_bundles.py 135m            # SmolLM2-135M's shape: half a minute and 2 GB
    python benchmarks/make_bundles.py 135m-int4       # the same weights, those of the layers in 4 bits
    python benchmarks/make_bundles.py 360m 360m-vision 1500m-int4
    python benchmarks/make_bundles.py tiny            # a small one for short forms

Needs the `train` extra (pip install -e .[train]), for torch draws the weights. Each bundle goes to
build/bundles/NAME.litertlm, made by models/language/export.py. One whose name ends in `-vision` takes frames: 256
visual tokens each, from an encoder that costs next to nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))

from models.language.bundle import IMAGE  # noqa: E402
from models.language.export import Plan, export  # noqa: E402
from models.language.random_model import SHAPES, write_model  # noqa: E402

__all__ = ["BUNDLES", "SHAPES", "make", "write_model"]

# Of a frame's 256 visual tokens, or of a quarter of them, with a question.
_SEEING = Plan(lengths=(128, 384, 1024), prefill=(16, 64, 128), verify=())
# What each is: shape, recipe, and which signatures.
BUNDLES = {
    "tiny": ("tiny", "int8", Plan()),
    "tiny-int4": ("tiny", "int4", Plan()),
    "tiny-int4-32": ("tiny", "int4-32", Plan()),
    "135m": ("135m", "int8", Plan()),
    "135m-int4": ("135m", "int4", Plan()),
    "135m-int4-32": ("135m", "int4-32", Plan()),
    "tiny-vision": ("tiny", "int8", _SEEING),
    "360m": ("360m", "int8", Plan()),
    "360m-vision": ("360m", "int8", _SEEING),
    "360m-int4": ("360m", "int4", Plan()),
    "1500m-int4": ("1500m", "int4", Plan()),
}


def make(name: str, folder: Path) -> Path:
    """Make one bundle and return its path."""
    shape, recipe, plan = BUNDLES[name]
    seeing = name.endswith("-vision")
    target = folder / f"{name}.litertlm"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        source = Path(scratch, "source")
        write_model(SHAPES[shape], source, (IMAGE,) if seeing else ())
        export(source, target, recipe, plan, seeing=seeing)
    return target


def main() -> None:
    """Make the bundles that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=BUNDLES, metavar="NAME", help=f"one of: {', '.join(BUNDLES)}")
    parser.add_argument("--out", type=Path, default=_ROOT / "build" / "bundles")
    asked = parser.parse_args()
    try:
        import torch  # noqa: F401
    except ImportError:
        raise SystemExit("torch is not installed: pip install -e '.[train]'") from None
    for name in asked.names:
        target = make(name, asked.out)
        print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
