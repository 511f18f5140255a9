"""What this project adds to a bundle: the task, what the encoder wants to see, and which cells it marks.

It travels as JSON in a section of generic data named ``edge_sdk``, which LiteRT-LM passes over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from edge_sdk.errors import BundleError

__all__ = [
    "FORMAT",
    "Card",
    "CellClass",
    "Cells",
    "Crowding",
    "FrameInput",
    "VisualLadder",
    "VisualRung",
    "read_card",
]

FORMAT = 1
_SIZE_MAX_BYTES = 64 << 10
_SIDE_MAX_PX = 8192
_TEXT_MAX = 1000
_RESIZES = ("stretch", "letterbox", "crop")
_CHANNELS = ("RGB", "BGR", "GREY")
_WAYS = ("all", "pool", "merge")


@dataclass(frozen=True, slots=True)
class FrameInput:
    """How a frame becomes the encoder's input: ``(value / 255 - mean) / std`` for each channel.

    ``resize`` is ``stretch``, ``letterbox`` or ``crop``; ``channels`` is ``RGB``, ``BGR`` or ``GREY``.
    """

    width_px: int
    height_px: int
    resize: str = "stretch"
    channels: str = "RGB"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class CellClass:
    """A kind of cell: the score from which on a centre counts, and how near two centres may be.

    ``radius_share``: of two centres nearer than this share of the better one's mean box side, only the better
    one counts.
    """

    name: str
    label: str
    plural: str
    threshold: float
    radius_share: float
    extra: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Cells:
    """The kinds of cells in the order of the score map, and its stride in pixels of the encoder's input."""

    classes: tuple[CellClass, ...]
    stride_px: int


@dataclass(frozen=True, slots=True)
class Crowding:
    """The share of the area covered by cells below which a field is sparse, and from which on crowded."""

    sparse_below: float
    crowded_from: float


@dataclass(frozen=True, slots=True)
class VisualRung:
    """A number of visual tokens that a frame may have.

    Attributes
    ----------
    tokens : int
        How many.
    way : str
        ``all`` as the bundle gives them, ``pool`` averaged over squares of places, ``merge`` the most alike made one.
    accuracy_percent : float or None
        Measured on the ladder's task; None where nobody did.
    input_px : int or None
        The side of the smaller picture that sections of their own take; None for the bundle's usual one.
    """

    tokens: int
    way: str
    accuracy_percent: float | None = None
    input_px: int | None = None


@dataclass(frozen=True, slots=True)
class VisualLadder:
    """The numbers of visual tokens that a frame may have, the most first; they lie on a grid, row by row.

    ``measured_on`` names the task that the rungs' accuracy was measured on.
    """

    rows: int
    columns: int
    rungs: tuple[VisualRung, ...]
    measured_on: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """What this project adds to a bundle.

    ``memory_bytes`` is what the bundle was measured to take at its most; ``not_for`` says what it must not be used
    for, and ``model_card`` where more is told.
    """

    name: str
    task: str
    input: FrameInput
    cells: Cells | None = None
    crowding: Crowding | None = None
    frames_per_question: int = 1
    visual_tokens: int | None = None
    visual_ladder: VisualLadder | None = None
    memory_bytes: int | None = None
    off_topic: str = ""
    no_film: str = ""
    no_frame: str = ""
    license: str = ""
    not_for: str = ""
    model_card: str = ""


def read_card(data: bytes, name: str) -> Card:
    """Read the card and check every value; what is not known is refused.

    Parameters
    ----------
    data : bytes
        The JSON.
    name : str
        The path and the section, for errors.

    Raises
    ------
    BundleError
        It is no such JSON, of a later format, or has an entry that is unknown or out of range.
    """
    root = _root(data, name)
    card = Card(
        name=root.text("name"),
        task=root.text("task"),
        input=_frame_input(root.inner("input")),
        cells=_cells(root.inner("cells")) if root.has("cells") else None,
        crowding=_crowding(root.inner("crowding")) if root.has("crowding") else None,
        frames_per_question=root.whole("frames_per_question", 1, 64, default=1),
        visual_tokens=root.whole("visual_tokens", 1, 65536) if root.has("visual_tokens") else None,
        visual_ladder=_visual_ladder(root.inner("visual_ladder")) if root.has("visual_ladder") else None,
        memory_bytes=root.whole("memory_bytes", 1, 1 << 40) if root.has("memory_bytes") else None,
        off_topic=root.text("off_topic", default=""),
        no_film=root.text("no_film", default=""),
        no_frame=root.text("no_frame", default=""),
        license=root.text("license", default=""),
        not_for=root.text("not_for", default=""),
        model_card=root.text("model_card", default=""),
    )
    root.finish()
    return card


def _root(data: bytes, name: str) -> _Entry:
    if len(data) > _SIZE_MAX_BYTES:
        raise BundleError(f"{name} has {len(data)} bytes.", why=f"{_SIZE_MAX_BYTES} are the most.")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name} is no JSON.", why=str(error)) from error
    root = _Entry(value, name)
    written = root.whole("format", 1, 1 << 31)
    if written != FORMAT:
        raise BundleError(
            f"{name} is written in format {written}.", why=f"{FORMAT} is known here.", fix="Update edge-sdk."
        )
    return root


class _Entry:
    """An object of the JSON; entries are taken out one by one, and none may be left."""

    def __init__(self, value: object, name: str) -> None:
        if not isinstance(value, dict):
            raise BundleError(f"{name} holds {str(value)[:40]!r} where an object is expected.")
        self._values: dict[str, Any] = dict(value)
        self._name = name

    def has(self, key: str) -> bool:
        return key in self._values

    def inner(self, key: str) -> _Entry:
        return _Entry(self._take(key), f"{self._name}, {key}")

    def text(self, key: str, *, default: str | None = None, among: tuple[str, ...] = ()) -> str:
        value = self._take(key, default)
        if not isinstance(value, str) or len(value) > _TEXT_MAX or (among and value not in among):
            raise self.wrong(key, value, f"one of {', '.join(among)}" if among else f"a text up to {_TEXT_MAX}")
        return value

    def whole(self, key: str, least: int, most: int, *, default: int | None = None) -> int:
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(key, value, f"a whole number from {least} to {most}")
        return value

    def real(self, key: str, least: float, most: float) -> float:
        return self._real(key, self._take(key), least, most)

    def reals(self, key: str, count: int, least: float, most: float, default: float) -> tuple[float, ...]:
        value = self._take(key, [default] * count)
        if not isinstance(value, list) or len(value) != count:
            raise self.wrong(key, value, f"a list of {count} numbers")
        return tuple(self._real(key, item, least, most) for item in value)

    def entries(self, key: str, most: int) -> list[_Entry]:
        value = self._take(key)
        if not isinstance(value, list) or not 1 <= len(value) <= most:
            raise self.wrong(key, value, f"a list of 1 to {most} objects")
        return [_Entry(item, f"{self._name}, {key}[{place}]") for place, item in enumerate(value)]

    def rest(self, least: float, most: float) -> Mapping[str, float]:
        keys = list(self._values)
        return MappingProxyType({key: self.real(key, least, most) for key in keys})

    def finish(self) -> None:
        if self._values:
            raise BundleError(
                f"{self._name} has the unknown entry {min(self._values)!r}.",
                why="The bundle was made for a later version, or by another tool.",
                fix="Update edge-sdk.",
            )

    def _real(self, key: str, value: object, least: float, most: float) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            raise self.wrong(key, value, "a number")
        if not least <= value <= most:
            raise self.wrong(key, value, f"a number from {least:g} to {most:g}")
        return float(value)

    def _take(self, key: str, default: object = None) -> Any:
        if key not in self._values and default is None:
            raise BundleError(f"{self._name} lacks the entry {key!r}.")
        return self._values.pop(key, default)

    def wrong(self, key: str, value: object, expected: str) -> BundleError:
        return BundleError(f"{self._name} has {key} = {str(value)[:60]!r}; {expected} is expected.")


def _frame_input(entry: _Entry) -> FrameInput:
    channels = entry.text("channels", default="RGB", among=_CHANNELS)
    count = 1 if channels == "GREY" else 3
    found = FrameInput(
        width_px=entry.whole("width", 1, _SIDE_MAX_PX),
        height_px=entry.whole("height", 1, _SIDE_MAX_PX),
        resize=entry.text("resize", default="stretch", among=_RESIZES),
        channels=channels,
        mean=entry.reals("mean", count, -1000.0, 1000.0, 0.0),
        std=entry.reals("std", count, 1e-6, 1000.0, 1.0),
    )
    entry.finish()
    return found


def _cells(entry: _Entry) -> Cells:
    found = Cells(
        classes=tuple(_cell_class(item) for item in entry.entries("classes", 32)),
        stride_px=entry.whole("stride", 1, 256),
    )
    names = [item.name for item in found.classes]
    if len(set(names)) < len(names):
        raise entry.wrong("classes", names, "a name of its own for each class")
    entry.finish()
    return found


def _cell_class(entry: _Entry) -> CellClass:
    name = entry.text("name")
    label = entry.text("label", default=name)
    found = CellClass(
        name=name,
        label=label,
        plural=entry.text("plural", default=label + "s"),
        threshold=entry.real("threshold", 0.0, 1.0),
        radius_share=entry.real("radius_share", 0.0, 4.0),
        extra=entry.inner("extra").rest(-1e9, 1e9) if entry.has("extra") else MappingProxyType({}),
    )
    entry.finish()
    return found


def _crowding(entry: _Entry) -> Crowding:
    found = Crowding(entry.real("sparse_below", 0.0, 1.0), entry.real("crowded_from", 0.0, 1.0))
    entry.finish()
    return found


def _visual_ladder(entry: _Entry) -> VisualLadder:
    found = VisualLadder(
        rows=entry.whole("rows", 1, 256),
        columns=entry.whole("columns", 1, 256),
        rungs=tuple(_visual_rung(item) for item in entry.entries("rungs", 16)),
        measured_on=entry.text("measured_on", default=""),
    )
    sizes, places = [(rung.tokens, rung.input_px or _SIDE_MAX_PX) for rung in found.rungs], found.rows * found.columns
    if found.rungs[0] != VisualRung(places, "all", found.rungs[0].accuracy_percent):
        raise entry.wrong("rungs", found.rungs[0], f"all {places} tokens first")
    if sizes != sorted(set(sizes), reverse=True):
        raise entry.wrong("rungs", sizes, "fewer tokens, or a smaller picture, from one to the next")
    for rung in found.rungs:
        if (rung.way == "all") != (rung.tokens == places):
            raise entry.wrong("rungs", rung, f"all {places} tokens, or fewer")
        side = math.isqrt(places // rung.tokens)
        whole = rung.tokens * side * side == places and not (found.rows % side or found.columns % side)
        if rung.way == "pool" and not whole:
            raise entry.wrong("rungs", rung, f"squares that fill a grid of {found.rows} by {found.columns}")
    entry.finish()
    return found


def _visual_rung(entry: _Entry) -> VisualRung:
    found = VisualRung(
        tokens=entry.whole("tokens", 1, 65536),
        way=entry.text("way", among=_WAYS),
        accuracy_percent=entry.real("accuracy_percent", 0.0, 100.0) if entry.has("accuracy_percent") else None,
        input_px=entry.whole("input_px", 1, _SIDE_MAX_PX) if entry.has("input_px") else None,
    )
    entry.finish()
    return found
