"""A frame's pixels as a model's input: resized, reordered and normalised straight into the input buffer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sdk.errors import ShapeError
from edge_sdk.frame import Frame
from edge_sdk.frame.opencv import cv2
from edge_sdk.frame.shrink import shrink

__all__ = ["Geometry", "Preprocess"]

RESIZES = ("stretch", "letterbox", "crop")
CHANNELS = ("rgb", "bgr", "grey")
_DEPTHS = {np.dtype(np.float32): "CV_32F", np.dtype(np.int8): "CV_8S", np.dtype(np.uint8): "CV_8U"}


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where a place in the model's input lies in the frame.

    Places are continuous: 0 is the left (upper) edge of the first pixel, so that widths scale as places do.

    Attributes
    ----------
    scale_x, scale_y : float
        Frame pixels per input pixel.
    left_px, top_px : float
        The frame's place that the input's corner shows; negative where a letterbox pads.

    Examples
    --------
    >>> Geometry(2.0, 3.0, -10.0, 0.0).to_frame(100.0, 50.0)
    (190.0, 150.0)
    """

    scale_x: float
    scale_y: float
    left_px: float
    top_px: float

    def to_frame(self, x: float, y: float) -> tuple[float, float]:
        """Give the place in frame pixels of a place in input pixels."""
        return self.left_px + x * self.scale_x, self.top_px + y * self.scale_y


class Preprocess:
    """What a bundle wants done to a frame, compiled once into one table of values and one scratch picture.

    An 8-bit channel has 256 possible values, so that normalisation and quantisation of any kind are a look-up
    in a table of 256 rows; OpenCV resizes into the scratch picture and looks up from there into the input.
    The scratch picture makes an object belong to one thread at a time.

    Parameters
    ----------
    width_px, height_px : int
        Size of the model's input.
    resize : {'stretch', 'letterbox', 'crop'}
        Stretch both sides; keep the proportions and pad; or keep them and cut the centre out.
    channels : {'rgb', 'bgr', 'grey'}
        Order in the model's input.
    mean, std : tuple of float
        ``(value / 255 - mean) / std``, per channel in the input's order; one number serves all.
    dtype : numpy dtype
        float32, or uint8 or int8 with `quantization` (uint8 without it takes the pixels as they are).
    quantization : (float, int), optional
        Scale and zero point: ``round(real / scale) + zero_point``.
    pad : int
        The 8-bit value around a letterboxed picture, before normalisation.

    Raises
    ------
    ShapeError
        If these do not go together.

    Examples
    --------
    >>> prepare = Preprocess(288, 288)
    >>> buffer = np.zeros((1, 288, 288, 3), np.float32)
    >>> prepare.apply(Frame.of(np.full((576, 576), 255, np.uint8)), buffer)
    Geometry(scale_x=2.0, scale_y=2.0, left_px=0.0, top_px=0.0)
    >>> float(buffer.min())
    1.0
    """

    def __init__(
        self,
        width_px: int,
        height_px: int,
        *,
        resize: str = "stretch",
        channels: str = "rgb",
        mean: tuple[float, ...] = (0.0,),
        std: tuple[float, ...] = (1.0,),
        dtype: Any = np.float32,
        quantization: tuple[float, int] | None = None,
        pad: int = 0,
    ) -> None:
        _check("resize", resize, RESIZES)
        _check("channels", channels, CHANNELS)
        self.width_px, self.height_px = width_px, height_px
        self.resize, self.channels, self.pad = resize, channels, pad
        self.dtype = np.dtype(dtype)
        depth = 1 if channels == "grey" else 3
        self.shape = (height_px, width_px, depth)
        self._table = _table(mean, std, self.dtype, quantization, depth)
        self._line = _line(self._table)
        # The usual signed input is the pixel less 128: the same bits but for the highest, turned where they lie.
        self._signed = self.dtype == np.int8 and self._line == (1, -128)
        self._ordered = np.empty(self.shape, np.uint8)
        self._resized = np.empty((height_px, width_px, 3), np.uint8) if channels != "bgr" else self._ordered

    def __repr__(self) -> str:
        size = f"{self.width_px}x{self.height_px}"
        return f"<Preprocess {self.resize} to {size} {self.channels} {self.dtype}>"

    def apply(self, frame: Frame, out: NDArray[Any]) -> Geometry:
        """Fill a model's input from a frame.

        Parameters
        ----------
        frame : Frame
            Of any size.
        out : (H, W, C) or (1, H, W, C) array, C-contiguous
            The input buffer; every value of it is written.

        Returns
        -------
        Geometry
            From input pixels back to frame pixels.

        Raises
        ------
        ShapeError
            If `out` has another shape, type or layout.
        """
        target = self._target(out)
        ordered = target.view(np.uint8) if self._table is None or self._signed else self._ordered
        resized = ordered if self.channels == "bgr" else self._resized
        geometry = self._resize(frame, resized)
        if self.channels == "grey":
            cv2.cvtColor(resized, cv2.COLOR_BGR2GRAY, dst=ordered)
        elif self.channels == "rgb":
            cv2.cvtColor(resized, cv2.COLOR_BGR2RGB, dst=ordered)
        if self._signed:
            np.bitwise_xor(ordered, np.uint8(0x80), out=ordered)
        elif self._line is not None:
            slope, start = self._line
            rows, into = self._ordered.reshape(self.height_px, -1), target.reshape(self.height_px, -1)
            cv2.addWeighted(rows, slope, rows, 0, start, dst=into, dtype=getattr(cv2, _DEPTHS[self.dtype]))
        elif self._table is not None:
            cv2.LUT(self._ordered, self._table, dst=target)
        return geometry

    def _target(self, out: NDArray[Any]) -> NDArray[Any]:
        target = out[0] if out.ndim == 4 and out.shape[0] == 1 else out
        if target.shape != self.shape or target.dtype != self.dtype or not target.flags.c_contiguous:
            raise ShapeError(
                f"The input buffer is {out.shape} {out.dtype}; {self.shape} {self.dtype} was prepared for.",
                why="The bundle describes its input otherwise than the model does, or the buffer is a cut.",
                fix="Take the buffer from the model, and its size and type from the same signature.",
            )
        return target

    def _resize(self, frame: Frame, out: NDArray[np.uint8]) -> Geometry:
        if self.resize == "stretch":
            frame.shrink_into(out)
            return Geometry(frame.width_px / self.width_px, frame.height_px / self.height_px, 0.0, 0.0)
        return self._crop(frame.pixels, out) if self.resize == "crop" else self._letterbox(frame, out)

    def _crop(self, pixels: NDArray[np.uint8], out: NDArray[np.uint8]) -> Geometry:
        height, width = pixels.shape[:2]
        scale = min(width / self.width_px, height / self.height_px)
        cut_w = max(1, round(self.width_px * scale))
        cut_h = max(1, round(self.height_px * scale))
        left, top = (width - cut_w) // 2, (height - cut_h) // 2
        shrink(pixels[top : top + cut_h, left : left + cut_w], out)
        return Geometry(cut_w / self.width_px, cut_h / self.height_px, left, top)

    def _letterbox(self, frame: Frame, out: NDArray[np.uint8]) -> Geometry:
        width, height = frame.width_px, frame.height_px
        scale = max(width / self.width_px, height / self.height_px)
        inner_w = max(1, round(width / scale))
        inner_h = max(1, round(height / scale))
        left, top = (self.width_px - inner_w) // 2, (self.height_px - inner_h) // 2
        out[:] = self.pad  # The last frame may have had other proportions.
        frame.shrink_into(out[top : top + inner_h, left : left + inner_w])
        scale_x, scale_y = width / inner_w, height / inner_h
        return Geometry(scale_x, scale_y, -left * scale_x, -top * scale_y)


def _table(
    mean: tuple[float, ...],
    std: tuple[float, ...],
    dtype: np.dtype[Any],
    quantization: tuple[float, int] | None,
    depth: int,
) -> NDArray[Any] | None:
    """Tabulate the input's value for each pixel value, ``(1, 256, 1 or C)``; None where it is the same."""
    if {len(mean), len(std)} - {1, depth} or not all(std):
        raise ShapeError(
            f"mean={mean} and std={std} do not fit {depth} channels.",
            fix="Give one number, or one per channel; std must not be 0.",
        )
    pixel = np.arange(256)[:, None] / 255
    real = (pixel - np.asarray(mean)) / np.asarray(std)  # One column for all channels is looked up faster.
    if dtype == np.float32:
        return np.asarray(real[None], np.float32)
    if dtype not in (np.uint8, np.int8):
        raise ShapeError(f"An input of type {dtype} is not known.", fix="float32, uint8 and int8 are.")
    if quantization is None:
        if dtype == np.uint8:
            return None
        quantization = (1 / 255, -128)  # A signed input that does not say: the pixel less 128, as is usual.
    scale, zero_point = quantization
    if scale <= 0:
        raise ShapeError(f"The scale of a quantised input is {scale}; it must be above 0.")
    limits = np.iinfo(dtype)
    steps = np.rint(real / scale) + zero_point
    return np.asarray(np.clip(steps, limits.min, limits.max)[None], dtype)


def _line(table: NDArray[Any] | None) -> tuple[float, float] | None:
    """Give slope and start of a table in which all channels are alike and on a line; None for any other.

    One multiplication and one addition take a quarter of the time of a look-up.
    """
    if table is None or (table != table[..., :1]).any():
        return None
    values = table[0, :, 0].astype(float)
    slope, start = (values[255] - values[0]) / 255, values[0]
    close = 1e-6 if table.dtype == np.float32 else 0
    return (slope, start) if np.abs(values - (start + slope * np.arange(256))).max() <= close else None


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ShapeError(f"{name}={value!r} is not known.", fix=f"These are: {', '.join(known)}.")
