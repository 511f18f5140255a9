"""OpenCV, loaded when it is first used: who asks without a frame does not pay 4 MB of private memory for it.

Take it from here, ``from edge_sdk.frame.opencv import cv2``, and use it in functions only: a constant that is looked
up while a module loads would load it for everyone again.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

__all__ = ["cv2"]


class _Late:
    """Stands for OpenCV until something of it is asked for, and keeps what was."""

    def __getattr__(self, name: str) -> Any:
        library = importlib.import_module("cv2")
        # OpenCV would print what goes wrong, where here an error says it. One setting for all threads; who sets
        # OPENCV_LOG_LEVEL keeps what was asked for.
        if "OPENCV_LOG_LEVEL" not in os.environ:
            set_level = getattr(library, "setLogLevel", None) or library.utils.logging.setLogLevel  # OpenCV 4 | 5
            set_level(0)
        value = self.__dict__[name] = getattr(library, name)
        return value


if TYPE_CHECKING:
    import cv2
else:
    cv2 = _Late()
