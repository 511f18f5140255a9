from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edge_sdk as edge

PHOTOS = Path(edge.__file__).parent / "data/photos"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_sdk", "count", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    shutil.copytree(PHOTOS, folder)
    return folder


def test_csv_has_a_row_for_every_picture_of_a_folder(slides: Path) -> None:
    done = run(slides, "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.returncode == 0
    assert [Path(row["picture"]).name for row in rows] == [p.name for p in sorted(PHOTOS.glob("*.jpg"))]
    assert all(int(row["rbc"]) > 3 for row in rows)
    assert done.stderr == ""


def test_json_is_one_document_with_every_cell(slides: Path) -> None:
    counts = json.loads(run(slides / "smear-1.jpg", slides / "smear-2.jpg", "--json").stdout)
    assert [Path(count["source"]).name for count in counts] == ["smear-1.jpg", "smear-2.jpg"]
    for count in counts:
        assert len(count["cells"]) == sum(count["totals"].values())
        assert {"label", "x_px", "y_px", "width_px", "height_px", "radius_px", "score"} == set(count["cells"][0])


def test_the_table_and_the_csv_agree(slides: Path) -> None:
    table = [line.split() for line in run(slides).stdout.splitlines()]
    rows = list(csv.reader(io.StringIO(run(slides, "--csv").stdout)))
    assert [[*line[:3]] for line in table] == [row[1:4] for row in rows]


def test_overlays_are_written_for_every_picture(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "marked"
    assert run(slides, "--overlay", out).returncode == 0
    assert len(list(out.iterdir())) == len(list(PHOTOS.glob("*.jpg")))


def test_pictures_of_the_same_name_do_not_overwrite_each_others_overlay(slides: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(PHOTOS, other)
    out = tmp_path / "marked"
    assert run(slides / "smear-1.jpg", other / "smear-1.jpg", "--overlay", out).returncode == 0
    assert len(list(out.iterdir())) == 2


def test_overlays_of_names_that_would_collide_are_all_kept(tmp_path: Path) -> None:
    photo = (PHOTOS / "smear-1.jpg").read_bytes()
    inputs = [tmp_path / name for name in ("x/a.jpg", "a.jpg", "a-2.jpg")]
    (tmp_path / "x").mkdir()
    for path in inputs:
        path.write_bytes(photo)
    assert run(*inputs, "--overlay", tmp_path / "out").returncode == 0
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_a_picture_that_cannot_be_read_costs_only_itself(slides: Path) -> None:
    (slides / "smear-0.jpg").write_bytes(b"no picture")
    done = run(slides, "--csv")
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 1 + len(list(PHOTOS.glob("*.jpg")))
    assert "smear-0.jpg" in done.stderr
    assert "1 of 5 pictures could not be counted" in done.stderr


def test_json_stays_whole_when_every_picture_fails(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    done = run(tmp_path / "a.png", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == []


def test_a_folder_without_pictures_says_so(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 1
    assert "No pictures" in done.stderr


def test_a_bundle_that_cannot_count_says_so(material: Path) -> None:
    done = run(PHOTOS / "smear-1.jpg", "--bundle", material / "bundles/tiny-vision.litertlm")
    assert done.returncode == 1
    assert "cannot count" in done.stderr


def test_a_full_disk_under_the_output_is_told(slides: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m edge_sdk count {slides} --csv > /dev/full",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_overlay_folder_that_cannot_be_made_is_told(slides: Path) -> None:
    done = run(slides, "--overlay", slides / "smear-1.jpg" / "x")
    assert done.returncode == 1
    assert "smear-1.jpg" in done.stderr


def test_a_cameras_frames_are_counted_under_their_numbers() -> None:
    done = run("--camera", "sim://smear", "--frames", "4", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    numbers = [int(row["frame"]) for row in rows]
    assert done.returncode == 0
    assert len(numbers) == 4
    assert numbers == sorted(set(numbers))
    assert [int(row["encoded_frame"]) for row in rows] == numbers
    assert {row["camera"] for row in rows} == {"sim://smear"}


def test_behind_the_gate_every_row_names_the_frame_that_was_encoded() -> None:
    counts = json.loads(run("--camera", "sim://smear", "--frames", "12", "--gate", "--json").stdout)
    latest = -1
    for count in counts:
        assert latest <= count["encoded_sequence"] <= count["sequence"]
        latest = count["encoded_sequence"]
    assert counts[0]["encoded_sequence"] == counts[0]["sequence"]


def test_a_region_is_counted_alone_and_placed_in_the_whole_picture(slides: Path) -> None:
    picture = slides / "smear-2.jpg"
    (whole,), (part,) = (
        json.loads(run(picture, "--json", *more).stdout) for more in ((), ("--region", "320,0,320,480"))
    )
    assert (part["width_px"], part["height_px"]) == (whole["width_px"], whole["height_px"])
    assert 0 < len(part["cells"]) < len(whole["cells"])
    assert all(cell["x_px"] >= 320 for cell in part["cells"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Usage"),
        (("a.jpg", "--camera", "sim://smear"), "Name pictures, or a camera"),
        (("--camera", "sim://smear", "--overlay", "out"), "for pictures"),
        (("a.jpg", "--gate"), "for a camera"),
        (("a.jpg", "--region", "1,2,3"), "four numbers"),
        (("a.jpg", "--region", "a,b,c,d"), "four numbers"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stdout + done.stderr
