from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PHOTO = str(ROOT / "edge_sdk/data/photos/smear-1.jpg")

ARGUMENTS = {
    "ask_with_readings.py": ["sim://smear", "sim://incubator"],
    "ask_a_photo.py": [PHOTO, "How many white blood cells are there?"],
    "count_a_folder.py": [str(Path(PHOTO).parent)],
    "move_a_stage.py": ["sim://stage"],
    "switch_off_when_warm.py": ["sim://incubator?pace=600"],
    "talk_about_a_frame.py": [PHOTO],
    "temperature_of_a_frame.py": ["sim://smear", "sim://incubator"],
    "warm_an_incubator.py": ["sim://incubator"],
    "watch_a_camera.py": ["sim://smear"],
}


def test_every_example_is_run_by_this_file() -> None:
    assert set(ARGUMENTS) == {p.name for p in (ROOT / "examples").glob("*.py")}


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_the_example_runs_and_prints(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [name, *ARGUMENTS[name]])
    runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    assert len(capsys.readouterr().out) > 20
