"""How refusals are counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import question
import refusal
from data import SIDE_PX

import edge_sdk


class FakeModel:
    """Refuses dark frames, as if only light ones were films."""

    def ask(self, prompt: str, frame: edge_sdk.Frame) -> Iterator[str]:
        assert prompt
        yield from (question.NO_FILM if frame.pixels.mean() < 100 else "There are 3 cells.").partition(" ")


def pictures() -> Iterator[refusal.Stranger]:
    for number, light in enumerate((20, 30, 200, 40)):
        yield ("flat" if number < 3 else "other"), f"picture {number}", np.full((SIDE_PX, SIDE_PX, 3), light, np.uint8)


def test_refusals_are_counted_by_kind_and_over_all() -> None:
    assert refusal.share_refused(FakeModel(), pictures(), refusal_is_right=True) == {
        "flat": {"refused": pytest.approx(2 / 3), "shown": 3},
        "other": {"refused": 1.0, "shown": 1},
        "all": {"refused": 0.75, "shown": 4},
    }


@pytest.mark.parametrize(
    ("refusal_is_right", "told"), [(True, ["picture 2"]), (False, ["picture 0", "picture 1", "picture 3"])]
)
def test_wrong_answers_are_shown(refusal_is_right: bool, told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    refusal.share_refused(FakeModel(), pictures(), refusal_is_right=refusal_is_right)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(", ")[1].split(":")[0] for line in lines] == told


def test_the_model_sees_the_colours_as_they_were_read() -> None:
    seen = []

    class Looking(FakeModel):
        def ask(self, prompt: str, frame: edge_sdk.Frame) -> Iterator[str]:
            seen.append(frame.pixels[0, 0].tolist())
            return super().ask(prompt, frame)

    red = np.zeros((SIDE_PX, SIDE_PX, 3), np.uint8)
    red[:, :, 0] = 255  # RGB here, BGR in frames
    refusal.share_refused(Looking(), [("flat", "red", red)], refusal_is_right=True)
    assert seen == [[0, 0, 255]]


def test_patterns_differ_and_are_the_same_on_every_run() -> None:
    drawn = [[refusal.pattern(np.random.default_rng(5), kind).tobytes() for kind in range(6)] for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 6


def test_photographs_are_photographs_and_all_kinds_are_shown(material: Path) -> None:
    kinds: dict[str, list[str]] = {}
    for kind, name, pixels in refusal.strangers(material / "data"):
        assert pixels.shape == (SIDE_PX, SIDE_PX, 3)
        kinds.setdefault(kind, []).append(name)
    assert set(kinds) == {"photographs", "clothing", "digits", "patterns"}
    assert min(map(len, kinds.values())) >= 25
    assert not [name for name in kinds["photographs"] if "mask" in name or "mnist" in name]
