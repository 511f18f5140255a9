"""Cameras of the kernel (V4L2), by OpenCV: found, opened, and found again after they were unplugged.

Source: the Linux kernel's ``include/uapi/linux/videodev2.h`` for VIDIOC_QUERYCAP and the capability bits.
"""

from __future__ import annotations

import fcntl
import logging
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sdk.errors import CameraError
from edge_sdk.frame import Frame
from edge_sdk.frame.opencv import cv2
from edge_sdk.sources.layout import Layout, frame_of
from edge_sdk.sources.source import Options

__all__ = ["Device", "V4l2Source", "find_devices"]

log = logging.getLogger(__name__)

_DEV = Path("/dev")
_BY_ID = Path("/dev/v4l/by-id")

_QUERYCAP = 0x80685600
_CAPABILITY = struct.Struct("16s32s32sIII12x")
_CAN_CAPTURE = 0x00000001 | 0x00001000  # Single-planar, multi-planar.
_IS_CODEC = 0x00008000 | 0x00004000  # Memory to memory: takes frames in and gives frames out.
_PER_NODE = 0x80000000
# Nodes of a Raspberry Pi's image processor, which capture from memory and not from a sensor; and of its receivers
# for the ribbon, which give the sensor's raw data. Source: drivers/media/platform/{broadcom,raspberrypi} in Linux.
_NOT_CAMERAS = frozenset({"bcm2835-isp", "pispbe", "unicam", "rp1-cfe"})

# A read blocks no longer than this when a camera hangs, so that close() comes back; OpenCV's default is 10.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "5")


@dataclass(frozen=True, slots=True)
class Device:
    """A camera that the kernel knows.

    Attributes
    ----------
    node : str
        ``/dev/video0``; after the next plugging in it may be another.
    stable : str
        Its link in ``/dev/v4l/by-id``, which stays the same; the node itself where it has none.
    card : str
        What it calls itself.
    """

    node: str
    stable: str
    card: str


def find_devices() -> list[Device]:
    """List the cameras that are plugged in and may be opened, those with a stable name first."""
    nodes = sorted(_DEV.glob("video*"), key=lambda p: (len(p.name), p.name))
    found = [device for node in nodes if (device := _query(node)) is not None]
    return sorted(found, key=lambda device: device.stable == device.node)


def _query(node: Path) -> Device | None:
    """Ask a node what it is; None if it is no camera or may not be asked."""
    try:
        descriptor = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        answer = fcntl.ioctl(descriptor, _QUERYCAP, bytes(_CAPABILITY.size))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    driver, card, _, _, all_bits, node_bits = _CAPABILITY.unpack(answer)
    bits = node_bits if all_bits & _PER_NODE else all_bits
    if not bits & _CAN_CAPTURE or bits & _IS_CODEC or _text(driver) in _NOT_CAMERAS:
        return None
    return Device(str(node), _stable_name(node), _text(card))


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode(errors="replace")


def _stable_name(node: Path) -> str:
    links = sorted(_BY_ID.glob("*")) if _BY_ID.is_dir() else []
    return next((str(link) for link in links if link.resolve() == node.resolve()), str(node))


class V4l2Source:
    """A camera of the kernel.

    Parameters
    ----------
    target : str
        ``/dev/video0``, ``/dev/v4l/by-id/...``, a number, or nothing for the first camera that is found.
    options : Options
        ``width_px``, ``height_px``, ``rate_hz`` and ``format`` (four letters, such as MJPG or YUYV); 0 or
        nothing leaves what the camera prefers. A camera that cannot do what was asked takes what is nearest.

    Raises
    ------
    CameraError
        If there is no such camera, or it cannot be opened.
    """

    live = True
    interval_s = 0.0

    def __init__(self, target: str, options: Options) -> None:
        self._wishes = {
            cv2.CAP_PROP_FOURCC: _fourcc(options.take("format", str, "")),
            cv2.CAP_PROP_FRAME_WIDTH: options.take("width_px", int, 0),
            cv2.CAP_PROP_FRAME_HEIGHT: options.take("height_px", int, 0),
            cv2.CAP_PROP_FPS: options.take("rate_hz", float, 0.0),
        }
        options.check()
        path = _first() if not target else f"/dev/video{target}" if target.isdecimal() else target
        self.name = _stable_name(Path(path))
        self._video: cv2.VideoCapture | None = None
        self._size_px = (0, 0)
        self._raw: Layout | None = None
        self.reopen()

    def read(self, sequence: int) -> Frame | None:
        """Wait for the next frame."""
        if self._video is not None and self._video.grab():
            time_s = time.monotonic()
            found, pixels = self._video.retrieve()
            if found and self._raw is not None and pixels.size == self._raw.frame_bytes:
                return frame_of(self._raw, np.asarray(pixels, np.uint8).reshape(-1), time_s, sequence, self.name)
            if found:
                if pixels.shape[0] == 1 and pixels.size == 3 * self._size_px[0] * self._size_px[1]:
                    # OpenCV 4.11.0 hands BGR over as one long row (its issue 27166).
                    pixels = pixels.reshape(self._size_px[1], self._size_px[0], 3)
                return Frame(Frame.of(pixels, source=self.name).pixels, time_s, sequence, self.name)
        self.close()
        raise CameraError(f"The camera {self.name} stopped delivering.")

    def reopen(self) -> None:
        """Open the camera under its stable name, wherever it is plugged in now."""
        node = Path(self.name)
        if not node.exists():
            raise CameraError(f"There is no camera at {self.name}.", fix=_seen())
        if not os.access(node, os.R_OK | os.W_OK):
            raise CameraError(
                f"The camera {self.name} may not be opened by this user.",
                why="Cameras belong to the group video.",
                fix="sudo usermod -aG video $USER, then log in again.",
            )
        if _query(node.resolve()) is None:
            raise CameraError(f"{self.name} is no camera.", why="It is another kind of device.", fix=_seen())
        video = cv2.VideoCapture(str(node.resolve()), cv2.CAP_V4L2)
        if not video.isOpened():
            video.release()
            raise CameraError(
                f"The camera {self.name} could not be opened.",
                why="Another program uses it, or it has no format that OpenCV knows.",
                fix="Close the other program: fuser -v /dev/video* names it.",
            )
        self._video = video
        self._wish(video)

    def interrupt(self) -> None:
        """Do nothing: a read ends by itself after five seconds."""

    def close(self) -> None:
        """Let go of the camera."""
        if self._video is not None:
            self._video.release()
            self._video = None

    def _wish(self, video: cv2.VideoCapture) -> None:
        wishes = {setting: value for setting, value in self._wishes.items() if value}
        for setting, value in wishes.items():
            video.set(setting, value)
        for setting, value in wishes.items():  # Only now: OpenCV sets the width together with the height.
            got = video.get(setting)
            if got != value:
                asked, given = _shown(setting, value), _shown(setting, got)
                log.warning("The camera %s was asked for %s and gives %s", self.name, asked, given)
        width_px, height_px = video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)
        self._size_px = (int(width_px), int(height_px))
        self._raw = None
        if int(video.get(cv2.CAP_PROP_FOURCC)) == _fourcc("YUYV") and video.set(cv2.CAP_PROP_CONVERT_RGB, 0):
            # As the camera delivers it: OpenCV would turn every frame into BGR, also those that nobody takes.
            self._raw = Layout(*self._size_px, "yuyv", 2 * self._size_px[0])


def _fourcc(letters: str) -> int:
    if not letters:
        return 0
    if len(letters) != 4:
        raise CameraError(f"format={letters} is not understood.", fix="Four letters, such as MJPG or YUYV.")
    return int(cv2.VideoWriter.fourcc(*letters))


def _shown(setting: int, value: float) -> str:
    """Write a setting's value as people know it: formats by their letters."""
    if setting == cv2.CAP_PROP_FOURCC:
        return int(value).to_bytes(4, "little").decode("ascii", "replace")
    return f"{value:g}"


def _first() -> str:
    devices = find_devices()
    if not devices:
        raise CameraError(
            "No camera was found.",
            why=f"{_BY_ID} and {_DEV}/video* were looked through: {_nodes()}.",
            fix="Plug in a USB camera or microscope (lsusb shows it, dmesg says what the kernel made of it), "
            "or name a picture, a folder or a video. Without any, ask for the simulated one: sim://smear.",
        )
    return devices[0].stable


def _nodes() -> str:
    nodes = sorted(_DEV.glob("video*"))
    if not nodes:
        return "there is nothing"
    locked = [str(node) for node in nodes if not os.access(node, os.R_OK | os.W_OK)]
    if locked:
        return f"this user may not open {', '.join(locked)} (sudo usermod -aG video $USER, then log in again)"
    return f"{', '.join(map(str, nodes))} are no cameras"


def _seen() -> str:
    devices = find_devices()
    if not devices:
        return "Plug it in; no camera is there now. A simulated one is sim://smear."
    return "There are: " + ", ".join(f"{device.stable} ({device.card})" for device in devices) + "."
