from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import evaluate
import numpy as np
import pytest
from data import CLASSES

from edge_sdk.bundle import find_bundle, sha256
from edge_sdk.errors import EdgeError
from edge_sdk.pipeline.count import Cell, Count
from edge_sdk.pipeline.seen import Seen

SEEN = Seen("a", 0, 0.0, 0, 0.0)
FIGURES = {"precision", "recall", "f1", "count_accuracy", "total_accuracy", "exact_rate"}


def folder_of(root: Path, names: list[str], labels: dict[str, str]) -> Path:
    for part in ("images", "labels"):
        (root / part).mkdir()
    for name in names:
        cv2.imwrite(str(root / "images" / name), np.full((40, 60, 3), 200, np.uint8))
    for name, text in labels.items():
        (root / "labels" / name).write_text(text)
    return root


def test_pictures_without_labels_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, ["a.png", "b.jpg", "c.png"], {"b.txt": "1 0.5 0.5 0.2 0.2", "c.txt": ""})
    pictures, without = evaluate.read_labelled(folder)
    assert [p.path.name for p in pictures] == ["b.jpg", "c.png"]
    assert [len(p.boxes) for p in pictures] == [1, 0]
    assert without == 1


def test_a_folder_without_images_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="images is not a folder") as error:
        evaluate.read_labelled(tmp_path)
    assert error.value.fix


def test_a_folder_without_any_label_says_so(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="None of the 1 pictures"):
        evaluate.read_labelled(folder_of(tmp_path, ["a.png"], {}))


def test_counted_cells_become_rows_like_those_of_labels() -> None:
    cells = [Cell("rbc", 150.0, 20.0, 30.0, 10.0, 0.9), Cell("platelet", 10.0, 90.0, 6.0, 4.0, 0.6)]
    count = Count.of(cells, list(CLASSES), seen=SEEN, width_px=300, height_px=100)
    found = evaluate.centres_of(count)
    assert evaluate.boxes_of(found) == pytest.approx(
        np.array([[1, 0.45, 0.15, 0.55, 0.25], [2, 7 / 300, 0.88, 13 / 300, 0.92]]), abs=1e-6
    )
    empty = Count.of([], list(CLASSES), seen=SEEN, width_px=300, height_px=100)
    assert evaluate.boxes_of(evaluate.centres_of(empty)).shape == (0, 5)


def test_what_int8_keeps_is_a_ratio_of_f1_per_class_and_over_all_cells() -> None:
    full = [np.array([[1, 1, 1], [4, 4, 4], [0, 0, 0]])]
    small = [np.array([[1, 1, 1], [2, 4, 4], [0, 0, 0]])]
    assert evaluate.kept(full, small) == {
        "wbc": 1.0,
        "rbc": pytest.approx(0.5),
        "platelet": None,
        "all": pytest.approx(3 / 5),
    }


def test_the_command_writes_the_scores_of_the_shipped_bundle(
    tmp_path: Path, material: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = material / "data" / "smear" / "val"
    folder = folder_of(tmp_path, [], {})
    for path in sorted((source / "images").iterdir())[:4]:
        (folder / "images" / path.name).symlink_to(path)
        (folder / "labels" / f"{path.stem}.txt").symlink_to(source / "labels" / f"{path.stem}.txt")
    cv2.imwrite(str(folder / "images" / "unlabelled.png"), np.full((9, 9, 3), 200, np.uint8))
    out = tmp_path / "new folder" / "out.json"
    monkeypatch.setattr(sys, "argv", ["evaluate.py", "--data", str(folder), "--json", str(out)])
    assert evaluate.main() == 0
    result = json.loads(out.read_text())
    assert {"float", "int8", "answers"} <= set(result)
    assert result["pictures"] == {"scored": 4, "without_labels": 1}
    for kind in ("float", "int8"):
        assert set(result[kind]) == set(CLASSES)
        assert set(result[kind]["rbc"]) == FIGURES
        assert result[kind]["rbc"]["f1"] > 0.8
    assert 0 <= result["answers"]["agree"] <= 1
    others = result["other_answers"]
    assert {kind: got["asked"] for kind, got in others.items()} == dict.fromkeys(
        ("describe", "film", "help", "medical", "finer", "off", "no frame"), 4
    )
    assert others["film"]["right"] == others["no frame"]["right"] == 1
    assert result["f1_kept_own_rule"]["rbc"] > 0.9
    assert result["bundle_sha256"] == sha256(find_bundle("smear"))
    shown = capsys.readouterr().out
    assert "spoken counts" in shown
    assert "other answers" in shown


def test_a_bundle_made_from_other_float_networks_is_not_compared_with_those_kept_here(
    tmp_path: Path, material: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(evaluate, "_FLOAT", tmp_path)
    (tmp_path / "origin.json").write_text(json.dumps({"bundle_sha256": "0", "thresholds": [], "radii": []}))
    source = sorted((material / "data" / "smear" / "val" / "images").iterdir())[0]
    folder = folder_of(tmp_path, [], {f"{source.stem}.txt": "1 0.5 0.5 0.2 0.2"})
    (folder / "images" / source.name).symlink_to(source)
    out = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["evaluate.py", "--data", str(folder), "--no-answers", "--json", str(out)])
    assert evaluate.main() == 0
    result = json.loads(out.read_text())
    assert result["float"] is result["f1_kept"] is result["f1_kept_own_rule"] is None
    assert result["answers"] is result["other_answers"] is None
    assert result["int8"]["rbc"]["recall"] >= 0
    assert "not here" in capsys.readouterr().out


def test_the_command_tells_of_a_wrong_folder_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["evaluate.py", "--data", str(tmp_path)])
    assert evaluate.main() == 1
    assert str(tmp_path) in capsys.readouterr().err
