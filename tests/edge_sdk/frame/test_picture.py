from __future__ import annotations

import contextlib
import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sdk.errors import FrameError
from edge_sdk.frame import Frame, picture

KINDS = (".jpg", ".png", ".bmp", ".tiff", ".webp")


def smooth(height_px: int, width_px: int) -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 4)


def encode(pixels: np.ndarray, kind: str, *options: int) -> bytes:
    return cv2.imencode(kind, pixels, options)[1].tobytes()


def with_orientation(jpeg: bytes, value: int) -> bytes:
    """Put an EXIF segment with nothing but an orientation behind the start of a JPEG."""
    tiff = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, value, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def claimed_png(width_px: int, height_px: int, *, bits: int = 8) -> bytes:
    """Give a PNG of under a hundred bytes that claims any size."""
    head = struct.pack(">IIBBBBB", width_px, height_px, bits, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_is_read(kind: str, tmp_path: Path) -> None:
    pixels = smooth(50, 70)
    path = tmp_path / f"picture{kind}"
    path.write_bytes(encode(pixels, kind))
    frame = Frame.open(path)
    assert frame.pixels.shape == (50, 70, 3)
    assert np.abs(frame.pixels.astype(int) - pixels).mean() < 4  # JPEG and WebP lose a little.
    assert frame.reduction == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_of_one_pixel_is_read(kind: str) -> None:
    assert Frame.of(encode(np.full((1, 1, 3), 90, np.uint8), kind)).pixels.shape == (1, 1, 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.02, 0.1, 0.5, 0.9])
def test_a_truncated_file_names_the_file(kind: str, part: float, tmp_path: Path) -> None:
    whole = encode(smooth(200, 300), kind)
    path = tmp_path / f"cut{kind}"
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(FrameError, match=str(path)) as caught:
        Frame.open(path)
    assert "cut short" in str(caught.value)
    assert caught.value.fix


def test_a_damaged_file_makes_opencv_say_nothing_beside_the_error(capfd: pytest.CaptureFixture[str]) -> None:
    whole = encode(smooth(200, 300), ".bmp")
    with pytest.raises(FrameError):
        Frame.of(whole[:500])
    assert capfd.readouterr() == ("", "")


def test_no_truncation_or_flipped_bit_in_a_header_gets_past_the_errors(
    capfd: pytest.CaptureFixture[str],
) -> None:
    rng = np.random.default_rng(4)
    for kind in KINDS:
        whole = encode(smooth(24, 24), kind)
        for _ in range(60):
            data = bytearray(whole)
            data[rng.integers(min(len(data), 200))] ^= 1 << rng.integers(8)
            with contextlib.suppress(FrameError):  # Anything else that is raised fails the test.
                assert Frame.of(bytes(data[: rng.integers(1, len(data) + 1)])).width_px > 0


@pytest.mark.parametrize("text", [b"", b"GIF89a", b"%PDF-1.7", b"hello, world\n" * 10, b"\xff\xd8\xff"])
def test_a_file_that_is_no_picture_says_what_it_starts_with_or_that_it_ends(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_bytes(text)
    with pytest.raises(FrameError, match=r"notes\.jpg (is not a picture|is cut short)"):
        Frame.open(path)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"gone\.jpg could not be opened: No such file") as missing:
        Frame.open(tmp_path / "gone.jpg")
    assert "spelling" in (missing.value.fix or "")
    with pytest.raises(FrameError, match="is a folder"):
        Frame.open(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_how_to_give_it(tmp_path: Path) -> None:
    path = tmp_path / "locked.jpg"
    path.write_bytes(encode(smooth(8, 8), ".jpg"))
    path.chmod(0)
    with pytest.raises(FrameError, match="Permission denied") as caught:
        Frame.open(path)
    assert "chmod" in (caught.value.fix or "")


def test_a_refusal_of_the_system_says_how_to_give_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "locked.jpg"
    path.write_bytes(b"")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FrameError, match=r"locked\.jpg could not be opened: Permission denied") as caught:
        Frame.open(path)
    assert "chmod" in (caught.value.fix or "")


@pytest.mark.parametrize(("value", "turn"), [(3, 2), (6, 3), (8, 1)])
def test_the_orientation_that_a_phone_noted_is_applied(value: int, turn: int) -> None:
    pixels = smooth(48, 64)
    upright = Frame.of(encode(pixels, ".png")).pixels
    frame = Frame.of(with_orientation(encode(pixels, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 100), value))
    assert np.abs(frame.pixels.astype(int) - np.rot90(upright, turn)).mean() < 3


@pytest.mark.parametrize("kind", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_twelve_bits_in_sixteen_use_the_whole_range(kind: str, channels: int) -> None:
    ramp = np.linspace(0, 4095, 16 * 20).astype(np.uint16).reshape(16, 20)
    data = encode(np.repeat(ramp[..., None], channels, axis=2), kind)
    expected = np.rint(ramp * (255 / 4095)).astype(int)
    for channel in range(3):
        assert np.abs(Frame.of(data).pixels[..., channel] - expected).max() <= 1


@pytest.mark.parametrize("kind", [".png", ".webp"])
def test_a_transparent_picture_lies_on_white(kind: str) -> None:
    bgra = np.dstack([smooth(30, 30), np.full((30, 30), 255, np.uint8)])
    bgra[:15, :, 3] = 0
    pixels = Frame.of(encode(bgra, kind)).pixels
    assert (pixels[:14] == 255).all()
    assert np.abs(pixels[16:].astype(int) - bgra[16:, :, :3]).mean() < 6


def test_a_palette_with_a_clear_colour_lies_on_white() -> None:
    head = struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"PLTE", bytes([0, 0, 200, 10, 20, 30]))
    data += chunk(b"tRNS", bytes([0, 255])) + chunk(b"IDAT", zlib.compress(b"\0\0\1")) + chunk(b"IEND", b"")
    assert Frame.of(data).pixels.tolist() == [[[255, 255, 255], [30, 20, 10]]]


@pytest.mark.parametrize("kind", [".jpg", ".png", ".tiff"])
def test_a_picture_above_the_limit_is_reduced_on_decoding(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "_WHOLE_PIXELS", 200 * 300 // 4)
    pixels = smooth(200, 300)
    frame = Frame.of(encode(pixels, kind))
    assert (frame.height_px, frame.width_px, frame.reduction) == (100, 150, 2)
    expected = cv2.resize(pixels, (150, 100), interpolation=cv2.INTER_AREA)
    assert np.abs(frame.pixels.astype(int) - expected).mean() < 4
    assert "reduced 1/2" in repr(frame)


def test_a_large_picture_with_alpha_is_reduced_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "_WHOLE_PIXELS", 1000)
    bgra = np.dstack([smooth(101, 99), np.full((101, 99), 255, np.uint8)])
    frame = Frame.of(encode(bgra, ".png"))
    assert (frame.height_px, frame.width_px, frame.reduction) == (26, 25, 4)


def test_a_hundred_megapixels_of_jpeg_are_opened_at_half_size(tmp_path: Path) -> None:
    path = tmp_path / "slide.jpg"
    path.write_bytes(encode(np.full((10_000, 10_000), 180, np.uint8), ".jpg"))
    frame = Frame.open(path)
    assert (frame.width_px, frame.height_px, frame.reduction) == (5000, 5000, 2)
    assert frame.pixels[2500, 2500].tolist() == [180, 180, 180]


def test_a_file_that_would_not_fit_the_free_memory_is_refused_from_its_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(picture, "_free_bytes", lambda: 200_000_000)
    with pytest.raises(FrameError, match=r"10000x10000 pixels; decoding it takes 375 MB and 200 MB are free"):
        Frame.of(claimed_png(10_000, 10_000))


def test_a_progressive_jpeg_counts_its_coefficients(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = smooth(400, 400)
    monkeypatch.setattr(picture, "_free_bytes", lambda: 6 * 400 * 400)
    assert Frame.of(encode(pixels, ".jpg")).width_px == 400
    with pytest.raises(FrameError, match="are free"):
        Frame.of(encode(pixels, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1))


@pytest.mark.parametrize("size", [(2**31 - 1, 2**31 - 1), (2**20 + 1, 1), (40_000, 40_000)])
def test_a_claim_beyond_all_measure_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(FrameError, match="at most 1073741824 are read"):
        Frame.of(claimed_png(*size))


def test_a_claim_of_no_pixels_is_refused() -> None:
    with pytest.raises(FrameError, match="0x5 pixels"):
        Frame.of(claimed_png(0, 5))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
def test_tiff_headers_of_both_byte_orders_and_sizes_are_read(order: str, big: bool) -> None:
    tags = [
        (256, 3, 1, 2),
        (257, 3, 1, 1),
        (258, 3, 1, 8),
        (262, 3, 1, 1),
        (273, 4, 1, 0),
        (277, 3, 1, 1),
        (279, 4, 1, 2),
    ]
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if big else struct.pack(f"{order}HI", 42, 8)
    start = 2 + len(head)
    row = 20 if big else 12
    table_bytes = (8 if big else 2) + row * len(tags) + (8 if big else 4)
    body = struct.pack(order + ("Q" if big else "H"), len(tags))
    for tag, kind, count, value in tags:
        value = start + table_bytes if tag == 273 else value
        field = struct.pack(order + ("H" if kind == 3 else "I"), value)
        body += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, count) + field.ljust(8 if big else 4, b"\0")
    body += bytes(8 if big else 4)
    frame = Frame.of(mark + head + body + bytes([40, 90]))
    assert frame.pixels[0, :, 0].tolist() == [40, 90]
