"""Runs inside the small Linux, as root: a real kernel's test camera, its faults, and what becomes of them.

Prints one line of JSON; test_v4l2.py starts it and reads that.
"""

from __future__ import annotations

import ctypes
import fcntl
import itertools
import json
import logging
import os
import shutil
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge_sdk.errors import CameraError
from edge_sdk.frame.raw import RawFrame
from edge_sdk.runtime import open_model
from edge_sdk.sources import Camera, open_camera

MODULES = Path(os.environ.get("LAB_MODULES", "")) / "lib/modules" / os.uname().release
BY_ID = Path("/dev/v4l/by-id")
LINK = BY_ID / "usb-vivid-0001-video-index0"
OPTIONS = "n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0"

# Of x86-64, which the small Linux is. They stand in for kmod, which a machine may lack.
SYS_FINIT_MODULE, SYS_DELETE_MODULE = 313, 176
VIDIOC_QUERYCTRL, VIDIOC_S_CTRL, NEXT_CTRL = 0xC0445624, 0xC008561C, 0x80000000
OSD_NONE = 2

libc = ctypes.CDLL(None, use_errno=True)


def load(name: str, options: str = "") -> None:
    """Load a module and those that it needs, as modprobe does."""
    rows = (line.partition(":") for line in (MODULES / "modules.dep").read_text().splitlines())
    needs = {path: rest.split() for path, _, rest in rows}
    (path,) = (p for p in needs if p.endswith(f"/{name}.ko"))
    for part in [*reversed(needs[path]), path]:
        descriptor = os.open(MODULES / part, os.O_RDONLY)
        text = (options if part == path else "").encode()
        if libc.syscall(SYS_FINIT_MODULE, descriptor, text, 0) and ctypes.get_errno() != 17:  # Already loaded.
            raise OSError(ctypes.get_errno(), f"loading {part}")
        os.close(descriptor)


def unload(name: str) -> None:
    if libc.syscall(SYS_DELETE_MODULE, name.encode(), os.O_NONBLOCK):
        raise OSError(ctypes.get_errno(), f"unloading {name}")


def plug(number: int) -> None:
    """Bring the camera up at a node, and do what udev would."""
    load("vivid", f"{OPTIONS} vid_cap_nr={number}")
    BY_ID.mkdir(parents=True, exist_ok=True)
    LINK.unlink(missing_ok=True)
    LINK.symlink_to(f"../../video{number}")


def set_control(name: str, value: int, node: Path = LINK) -> None:
    """Set one of the camera's controls by its name."""
    descriptor = os.open(node, os.O_RDWR)
    try:
        found = 0
        while True:
            query = bytearray(struct.pack("II32siiiiI8x", found | NEXT_CTRL, 0, b"", 0, 0, 0, 0, 0))
            fcntl.ioctl(descriptor, VIDIOC_QUERYCTRL, query)  # Raises OSError behind the last control.
            found, _, title = struct.unpack_from("II32s", query)
            if title.split(b"\0")[0].decode() == name:
                fcntl.ioctl(descriptor, VIDIOC_S_CTRL, struct.pack("Ii", found, value))
                return
    finally:
        os.close(descriptor)


def rate_hz(frames: list) -> float:
    return (len(frames) - 1) / (frames[-1].time_s - frames[0].time_s)


def take(camera: Camera, count: int) -> list:
    return list(itertools.islice(camera, count))


def error_of(call: Callable[[], object]) -> str:
    try:
        call()
    except CameraError as error:
        return str(error)
    return ""


def capture_thirty(report: dict) -> None:
    with open_camera() as camera:
        frames = take(camera, 31)
        report["plain"] = {
            "repr": repr(camera),
            "shapes": sorted({frame.pixels.shape for frame in frames}),
            "sequences": [frame.sequence for frame in frames],
            "sources": sorted({frame.source for frame in frames}),
            "brightness": [float(frame.pixels.mean()) for frame in frames[:2]],
        }


def other_size(report: dict) -> None:
    with open_camera(f"v4l2://{LINK}?width_px=320&height_px=180") as camera:
        report["size"] = camera.capture().pixels.shape
    with open_camera(f"v4l2://{LINK}?format=YUYV&rate_hz=7") as camera:
        frame = camera.capture()
        report["raw"] = isinstance(frame, RawFrame)
        report["format"] = frame.pixels.shape
        report["colours"] = len(np.unique(frame.pixels.reshape(-1, 3), axis=0))


def beside_inference(report: dict, model_path: str) -> None:
    """Take frames with nothing else to do and with a model that runs without a pause, in turns."""
    with open_model(model_path) as model:
        run = model.bind()
        idle_hz, busy = [], []
        for _ in range(3):
            with open_camera("/dev/video0") as camera:
                idle_hz.append(rate_hz(take(camera, 20)))
            busy.append(_watch_while(run))
    report["busy"] = {"idle_hz": idle_hz, "turns": busy}


def _watch_while(run: Callable[[], object]) -> dict[str, float]:
    with open_camera("/dev/video0") as camera:
        frames, busy_s = [camera.capture()], 0.0
        while frames[-1].sequence < 40:
            started_s = time.monotonic()
            for _ in range(4):
                run()
            busy_s += time.monotonic() - started_s
            frames.append(camera.capture())
        dropped, span_s = camera.dropped, frames[-1].time_s - frames[0].time_s
    return {
        "rate_hz": (frames[-1].sequence - frames[0].sequence) / span_s,
        "looked_at": len(frames),
        "last": frames[-1].sequence,
        "dropped": dropped,
        "busy_share": busy_s / span_s,
    }


def lost_frames(report: dict) -> None:
    with open_camera(0) as camera:
        set_control("Percentage of Dropped Buffers", 60)
        some = len(take(camera, 20))
        set_control("Percentage of Dropped Buffers", 100)
        while not (message := error_of(lambda: camera.capture(timeout_s=1.0))):
            pass  # What was on its way still comes.
        set_control("Percentage of Dropped Buffers", 0)
        report["lost"] = {"some": some, "message": message, "after": len(take(camera, 5)), "state": camera.state}


def frozen(report: dict) -> None:
    with open_camera(0) as camera:
        set_control("OSD Text Mode", OSD_NONE)
        message = error_of(lambda: take(camera, 200))
        state = camera.state
        set_control("OSD Text Mode", 0)
        for _ in range(60):  # The first of them still are the old ones.
            if not error_of(camera.capture):
                break
        report["frozen"] = {"message": message, "state": state, "after": camera.state}


def disconnected(report: dict) -> None:
    with open_camera(str(LINK)) as camera:
        before = take(camera, 5)
        set_control("Disconnect", 1)
        after = take(camera, 5)
        report["disconnect"] = {
            "gap_s": after[-1].time_s - before[-1].time_s,
            "sequences": [frame.sequence for frame in (*before, *after)],
            "state": camera.state,
        }


def unplugged(report: dict) -> None:
    """Take the driver away and bring the camera back at another node, as another port would."""
    with open_camera("/dev/video0") as camera:
        take(camera, 3)
        set_control("Disconnect", 1)
        while camera.state != "unplugged":
            error_of(lambda: camera.capture(timeout_s=0.05))
        LINK.unlink()
        unload("vivid")
        gone = error_of(lambda: camera.capture(timeout_s=1.0))
        plug(5)
        frame = next(camera)
        report["unplug"] = {
            "gone": gone,
            "name": camera.source,
            "node": str(LINK.resolve()),
            "brightness": float(frame.pixels.mean()),
        }
        held = threading.active_count()
    report["unplug"]["threads"] = [held, threading.active_count()]


def by_programs(report: dict) -> None:
    """Read the camera through other programs, and pull its plug while they do."""
    report["programs"] = {}
    for name, program in (("ffmpeg", "ffmpeg"), ("gst-v4l2", "gst-launch-1.0")):
        if shutil.which(program) is None:
            continue
        with open_camera(f"{name}://{LINK}?width_px=500&height_px=500", timeout_s=60.0) as camera:
            before = take(camera, 3)
            set_control("Disconnect", 1)
            after = take(camera, 3)
        report["programs"][name] = {
            "shape": after[-1].pixels.shape,
            "sequences": [frame.sequence for frame in (*before, *after)],
            "middle": float(after[-1].pixels[250, :400].mean()),
            "border": float(after[-1].pixels[:40].mean()),
        }


def refused(report: dict) -> None:
    with open_camera(5) as camera:
        camera.capture()
        report["in_use"] = error_of(lambda: open_camera("/dev/video5"))
    report["no_such"] = error_of(lambda: open_camera("/dev/video9"))
    report["not_a_camera"] = error_of(lambda: open_camera("/dev/null"))
    LINK.unlink()
    unload("vivid")
    report["none"] = error_of(open_camera)


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    report: dict = {}
    plug(0)
    capture_thirty(report)
    other_size(report)
    beside_inference(report, sys.argv[1])
    lost_frames(report)
    frozen(report)
    disconnected(report)
    unplugged(report)
    by_programs(report)
    refused(report)
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
