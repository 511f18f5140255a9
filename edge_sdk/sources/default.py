"""Which camera is taken when none is named: one on USB, else the one that the board's profile reads best."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import boards
from edge_sdk.errors import CameraError, EdgeError
from edge_sdk.sources.source import Options, Source
from edge_sdk.sources.stack import STACKS, choose_stack
from edge_sdk.sources.v4l2 import V4l2Source, find_devices

__all__ = ["open_default"]

log = logging.getLogger(__name__)


def open_default(values: Mapping[str, str | float]) -> Source:
    """Open the first camera that there is.

    A camera with a stable name stands on USB: somebody plugged it in to use it. Nodes without one may be a
    ribbon camera's raw data, so the board's own way goes before them.

    Parameters
    ----------
    values : mapping
        Settings, as `Options` takes them.

    Raises
    ------
    CameraError
        If there is none, with all that was tried.
    """
    named = [device.stable for device in find_devices() if device.stable != device.node]
    if named:
        return V4l2Source(named[0], Options(values, named[0]))
    names = [camera.backend for camera in boards.detect().profile.cameras]
    stack = choose_stack(names) or next((STACKS[name] for name in names if name in STACKS), None)
    reason = ""
    if stack is not None:
        try:
            return stack("0", Options(values, f"{stack.name}://0"))
        except EdgeError as error:
            log.info("%s", error)
            reason = " ".join(filter(None, (error.what, error.why, error.fix)))
    try:
        return V4l2Source("", Options(values, "the camera"))
    except CameraError as error:
        if not reason:
            raise
        raise CameraError(error.what, why=f"{error.why or ''} {reason}".strip(), fix=error.fix) from error
