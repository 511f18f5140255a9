"""Blood-film pictures with boxes, their augmentation, and pictures that are no film.

All pictures here are RGB uint8; boxes are ``(n, 5)`` float32 rows of
``class, x0, y0, x1, y1`` with 0 to 1 across the picture.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

CLASSES = ("wbc", "rbc", "platelet")
SIDE_PX = 288
_CACHE_SIDE_PX = 384
_MNIST_HEADER_BYTES = 16
_MNIST_SIDE_PX = 28

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Picture:
    """A photograph with its labelled cells."""

    name: str
    pixels: Pixels
    boxes: Boxes


def default_data() -> Path:
    """Return the data folder of the material that tests and training share."""
    here = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("EDGE_MATERIAL", here.parent / "shared")) / "data"


def is_held_out(name: str) -> bool:
    """Tell whether a training picture belongs to the tenth kept for choosing."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 10 == 0


def read_boxes(path: Path) -> Boxes:
    """Read YOLO rows as corner boxes.

    Parameters
    ----------
    path : Path
        Text file of ``class cx cy w h`` rows, fractions of the picture.

    Returns
    -------
    (n, 5) float32
        ``class, x0, y0, x1, y1`` as fractions.
    """
    rows = [[float(v) for v in line.split()] for line in path.read_text().splitlines() if line.strip()]
    table = np.asarray(rows, np.float32).reshape(-1, 5)
    half = table[:, 3:5] / 2
    centre = table[:, 1:3]
    return np.concatenate([table[:, :1], centre - half, centre + half], axis=1).astype(np.float32)


def read_pixels(path: Path, side_px: int) -> Pixels:
    """Read a picture as RGB, stretched to a square of ``side_px``."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError(f"{path} is not a picture that OpenCV can read")
    small = cv2.resize(bgr, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(small[:, :, ::-1])


def read_folder(folder: Path, side_px: int = _CACHE_SIDE_PX) -> list[Picture]:
    """Read every picture of a folder that has a label file, in the order of names."""
    pictures = []
    for path in sorted((folder / "images").iterdir()):
        label = folder / "labels" / f"{path.stem}.txt"
        if label.exists():
            pictures.append(Picture(path.name, read_pixels(path, side_px), read_boxes(label)))
    return pictures


def split(pictures: list[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Part training pictures into those to learn from and the held-out tenth."""
    kept = [p for p in pictures if not is_held_out(p.name)]
    return kept, [p for p in pictures if is_held_out(p.name)]


def read_strangers(data: Path, part: str = "train", limit: int = 600) -> list[Pixels]:
    """Read photographs of clothing: pictures that are certainly no blood film."""
    paths = sorted((data / "clothing" / part).rglob("*.jpg"))
    step = max(1, len(paths) // limit)
    return [read_pixels(p, SIDE_PX) for p in paths[::step][:limit]]


def read_digits(data: Path, part: str = "train", limit: int = 600) -> NDArray[np.uint8]:
    """Read handwritten digits, ``(n, 28, 28) uint8``."""
    with gzip.open(data / "mnist" / f"{part}-images-idx3-ubyte.gz") as file:
        raw = file.read(_MNIST_HEADER_BYTES + limit * _MNIST_SIDE_PX**2)[_MNIST_HEADER_BYTES:]
    return np.frombuffer(raw, np.uint8).reshape(-1, _MNIST_SIDE_PX, _MNIST_SIDE_PX)


def read_other_films(data: Path) -> list[Picture]:
    """Read blood films from another laboratory, by name; not every cell in them is labelled, so they come bare.

    Every second one, from the first, is learnt from; the rest shows how often a real film is refused.
    """
    paths = sorted((data / "rbc12" / "Dataset").glob("*.jpg"))
    return [Picture(p.name, read_pixels(p, _CACHE_SIDE_PX), np.zeros((0, 5), np.float32)) for p in paths]


def generate_stranger(rng: np.random.Generator) -> Pixels:
    """Draw a picture that is no blood film: noise, a gradient, stripes, text or blocks."""
    low, high = rng.integers(0, 256, (2, 3))
    kind = rng.integers(6)
    if kind == 0:
        side = int(rng.choice([4, 9, 18, 36, 72, 288]))
        noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
        return cv2.resize(noise, (SIDE_PX, SIDE_PX), interpolation=int(rng.choice([0, 1])))
    ramp = np.linspace(0, 1, SIDE_PX, dtype=np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    plane = ramp[None] * np.cos(angle) + ramp[:, None] * np.sin(angle)
    if kind == 1:
        plane = 0.5 + 0.5 * np.sin(plane * rng.uniform(6, 120))
    if kind == 2:
        plane = np.zeros_like(plane)
    if kind == 3:
        plane = (np.floor(plane * rng.uniform(3, 30)) % 2).astype(np.float32)
    canvas = np.clip(low + (high - low) * plane[:, :, None], 0, 255).astype(np.uint8)
    if kind >= 4:
        _draw(canvas, rng, text=kind == 4)
    return canvas


def _draw(canvas: Pixels, rng: np.random.Generator, *, text: bool) -> None:
    for _ in range(int(rng.integers(2, 14))):
        x, y, x1, y1 = (int(v) for v in rng.integers(0, SIDE_PX, 4))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        if text:
            letters = "".join(chr(int(c)) for c in rng.integers(48, 122, 12))
            cv2.putText(canvas, letters, (x - 80, y), 0, float(rng.uniform(0.4, 1.5)), colour, 2)
        elif rng.random() < 0.7:
            cv2.rectangle(canvas, (x, y), (x1, y1), colour, -1)
        else:
            cv2.line(canvas, (x, y), (x1, y1), colour, int(rng.integers(1, 9)))
