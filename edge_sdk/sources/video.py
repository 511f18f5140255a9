"""A video file as a camera: every frame of it, in order, as fast as they are taken."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from edge_sdk.errors import CameraError
from edge_sdk.frame import Frame
from edge_sdk.frame.opencv import cv2
from edge_sdk.sources.source import Options

__all__ = ["SUFFIXES", "VideoSource"]

log = logging.getLogger(__name__)

SUFFIXES = frozenset({".avi", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})


class VideoSource:
    """The frames of a video file.

    Parameters
    ----------
    target : str
        The file.
    options : Options
        There are none.

    Raises
    ------
    CameraError
        If it is missing or no video.
    """

    live = False
    interval_s = 0.0

    def __init__(self, target: str, options: Options) -> None:
        options.check()
        self.name = target
        if not Path(target).is_file():
            raise CameraError(
                f"There is no video {target}.",
                fix="Check the spelling, and the folder that the program runs in.",
            )
        self._video = cv2.VideoCapture(target)
        if not self._video.isOpened():
            raise CameraError(
                f"{target} could not be opened as a video.",
                why="It is damaged, or made with a codec that this OpenCV has not.",
                fix="Convert it, for instance to MJPEG in an AVI file.",
            )
        self._count = int(self._video.get(cv2.CAP_PROP_FRAME_COUNT))

    def read(self, sequence: int) -> Frame | None:
        """Decode the next frame."""
        found, pixels = self._video.read()
        if found:
            return Frame(Frame.of(pixels).pixels, time.monotonic(), sequence, self.name)
        if sequence < self._count:
            log.warning("%s ends after %d of %d frames", self.name, sequence, self._count)
        return None

    def reopen(self) -> None:
        """Do nothing: a file does not come unplugged."""

    def interrupt(self) -> None:
        """Do nothing: reading a file does not hang."""

    def close(self) -> None:
        """Close the file."""
        self._video.release()
