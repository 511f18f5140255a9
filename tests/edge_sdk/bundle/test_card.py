from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.bundle import Card, CellClass, Cells, Crowding, FrameInput, open_bundle
from edge_sdk.bundle.card import VisualLadder, VisualRung, read_card
from edge_sdk.errors import BundleError

FULL: dict[str, Any] = {
    "format": 1,
    "name": "smear",
    "task": "count-and-answer",
    "input": {
        "width": 288,
        "height": 256,
        "resize": "letterbox",
        "channels": "BGR",
        "mean": [0.1, 0.2, 0.3],
        "std": [1, 2, 3],
    },
    "cells": {
        "classes": [
            {"name": "wbc", "label": "white cell", "plural": "white cells", "threshold": 0.4, "radius_share": 0.5},
            {"name": "rbc", "threshold": 0.3, "radius_share": 0.6, "extra": {"size": 12.5}},
        ],
        "stride": 4,
    },
    "frames_per_question": 2,
    "visual_tokens": 16,
    "visual_ladder": {
        "rows": 2,
        "columns": 8,
        "measured_on": "counts",
        "rungs": [
            {"tokens": 16, "way": "all", "accuracy_percent": 91.5},
            {"tokens": 8, "way": "merge"},
            {"tokens": 8, "way": "merge", "input_px": 192},
            {"tokens": 4, "way": "pool", "accuracy_percent": 90},
        ],
    },
    "memory_bytes": 31_000_000,
    "crowding": {"sparse_below": 0.65, "crowded_from": 0.75},
    "off_topic": "Only blood films.",
    "no_film": "No film.",
    "no_frame": "No frame.",
    "license": "Apache-2.0",
    "not_for": "Not for diagnosis.",
    "model_card": "docs/card.md",
}


def read(value: object) -> Card:
    return read_card(json.dumps(value).encode(), "a.litertlm (section edge_sdk)")


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the full card with one entry, named by its path, changed."""
    card = json.loads(json.dumps(FULL))
    inner: Any = card
    *way, last = path.split(".")
    for step in way:
        inner = inner[int(step)] if step.isdigit() else inner[step]
    inner[last] = value
    return card


def test_a_full_card_comes_back() -> None:
    assert read(FULL) == Card(
        name="smear",
        task="count-and-answer",
        input=FrameInput(288, 256, "letterbox", "BGR", (0.1, 0.2, 0.3), (1.0, 2.0, 3.0)),
        cells=Cells(
            (
                CellClass("wbc", "white cell", "white cells", 0.4, 0.5),
                CellClass("rbc", "rbc", "rbcs", 0.3, 0.6, {"size": 12.5}),
            ),
            4,
        ),
        crowding=Crowding(0.65, 0.75),
        frames_per_question=2,
        visual_tokens=16,
        visual_ladder=VisualLadder(
            2,
            8,
            (
                VisualRung(16, "all", 91.5),
                VisualRung(8, "merge"),
                VisualRung(8, "merge", input_px=192),
                VisualRung(4, "pool", 90.0),
            ),
            "counts",
        ),
        memory_bytes=31_000_000,
        off_topic="Only blood films.",
        no_film="No film.",
        no_frame="No frame.",
        license="Apache-2.0",
        not_for="Not for diagnosis.",
        model_card="docs/card.md",
    )


def test_a_card_may_be_short() -> None:
    card = read({"format": 1, "name": "a", "task": "answer", "input": {"width": 1, "height": 1}})
    assert card == Card(name="a", task="answer", input=FrameInput(1, 1))


@pytest.mark.parametrize(
    "path", ["later", "input.later", "cells.later", "cells.classes.0.later", "crowding.later", "visual_ladder.later"]
)
def test_an_entry_that_is_not_known_is_refused(path: str) -> None:
    with pytest.raises(BundleError, match="has the unknown entry 'later'") as error:
        read(changed(path, 1))
    assert "a.litertlm" in error.value.what


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("name", 7),
        ("name", "x" * 1001),
        ("input.width", 0),
        ("input.width", 8193),
        ("input.width", 288.0),
        ("input.width", True),
        ("input.resize", "squash"),
        ("input.channels", "CMYK"),
        ("input.mean", [0, 0]),
        ("input.mean", "000"),
        ("input.std", [1, 0, 1]),
        ("input.std", [1, float("nan"), 1]),
        ("input.std", [1, float("inf"), 1]),
        ("input.mean", [1, True, 1]),
        ("cells.classes", []),
        ("cells.classes", [{}] * 33),
        ("cells.classes", 3),
        ("cells.classes.0.threshold", 1.5),
        ("cells.classes.0.threshold", "0.5"),
        ("cells.classes.0.radius_share", -1),
        ("cells.classes.1.name", "wbc"),
        ("cells.classes.1.extra", [1]),
        ("cells.stride", 0),
        ("cells", []),
        ("frames_per_question", 65),
        ("visual_tokens", 0),
        ("memory_bytes", 1 << 41),
        ("visual_ladder.rows", 3),
        ("visual_ladder.rungs", []),
        ("visual_ladder.rungs.0.way", "pool"),
        ("visual_ladder.rungs.1.way", "all"),
        ("visual_ladder.rungs.1.way", "drop"),
        ("visual_ladder.rungs.1.tokens", 4),
        ("visual_ladder.rungs.1.tokens", 17),
        ("visual_ladder.rungs.3.tokens", 3),
        ("visual_ladder.rungs.3.tokens", 1),
        ("visual_ladder.rungs.2.input_px", 0),
        ("visual_ladder.rungs.1.input_px", 192),
        ("visual_ladder.rungs.0.input_px", 192),
        ("visual_ladder.rungs.3.accuracy_percent", 100.1),
        ("crowding.crowded_from", 2),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_the_file_and_the_value(path: str, value: object) -> None:
    with pytest.raises(BundleError, match=r"a\.litertlm \(section edge_sdk\)"):
        read(changed(path, value))


@pytest.mark.parametrize("entry", ["format", "name", "task", "input"])
def test_an_entry_that_must_be_there_is_missed(entry: str) -> None:
    card = {key: value for key, value in FULL.items() if key != entry}
    with pytest.raises(BundleError, match=f"lacks the entry '{entry}'"):
        read(card)


def test_a_later_format_asks_for_an_update() -> None:
    with pytest.raises(BundleError, match="is written in format 2") as error:
        read(changed("format", 2))
    assert error.value.fix == "Update edge-sdk."


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b"7", b"null", b"[" * 5000, b"{}" + b" " * 65536])
def test_what_is_no_card_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"a\.litertlm"):
        read_card(data, "a.litertlm")


def test_grey_has_one_mean(tmp_path: Path) -> None:
    entry = {"width": 96, "height": 96, "channels": "GREY", "mean": [0.5], "std": [0.5]}
    assert read(changed("input", entry)).input.mean == (0.5,)


def test_a_bundle_with_a_card_shows_it(write_bundle: Callable[..., Path], part: Any, kinds: Any) -> None:
    data = json.dumps(FULL).encode()
    with open_bundle(write_bundle(part(kinds.GenericBinaryData, data, {"name": "edge_sdk"}))) as bundle:
        assert bundle.card == read(FULL)
        assert bundle.generic("edge_sdk") == data
        with pytest.raises(BundleError, match="no generic data called 'notes'"):
            bundle.generic("notes")


def test_a_bundle_with_a_wrong_card_is_not_opened(write_bundle: Callable[..., Path], part: Any, kinds: Any) -> None:
    path = write_bundle(part(kinds.GenericBinaryData, b"{}", {"name": "edge_sdk"}))
    with pytest.raises(BundleError, match=r"made\.litertlm \(section edge_sdk\)"):
        open_bundle(path)
