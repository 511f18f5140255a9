"""Blood-film pictures with boxes, and pictures that are no film.

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

from edge_sdk import Frame
from edge_sdk.errors import EdgeError
from edge_sdk.pipeline.preprocess import Preprocess

CLASSES = ("wbc", "rbc", "platelet")
SIDE_PX = 288
_CACHE_SIDE_PX = 384
_MNIST_HEADER_BYTES = 16
_MNIST_SIDE_PX = 28

# Training pictures that show again, resized or turned, what a picture of the validation set or of the held-out tenth
# shows: the correlation of the two in grey at 64x64, best of the eight turns, is above 0.93.
_COPIES = frozenset(
    {
        "035e0876-5358-5118-a956-116f8af710e4.jpg",
        "0fa561c4-b585-58bd-8051-4651b00a1ef1.jpg",
        "2ff502cb-d976-5bfd-a50a-1274740d30a8.jpg",
        "30bc4b3c-5858-5889-b016-399a904f28da.jpg",
        "345b81c1-e33e-5409-b021-fc3700e7f7f7.jpg",
        "40192586-4248-5794-9c5b-af1e4b8eb137.jpg",
        "4a310f71-6359-56b5-9670-45b552ca17bd.jpg",
        "52748251-2178-531b-ac4a-a4bc93f9ca04.jpg",
        "61ca7e4a-f5c0-5e64-96d8-be21d9e1c142.jpg",
        "870110a5-9200-514b-a4a4-8946c207fc20.jpg",
        "8890b26b-87bc-533d-99af-193b8bca8489.jpg",
        "a5095123-dc9e-5ad6-ad45-19e4d2baa851.jpg",
        "c3b76bab-d776-5fd7-ad16-ad52dac26a18.jpg",
        "dcb4d139-28e4-5acb-a0f2-007ce3988609.jpg",
        "fb5e8457-5de0-57b9-89e3-1870948e7374.jpg",
    }
)

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Picture:
    """A photograph, square and in RGB, with its labelled cells.

    Attributes
    ----------
    name : str
        The file's name.
    pixels : (side, side, 3) uint8
    boxes : (n, 5) float32
        ``class, x0, y0, x1, y1`` as fractions.
    """

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

    Raises
    ------
    EdgeError
        A row is not that: other than five numbers, or none of the classes.
    """
    lines = path.read_text(errors="replace").splitlines()
    rows = [_read_row(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    table = np.asarray(rows, np.float32).reshape(-1, 5)
    half = table[:, 3:5] / 2
    centre = table[:, 1:3]
    return np.concatenate([table[:, :1], centre - half, centre + half], axis=1).astype(np.float32)


def _read_row(path: Path, number: int, line: str) -> list[float]:
    try:
        row = [float(value) for value in line.split()]
    except ValueError:
        row = []
    if len(row) == 5 and np.isfinite(row).all() and row[0] in range(len(CLASSES)):
        return row
    raise EdgeError(
        f"Line {number} of {path} is no label: {line.strip()[:60]!r}.",
        why=f"A label is five numbers, class cx cy w h, and the class one of 0 to {len(CLASSES) - 1}: "
        f"{', '.join(CLASSES)}.",
        fix="Correct the line, or take the file away: pictures without labels are left out.",
    )


def read_pixels(path: Path, side_px: int) -> Pixels:
    """Read a picture as RGB ``(side_px, side_px, 3)``, stretched just as a bundle's frames are."""
    pixels = np.empty((side_px, side_px, 3), np.uint8)
    Preprocess(side_px, side_px, dtype=np.uint8).apply(Frame.open(path), pixels)
    return pixels


def read_folder(folder: Path, side_px: int = _CACHE_SIDE_PX) -> list[Picture]:
    """Read every picture of a folder that has a label file, in the order of names."""
    pictures = []
    for path in sorted((folder / "images").iterdir()):
        label = folder / "labels" / f"{path.stem}.txt"
        if label.exists():
            pictures.append(Picture(path.name, read_pixels(path, side_px), read_boxes(label)))
    return pictures


def split(pictures: list[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Part training pictures into those to learn from and the held-out tenth; copies of what judges are left out."""
    kept = [p for p in pictures if not is_held_out(p.name) and p.name not in _COPIES]
    return kept, [p for p in pictures if is_held_out(p.name)]


def read_strangers(data: Path, limit: int = 600) -> list[Pixels]:
    """Read photographs of clothing ``(288, 288, 3)``, RGB: pictures that are certainly no blood film."""
    paths = sorted((data / "clothing" / "train").rglob("*.jpg"))
    step = max(1, len(paths) // limit)
    return [read_pixels(p, SIDE_PX) for p in paths[::step][:limit]]


def read_digits(data: Path, part: str = "train", limit: int = 600) -> NDArray[np.uint8]:
    """Read handwritten digits, ``(n, 28, 28) uint8``."""
    with gzip.open(data / "mnist" / f"{part}-images-idx3-ubyte.gz") as file:
        raw = file.read(_MNIST_HEADER_BYTES + limit * _MNIST_SIDE_PX**2)[_MNIST_HEADER_BYTES:]
    return np.frombuffer(raw, np.uint8).reshape(-1, _MNIST_SIDE_PX, _MNIST_SIDE_PX)


def draw_digit(digits: NDArray[np.uint8], rng: np.random.Generator) -> Pixels:
    """Draw one of the digits ``(n, 28, 28)`` as a picture ``(288, 288, 3)``, light on dark or dark on light."""
    digit = cv2.resize(digits[int(rng.integers(len(digits)))], (SIDE_PX, SIDE_PX))
    return np.repeat(digit[:, :, None], 3, axis=2) ^ np.uint8(rng.choice([0, 255]))


def read_other_films(data: Path, side_px: int = _CACHE_SIDE_PX) -> list[Picture]:
    """Read blood films from another laboratory, by name; not every cell in them is labelled, so they come bare.

    Every second one, from the first, is learnt from; the rest shows how often a real film is refused.
    """
    paths = sorted((data / "rbc12" / "Dataset").glob("*.jpg"))
    return [Picture(p.name, read_pixels(p, side_px), np.zeros((0, 5), np.float32)) for p in paths]


def generate_stranger(rng: np.random.Generator) -> Pixels:
    """Draw a picture ``(288, 288, 3)`` that is no blood film: noise, waves, one colour, stripes, or text or blocks."""
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
