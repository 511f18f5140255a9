"""Checks of cameras: there, allowed, and delivering frames that are new."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Sequence

from edge_sdk.doctor.finding import Finding, failure, nothing, ok, warning
from edge_sdk.doctor.surroundings import Surroundings
from edge_sdk.errors import CameraError, EdgeError
from edge_sdk.frame import Frame
from edge_sdk.sources import Camera, open_camera
from edge_sdk.sources.stack import Stack, choose_stack
from edge_sdk.sources.v4l2 import Device, find_devices

__all__ = ["camera_answers", "camera_frames"]

_FRAMES, _LOOK_S = 12, 6.0
_WAIT_S = 6.0  # longer than a read of V4L2 can block
_DARK, _BRIGHT = 4, 251
_PLUG = "Plug it in, or try another cable and port; lsusb shows what is on USB, sudo dmesg | tail what the kernel says."
_REPLUG = "Check the lamp and the lens cap; pull the camera's plug and put it in again; try another cable and port."


def camera_answers(here: Surroundings, find: Callable[[], Sequence[Device]] = find_devices) -> Iterator[Finding]:
    """Look for cameras, and whether they may be opened."""
    nodes = [f"/dev/{name}" for name in here.files.names("/dev", "video[0-9]+")]
    locked = [node for node in nodes if not here.may_use(node)]
    for node in locked:
        yield failure(f"This user may not open {node}.", here.group_fix(node))
    devices, stack = list(find()), _stack(here)
    plugged = [device for device in devices if device.stable != device.node]
    if plugged or stack is not None:  # those without a stable name may be raw data of a ribbon camera
        devices = plugged
    for device in devices:
        busy = here.holders(device.node)
        used = f" It is in use by {', '.join(busy)}." if busy else ""
        yield ok(f"{device.card} at {device.stable}.{used}")
    if devices or locked:
        return
    if stack is not None:
        yield nothing(f"No USB camera; one on the ribbon connector is read by {stack.programs[0]}: see camera.frames.")
    elif nodes:
        yield warning(f"{', '.join(nodes)}: there, but none of them answers as a camera.", _PLUG)
    else:
        yield warning("No camera is there.", _PLUG)


def camera_frames(
    here: Surroundings,
    find: Callable[[], Sequence[Device]] = find_devices,
    open_: Callable[..., Camera] = open_camera,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Finding]:
    """Take some frames of each camera, in the order in which one is taken where none is named.

    See `edge_sdk.sources.default`: those on USB, else the board's own, else nodes that may be anything.
    """
    devices, stack = find(), _stack(here)
    plugged = [device for device in devices if device.stable != device.node]
    if not plugged and stack is not None:
        found = _look(f"{stack.name}://0", [], open_, clock)
        yield found
        if found.mark != "failure":
            return
    for device in plugged or devices:
        yield _look(device.stable, here.holders(device.node), open_, clock)
    if not devices and stack is None:
        yield nothing("No camera that could be read: see camera.answers.")


def _stack(here: Surroundings) -> Stack | None:
    """Find the program that reads this board's ribbon connector."""
    return choose_stack([camera.backend for camera in here.board.profile.cameras])


def _look(uri: str, busy: list[str], open_: Callable[..., Camera], clock: Callable[[], float]) -> Finding:
    try:
        camera = open_(uri, timeout_s=_WAIT_S)
    except EdgeError as error:
        if busy:
            programs = ", ".join(busy)
            return warning(f"{uri} is in use by {programs}.", f"Close {programs}, or go on with it alone.")
        return failure(" ".join(filter(None, (error.what, error.why))), error.fix or _REPLUG)
    frames: list[Frame] = []
    began_s = clock()
    with camera:
        try:
            while len(frames) < _FRAMES and clock() - began_s < _LOOK_S:
                frames.append(camera.capture())
        except CameraError:
            if not frames:
                return failure(f"{uri} can be opened, but gives no frame within {_WAIT_S:g} s.", _REPLUG)
    return _judge(uri, frames)


def _judge(uri: str, frames: Sequence[Frame]) -> Finding:
    """Say whether frames are new ones, and show something."""
    different = len({zlib.crc32(frame.pixels.tobytes()) for frame in frames})
    height_px, width_px = frames[-1].pixels.shape[:2]
    level = float(frames[-1].pixels.mean())
    span_s = frames[-1].time_s - frames[0].time_s
    rate = f", {(len(frames) - 1) / span_s:.0f} a second" if span_s > 0 else ""
    told = f"{uri}: {width_px}x{height_px}{rate}"
    if len(frames) == 1:
        return warning(f"{told}: a single frame came, and no other.", _REPLUG)
    if different == 1:
        what = f"{told}, but all {len(frames)} frames are the same to the bit, which no working sensor gives."
        return failure(what, _REPLUG)
    if not _DARK < level < _BRIGHT:
        return warning(f"{told}, but the picture is {'black' if level <= _DARK else 'white'}.", _REPLUG)
    return ok(f"{told}; {different} of {len(frames)} frames differ.")
