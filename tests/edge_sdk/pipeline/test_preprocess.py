from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from edge_sdk.errors import ShapeError
from edge_sdk.frame import Frame
from edge_sdk.pipeline.preprocess import Preprocess


def photograph(height_px: int, width_px: int, seed: int = 5) -> Frame:
    noise = np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)
    return Frame.of(cv2.GaussianBlur(noise, (0, 0), 2))


def spot(width_px: int, height_px: int, x_px: int, y_px: int, side_px: int) -> Frame:
    pixels = np.zeros((height_px, width_px, 3), np.uint8)
    pixels[y_px : y_px + side_px, x_px : x_px + side_px] = 255
    return Frame.of(pixels)


def test_the_default_is_a_stretched_rgb_picture_from_0_to_1() -> None:
    frame = photograph(480, 640)
    out = np.full((1, 288, 288, 3), np.nan, np.float32)
    geometry = Preprocess(288, 288).apply(frame, out)
    small = cv2.resize(frame.pixels, (288, 288), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(out[0], small[..., ::-1] / 255, rtol=0, atol=1e-7)
    assert (geometry.scale_x, geometry.scale_y) == (640 / 288, 480 / 288)


def test_in_a_much_larger_frame_every_pixel_counts() -> None:
    prepare, out = Preprocess(96, 96), np.empty((1, 96, 96, 3), np.float32)
    for x_px, y_px in np.random.default_rng(4).integers(0, 960, (40, 2)):
        pixels = np.zeros((960, 960), np.uint8)
        pixels[y_px, x_px] = 255  # linear sampling alone would see some of these dots and miss most
        prepare.apply(Frame.of(pixels), out)
        assert out[0, :, :, 0].sum() == pytest.approx(0.01, abs=0.006)


def test_a_frame_smaller_than_the_input_is_grown_smoothly() -> None:
    frame = photograph(30, 40)
    out = np.empty((96, 96, 3), np.uint8)
    Preprocess(96, 96, channels="bgr", dtype=np.uint8).apply(frame, out)
    np.testing.assert_array_equal(out, cv2.resize(frame.pixels, (96, 96), interpolation=cv2.INTER_LINEAR))


def test_a_frame_of_one_pixel_fills_the_input() -> None:
    for resize in ("stretch", "letterbox", "crop"):
        out = np.zeros((8, 8, 3), np.float32)
        Preprocess(8, 8, resize=resize).apply(Frame.of(np.full((1, 1), 255, np.uint8)), out)
        assert (out == 1).all()


@pytest.mark.parametrize("channels", ["rgb", "bgr"])
def test_mean_and_std_are_per_channel_in_the_inputs_order(channels: str) -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    frame = photograph(64, 64)
    out = np.empty((64, 64, 3), np.float32)
    Preprocess(64, 64, channels=channels, mean=mean, std=std).apply(frame, out)
    ordered = frame.pixels if channels == "bgr" else frame.pixels[..., ::-1]
    np.testing.assert_allclose(out, (ordered / 255 - mean) / std, atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "quantization"),
    [(np.int8, (1 / 255, -128)), (np.int8, (0.02, 3)), (np.uint8, (0.0078125, 128))],
)
def test_quantised_inputs_are_rounded_and_kept_within_their_type(dtype: Any, quantization: tuple[float, int]) -> None:
    frame = photograph(50, 50)
    out = np.empty((1, 50, 50, 3), dtype)
    prepare = Preprocess(50, 50, mean=(0.5,), std=(0.5,), dtype=dtype, quantization=quantization)
    prepare.apply(frame, out)
    scale, zero_point = quantization
    real = (frame.pixels[..., ::-1] / 255 - 0.5) / 0.5
    limits = np.iinfo(dtype)
    expected = np.clip(np.rint(real / scale) + zero_point, limits.min, limits.max)
    np.testing.assert_array_equal(out[0], expected.astype(dtype))


def test_bytes_without_quantisation_are_the_pixels_and_signed_ones_the_pixels_less_128() -> None:
    frame = photograph(20, 20)
    unsigned, signed = np.empty((20, 20, 3), np.uint8), np.empty((20, 20, 3), np.int8)
    Preprocess(20, 20, dtype=np.uint8).apply(frame, unsigned)
    Preprocess(20, 20, dtype=np.int8).apply(frame, signed)
    np.testing.assert_array_equal(unsigned, frame.pixels[..., ::-1])
    np.testing.assert_array_equal(signed.astype(int) + 128, unsigned)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32])
def test_a_grey_model_gets_one_channel(dtype: Any) -> None:
    frame = photograph(20, 30)
    out = np.empty((1, 20, 30, 1), dtype)
    Preprocess(30, 20, channels="grey", dtype=dtype, quantization=None).apply(frame, out)
    grey = cv2.cvtColor(frame.pixels, cv2.COLOR_BGR2GRAY).astype(float)
    expected = {np.uint8: grey, np.int8: grey - 128, np.float32: grey / 255}[dtype]
    np.testing.assert_allclose(out[0, :, :, 0], expected, atol=1e-6)


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "crop"])
@pytest.mark.parametrize(("width_px", "height_px"), [(640, 480), (480, 640), (575, 575), (90, 70)])
def test_a_place_found_in_the_input_is_the_place_in_the_frame(resize: str, width_px: int, height_px: int) -> None:
    side_px = width_px // 10
    x_px, y_px = width_px // 2 - 7, height_px // 2 + 4
    out = np.empty((96, 128, 3), np.float32)
    geometry = Preprocess(128, 96, resize=resize).apply(spot(width_px, height_px, x_px, y_px, side_px), out)
    rows, columns = np.mgrid[0:96, 0:128] + 0.5
    light = out[..., 0]
    x, y = (light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()
    found = geometry.to_frame(x, y)
    # Within a quarter of a pixel of the input.
    most_px = max(0.6, geometry.scale_x / 4, geometry.scale_y / 4)
    assert found == pytest.approx((x_px + side_px / 2, y_px + side_px / 2), abs=most_px)


@pytest.mark.parametrize(("width_px", "height_px"), [(200, 100), (100, 200), (3000, 2)])
def test_a_letterbox_keeps_the_proportions_and_pads_both_sides_alike(width_px: int, height_px: int) -> None:
    frame = Frame.of(np.full((height_px, width_px), 255, np.uint8))
    out = np.empty((64, 64, 3), np.uint8)
    prepare = Preprocess(64, 64, resize="letterbox", dtype=np.uint8, pad=114)
    geometry = prepare.apply(frame, out)
    inner = out[..., 0] == 255
    rows, columns = np.flatnonzero(inner.any(1)), np.flatnonzero(inner.any(0))
    assert (out[..., 0][~inner] == 114).all()
    assert abs(rows[0] - (63 - rows[-1])) <= 1
    assert abs(columns[0] - (63 - columns[-1])) <= 1
    assert geometry.to_frame(columns[0], rows[0]) == pytest.approx((0, 0))
    assert geometry.to_frame(columns[-1] + 1, rows[-1] + 1) == pytest.approx((width_px, height_px))


def test_the_padding_of_one_frame_does_not_stay_in_the_next() -> None:
    prepare = Preprocess(32, 32, resize="letterbox", dtype=np.uint8)
    used, fresh = np.empty((32, 32, 3), np.uint8), np.empty((32, 32, 3), np.uint8)
    prepare.apply(photograph(64, 20), used)
    prepare.apply(photograph(20, 64), used)
    Preprocess(32, 32, resize="letterbox", dtype=np.uint8).apply(photograph(20, 64), fresh)
    np.testing.assert_array_equal(used, fresh)


def test_a_centre_crop_shows_the_middle_only() -> None:
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[:, 50:150] = 255
    out = np.empty((50, 50, 3), np.uint8)
    geometry = Preprocess(50, 50, resize="crop", dtype=np.uint8).apply(Frame.of(pixels), out)
    assert (out == 255).all()
    assert geometry.to_frame(0, 0) == (50, 0)


@pytest.mark.parametrize(
    "out",
    [
        np.empty((288, 288, 4), np.float32),
        np.empty((2, 288, 288, 3), np.float32),
        np.empty((288, 288, 3), np.float64),
        np.empty((288, 576, 3), np.float32)[:, ::2],
    ],
)
def test_a_buffer_that_does_not_fit_is_refused_with_both_shapes(out: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=r"\(288, 288, 3\) float32 was prepared for"):
        Preprocess(288, 288).apply(photograph(10, 10), out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": "squeeze"}, "resize='squeeze' is not known"),
        ({"channels": "cmyk"}, "channels='cmyk' is not known"),
        ({"mean": (0.5, 0.5)}, "do not fit 3 channels"),
        ({"std": (0.0,)}, "do not fit"),
        ({"dtype": np.int32}, "type int32 is not known"),
        ({"dtype": np.int8, "quantization": (0.0, 0)}, "must be above 0"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Preprocess(8, 8, **options)


def test_nothing_is_copied_on_the_way_into_the_buffer() -> None:
    frame = photograph(480, 640)
    out = np.empty((1, 288, 288, 3), np.float32)
    prepare = Preprocess(288, 288)
    prepare.apply(frame, out)
    first = out.copy()
    out.fill(-1)
    prepare.apply(frame, out)
    np.testing.assert_array_equal(out, first)
    assert repr(prepare) == "<Preprocess stretch to 288x288 rgb float32>"


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "crop"])
def test_blue_first_into_8_bits_is_red_first_turned_around(resize: str) -> None:
    frame = photograph(48, 80)
    out = {channels: np.empty((32, 32, 3), np.int8) for channels in ("rgb", "bgr")}
    for channels, pixels in out.items():
        prepare = Preprocess(32, 32, resize=resize, channels=channels, dtype=np.int8, pad=7)
        for _ in range(2):  # the second frame lies where the first one lay
            prepare.apply(frame, pixels)
    np.testing.assert_array_equal(out["bgr"][..., ::-1], out["rgb"])
