"""Where frames come from: pictures, videos, cameras, and a simulated one, behind `open_camera`."""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path
from urllib.parse import parse_qsl

from edge_sdk.errors import CameraError
from edge_sdk.frame.picture import SUFFIXES as PICTURE_SUFFIXES
from edge_sdk.sources.camera import Camera
from edge_sdk.sources.pump import EndOfFrames
from edge_sdk.sources.source import Options, Source
from edge_sdk.sources.video import SUFFIXES as VIDEO_SUFFIXES

__all__ = ["PICTURE_SUFFIXES", "VIDEO_SUFFIXES", "Camera", "EndOfFrames", "Options", "Source", "open_camera"]

_NAME_MAX = 255  # Source: NAME_MAX of limits.h
# A new kind of source is one file and one line here.
SCHEMES = {
    "picture": ("edge_sdk.sources.picture", "PictureSource"),
    "video": ("edge_sdk.sources.video", "VideoSource"),
    "v4l2": ("edge_sdk.sources.v4l2", "V4l2Source"),
    "sim": ("edge_sdk.sources.sim", "SimSource"),
}
# Those that a program reads are one line in the table of edge_sdk/sources/stack.py, and their name here.
PROGRAMS = ("rpicam", "gst-argus", "gst-v4l2", "gst-libcamera", "gst-test", "ffmpeg", "ffmpeg-test")


def open_camera(
    uri: str | int | os.PathLike[str] | None = None, *, timeout_s: float = 10.0, **settings: str | float
) -> Camera:
    """Open whatever frames come from.

    Parameters
    ----------
    uri : str, path or int, optional
        ``photo.jpg``, ``slides/``, ``slides/*.png`` or ``film.mp4``; ``/dev/video0``,
        ``v4l2:///dev/v4l/by-id/...`` or a number; ``rpicam://0``, ``gst-argus://0`` and others that a program
        reads; ``sim://smear``. Without it, the first USB camera, else the board's own.
        Settings may stand behind a ``?``: ``v4l2:///dev/video0?width_px=1280&height_px=720``.
    timeout_s : float
        How long `Camera.capture` waits for a live camera.
    **settings
        The same as behind the ``?``, and stronger.

    Returns
    -------
    Camera
        To be used in ``with``.

    Raises
    ------
    CameraError
        If there is no such source or no camera, with what was looked for and what to do.
    MissingDependency
        If the program that reads it is not installed.

    Examples
    --------
    >>> with open_camera("sim://smear?rate_hz=60", seed=1) as camera:
    ...     numbers = [camera.capture().sequence for _ in range(3)]
    >>> numbers == sorted(numbers)
    True
    """
    text = "" if uri is None else os.fspath(uri) if not isinstance(uri, int) else str(uri)
    whole = "\0" not in text and max(map(len, text.split("/"))) <= _NAME_MAX
    scheme, target, query = _parse(text, "v4l2" if uri is None or isinstance(uri, int) else "") if whole else ("",) * 3
    if uri is not None and not target:
        raise CameraError(f"{text[:80]!r} names no camera.", fix="Give a path, /dev/video0, or sim://smear.")
    values = dict(parse_qsl(query, keep_blank_values=True)) | settings
    return Camera(_open(scheme, target, values, text), timeout_s=timeout_s)


def _open(scheme: str, target: str, values: dict[str, str | float], text: str) -> Source:
    """Load the one adapter that is needed, and open the source with it."""
    if not target:
        source: Source = import_module("edge_sdk.sources.default").open_default(values)
    elif scheme in PROGRAMS:
        source = import_module("edge_sdk.sources.stack").STACKS[scheme](target, Options(values, text))
    elif scheme in SCHEMES:
        module, name = SCHEMES[scheme]
        source = getattr(import_module(module), name)(target, Options(values, text))
    else:
        raise CameraError(
            f"{scheme}:// is not a kind of camera.",
            fix=f"There are {', '.join(f'{known}://' for known in (*SCHEMES, *PROGRAMS))}, paths, and /dev/video0.",
        )
    return source


def _parse(text: str, scheme: str) -> tuple[str, str, str]:
    """Part an address into scheme, target and settings; a path has no scheme, and no settings either."""
    address = re.fullmatch(r"([a-z0-9][a-z0-9-]+)://([^?]*)\??(.*)", text)
    if address:
        found, target, query = address.groups()
        return (_guess(target) if found == "file" else found), target, query
    return scheme or _guess(text), text, ""


def _guess(target: str) -> str:
    """Tell by its name what kind of source a path is."""
    if Path(target).exists() and not target.startswith("/dev/"):
        return "video" if Path(target).suffix.lower() in VIDEO_SUFFIXES else "picture"
    if target.isdecimal() or target.startswith("/dev/"):
        return "v4l2"
    return "video" if Path(target).suffix.lower() in VIDEO_SUFFIXES else "picture"
