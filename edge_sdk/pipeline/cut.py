"""Regions of frames as frames of their own."""

from __future__ import annotations

from collections.abc import Sequence

from edge_sdk.frame import Frame

__all__ = ["Cutter"]


class Cutter:
    """Cuts regions out of frames and keeps the last: the same region of the same frame is not encoded twice."""

    def __init__(self) -> None:
        self._last: tuple[Frame, tuple[float, ...], Frame] | None = None

    def cut(self, frame: Frame, region: Sequence[float] | None) -> Frame:
        """Give a region of a frame; without one, the frame itself.

        Raises
        ------
        FrameError
            If it is no region, or reaches beyond the frame.
        """
        if region is None:
            return frame
        last = self._last
        if last is None or last[0] is not frame or last[1] != tuple(region):
            last = self._last = frame, tuple(region), frame.crop(region)
        return last[2]

    def cut_all(self, frames: object, region: Sequence[float] | None) -> object:
        """Give a region of each of the frames of a question: one, several in a list, or none."""
        if region is None or frames is None:
            return frames
        if isinstance(frames, (list, tuple)):
            return [self.cut(Frame.of(frame), region) for frame in frames]
        return self.cut(Frame.of(frames), region)

    def forget(self) -> None:
        """Let go of the last."""
        self._last = None
