from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from augment import collect_patches, degrade, paste_platelets, recolour, view
from data import (
    SIDE_PX,
    Picture,
    draw_digit,
    generate_stranger,
    is_held_out,
    read_boxes,
    read_folder,
    split,
)

from edge_sdk.errors import EdgeError


def film(seed: int = 0, name: str = "a.jpg") -> Picture:
    """Draw a light film with dark squares that fill their boxes exactly."""
    rng = np.random.default_rng(seed)
    pixels = np.full((384, 384, 3), 230, np.uint8)
    rows = []
    for kind, side in ((0, 96), (1, 48), (1, 48), (2, 24), (2, 24)):
        x, y = (int(v) for v in rng.integers(12, 384 - side - 12, 2))
        pixels[y : y + side, x : x + side] = 60 + 40 * kind
        rows.append([kind, x / 384, y / 384, (x + side) / 384, (y + side) / 384])
    return Picture(name, pixels, np.array(rows, np.float32))


def test_label_rows_become_corner_boxes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1 0.5 0.25 0.2 0.1\n\n2 0.1 0.9 0.2 0.2\n")
    assert read_boxes(path) == pytest.approx(np.array([[1, 0.4, 0.2, 0.6, 0.3], [2, 0.0, 0.8, 0.2, 1.0]]), abs=1e-6)


def test_an_empty_label_file_is_a_picture_without_cells(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("")
    assert read_boxes(path).shape == (0, 5)


@pytest.mark.parametrize(
    "row",
    [
        "1 0.5 0.5 0.2",
        "1 0.5 0.5 0.2 0.2 0.9",
        "3 0.5 0.5 0.2 0.2",
        "-1 0.5 0.5 0.2 0.2",
        "1.5 0.5 0.5 0.2 0.2",
        "wbc 0.5 0.5 0.2 0.2",
        "1 0.5 nan 0.2 0.2",
        "1 0.5 inf 0.2 0.2",
        "1,0.5,0.5,0.2,0.2",
    ],
)
def test_a_row_that_is_no_label_is_refused_with_file_and_line(tmp_path: Path, row: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"1 0.5 0.25 0.2 0.1\n\n{row}\n")
    with pytest.raises(EdgeError, match=r"Line 3 of .*a\.txt is no label") as error:
        read_boxes(path)
    assert "class cx cy w h" in error.value.why


def test_rows_that_are_ragged_together_are_refused_though_their_numbers_add_up(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1 0.5 0.5 0.2 0.2 0.1\n" * 5)
    with pytest.raises(EdgeError, match="Line 1"):
        read_boxes(path)


def test_pictures_without_a_label_file_are_left_out(tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), np.full((50, 70, 3), (10, 20, 200), np.uint8))
    (tmp_path / "labels" / "b.txt").write_text("0 0.5 0.5 0.1 0.1")
    (picture,) = read_folder(tmp_path, 32)
    assert picture.name == "b.png"
    assert picture.pixels.shape == (32, 32, 3)
    assert picture.pixels[16, 16].tolist() == [200, 20, 10]


def test_a_tenth_is_held_out_by_name_alone() -> None:
    names = [f"{i}.jpg" for i in range(3000)]
    assert 0.08 < sum(map(is_held_out, names)) / len(names) < 0.12
    pictures = [Picture(n, np.zeros((1, 1, 3), np.uint8), np.zeros((0, 5), np.float32)) for n in names[:60]]
    kept, held = split(pictures)
    assert {p.name for p in held} == {n for n in names[:60] if is_held_out(n)}
    assert len(kept) + len(held) == 60


def test_copies_of_pictures_that_judge_are_not_learnt_from() -> None:
    names = ["870110a5-9200-514b-a4a4-8946c207fc20.jpg", "2ff502cb-d976-5bfd-a50a-1274740d30a8.jpg", "0.jpg"]
    pictures = [Picture(n, np.zeros((1, 1, 3), np.uint8), np.zeros((0, 5), np.float32)) for n in names]
    assert [p.name for group in split(pictures) for p in group] == ["0.jpg"]


def test_a_digit_is_light_on_dark_or_dark_on_light() -> None:
    digits = np.zeros((1, 28, 28), np.uint8)
    digits[0, 10:18, 10:18] = 255
    drawn = [draw_digit(digits, np.random.default_rng(seed)) for seed in range(12)]
    assert all(p.shape == (SIDE_PX, SIDE_PX, 3) for p in drawn)
    assert {(int(p[0, 0, 0]), int(p[144, 144, 0])) for p in drawn} == {(0, 255), (255, 0)}


def test_boxes_follow_the_pixels_through_windows_turns_and_mosaics() -> None:
    pictures = [film(seed) for seed in range(6)]
    checked = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        pixels, boxes, _ = view(pictures, pictures[seed % 6], rng)
        assert pixels.shape == (SIDE_PX, SIDE_PX, 3)
        for kind, x0, y0, x1, y1 in boxes:
            inner = np.array([0.7 * x0 + 0.3 * x1, 0.7 * y0 + 0.3 * y1, 0.3 * x0 + 0.7 * x1, 0.3 * y0 + 0.7 * y1])
            left, top, right, bottom = np.rint(inner * SIDE_PX).astype(int)
            if kind == 0 and right > left + 4 and bottom > top + 4:
                # A later square may lie upon a white cell's: most of it is still its own grey.
                own = np.abs(pixels[top:bottom, left:right].astype(int) - 60) < 60
                assert own.mean() > 0.5
                checked += 1
    assert checked > 60


def test_pasted_platelets_darken_the_film_where_their_boxes_are() -> None:
    source = film(1)
    patches = collect_patches([source])
    assert len(patches) == 2
    pixels = np.full((SIDE_PX, SIDE_PX, 3), 200, np.uint8)
    none = np.zeros((0, 5), np.float32)
    boxes = paste_platelets(pixels, none, patches, np.random.default_rng(2))
    assert len(boxes) >= 1
    assert (boxes[:, 0] == 2).all()
    for _, x0, y0, x1, y1 in boxes:
        x, y = int((x0 + x1) / 2 * SIDE_PX), int((y0 + y1) / 2 * SIDE_PX)
        assert pixels[y, x].max() < 160
    outside = np.ones(pixels.shape[:2], bool)
    for _, x0, y0, x1, y1 in boxes:
        rim = 0.5 * (x1 - x0)
        left, top = (int(max(0, v - rim) * SIDE_PX) for v in (x0, y0))
        outside[top : int((y1 + rim) * SIDE_PX) + 1, left : int((x1 + rim) * SIDE_PX) + 1] = False
    assert (pixels[outside] == 200).all()


def test_augmentation_is_the_same_for_the_same_seed() -> None:
    pictures = [film(seed) for seed in range(3)]

    def once() -> np.ndarray:
        rng = np.random.default_rng(9)
        return degrade(recolour(view(pictures, pictures[0], rng)[0], rng), rng)

    assert (once() == once()).all()


def test_recolouring_keeps_grey_pictures_from_turning_black_or_white() -> None:
    grey = np.full((32, 32, 3), 150, np.uint8)
    means = [recolour(grey, np.random.default_rng(seed)).mean() for seed in range(200)]
    assert np.percentile(means, 2) > 60
    assert np.percentile(means, 98) < 250


def test_strangers_differ_and_fill_the_frame() -> None:
    drawn = [generate_stranger(np.random.default_rng(seed)) for seed in range(20)]
    assert all(p.shape == (SIDE_PX, SIDE_PX, 3) and p.dtype == np.uint8 for p in drawn)
    assert len({p.tobytes() for p in drawn}) == 20
