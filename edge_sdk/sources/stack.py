"""The programs that read the cameras of boards, and how each is asked for raw frames.

What a user gives reaches a program as one word of an argument list, never through a shell, and only if it looks
as it should: GStreamer and ffmpeg read their words as small languages.

Sources: rpicam-apps (core/options.cpp, output/file_output.cpp), GStreamer's and ffmpeg's manuals.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from edge_sdk.errors import CameraError, MissingDependency
from edge_sdk.sources.layout import Layout, round_up
from edge_sdk.sources.pipe import PipeSource, Program
from edge_sdk.sources.source import Options

__all__ = ["STACKS", "Stack", "choose_stack"]

_VERSION_S = 10.0
_DEVICE = re.compile(r"/dev/[\w./:+@-]+", re.ASCII)
_CAMERA_ID = re.compile(r"0|/[\w./:@-]+", re.ASCII)
# The patterns of videotestsrc and the sources of lavfi that move: one that stands still is taken for frozen.
_GST_PATTERNS = ("smpte", "snow", "ball")
_LAVFI_SOURCES = ("testsrc2", "testsrc")
_FORMATS = {"": "", "MJPG": "mjpeg", "YUYV": "yuyv422"}  # As V4L2 calls them, and as ffmpeg does.


@dataclass(frozen=True, slots=True)
class Request:
    """What a camera is asked for; a rate of 0 leaves it to the camera."""

    program: str
    target: str
    width_px: int
    height_px: int
    rate_hz: float
    format: str

    @property
    def size(self) -> str:
        """Write it as ffmpeg does: ``1280x720``."""
        return f"{self.width_px}x{self.height_px}"

    def caps(self, kind: str, format: str = "") -> str:
        """Write what GStreamer calls capabilities."""
        rate = Fraction(self.rate_hz).limit_denominator(1001)
        parts = [kind, f"format={format}" if format else "", f"width={self.width_px}", f"height={self.height_px}"]
        parts.append(f"framerate={rate.numerator}/{rate.denominator}" if rate else "")
        return ",".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Stack:
    """A way to read cameras; calling it opens one.

    Attributes
    ----------
    name : str
        The scheme of its addresses: ``rpicam://0``.
    programs : tuple of str
        The names that its program goes by, the newest first.
    packages : str
        What Debian, or the board's maker, calls what must be installed.
    target : callable
        Checks what stands behind the ``://``, and gives it as the program wants it.
    command : callable
        Gives the program's arguments, its layout and how it talks.
    """

    name: str
    programs: tuple[str, ...]
    packages: str
    target: Callable[[str], str]
    command: Callable[[Request], Program]

    def find(self) -> str | None:
        """Give the path of its program; None if it is not installed."""
        return next((path for program in self.programs if (path := shutil.which(program))), None)

    def __call__(self, target: str, options: Options) -> PipeSource:
        """Open a camera.

        Raises
        ------
        CameraError
            If it cannot be opened, or a setting is wrong.
        MissingDependency
            If the program is not installed.
        """
        request = Request(
            program="",
            target=self.target(target),
            width_px=options.take("width_px", int, 1280),
            height_px=options.take("height_px", int, 720),
            rate_hz=options.take("rate_hz", float, 0.0),
            format=options.take("format", str, "") if self.name in _WITH_FORMAT else "",
        )
        stall_s = options.take("stall_s", float, 5.0)
        options.check()
        if request.format not in _FORMATS:
            known = ", ".join(filter(None, _FORMATS))
            raise CameraError(f"format={request.format} is not known to {self.name}.", fix=f"There are {known}.")
        if not 0 < stall_s < float("inf"):
            raise CameraError(f"stall_s={stall_s:g} is no time to wait.", fix="As in stall_s=5.")
        program = self.command(replace(request, program=self._require()))
        program = replace(program, advise=self._advise)
        return PipeSource(f"{self.name}://{target}", program, stall_s=stall_s)

    def _require(self) -> str:
        path = self.find()
        if path is None:
            raise MissingDependency(
                f"{self.programs[0]} is not installed; {self.name} cameras are read with it.",
                fix=f"sudo apt install {self.packages}",
            )
        return path

    def _advise(self, said: str) -> str:
        missing = re.search(r'no element "([\w-]+)"', said)
        if missing:
            return f"GStreamer lacks {missing[1]}: sudo apt install {self.packages}"
        if "not-negotiated" in said:
            return "The camera has not this size, rate or format; v4l2-ctl --list-formats-ext lists what it has."
        return "Check its cable, its number, and that no other program uses it."


def choose_stack(names: Sequence[str]) -> Stack | None:
    """Choose the first of some stacks whose program is installed; names of other kinds of cameras are passed over.

    >>> choose_stack(["v4l2"]) is None
    True
    """
    return next((STACKS[name] for name in names if name in STACKS and STACKS[name].find()), None)


def _number(target: str) -> str:
    if not re.fullmatch(r"\d{1,2}", target, re.ASCII):
        raise CameraError(f"{target!r} is no number of a camera.", fix="0 is the first, as in rpicam://0.")
    return target


def _device(target: str) -> str:
    path = f"/dev/video{target}" if re.fullmatch(r"\d{1,3}", target, re.ASCII) else target
    if not _DEVICE.fullmatch(path) or ".." in path:
        raise CameraError(f"{target!r} is no camera's device.", fix="As in ffmpeg:///dev/video0.")
    if not Path(path).exists():
        raise CameraError(f"There is no camera at {path}.", fix="Plug it in; ls /dev/v4l/by-id lists what is there.")
    return path


def _camera_id(target: str) -> str:
    if not _CAMERA_ID.fullmatch(target) or ".." in target:
        raise CameraError(f"{target!r} is no camera's id.", fix="0 is the first; cam --list tells the others.")
    return target


def _one_of(names: Sequence[str], target: str) -> str:
    if target not in names:
        raise CameraError(f"There is no test picture {target!r}.", fix=f"There are {', '.join(names)}.")
    return target


def _rpicam(request: Request) -> Program:
    words = [request.program, "--camera", request.target, "--codec", "yuv420"]
    words += ["--width", str(request.width_px), "--height", str(request.height_px)]
    if request.rate_hz:
        words += ["--framerate", f"{request.rate_hz:g}"]
    # No end of time, no window; what it says in detail tells how many bytes a frame has.
    words += ["--timeout", "0", "--nopreview", "--flush", "--verbose", "--output", "-"]
    layout = Layout(request.width_px, request.height_px, "yuv420", round_up(request.width_px, 64))
    return Program(words, layout, adapt=_as_rpicam_said)


def _as_rpicam_said(layout: Layout, said: str) -> Layout:
    """Take size and padding from rpicam's own words: rows are padded to 32, 64 or 128 by chip and version."""
    if size := re.search(r"configuring streams: \(0\) (\d+)x(\d+)-", said):
        width_px, height_px = int(size[1]), int(size[2])
        layout = Layout(width_px, height_px, "yuv420", round_up(width_px, 64))
    if told := re.search(r"output buffer \S+ size (\d+)", said):
        stride_bytes, rest = divmod(2 * int(told[1]), 3 * layout.height_px)
        if rest or stride_bytes < layout.width_px:
            raise CameraError(
                f"The camera's frames of {told[1]} bytes do not fit {layout.width_px}x{layout.height_px}.",
                fix="Ask for another size, a width that is a multiple of 128.",
            )
        layout = replace(layout, stride_bytes=stride_bytes)
    return layout


def _gst(request: Request, *elements: Sequence[str], format: str = "BGR") -> Program:
    """Join elements to a pipeline that writes to a descriptor of its own: NVIDIA's elements talk on stdout."""
    chain = [word for element in elements for word in (*element, "!")]
    layout = Layout(request.width_px, request.height_px, "bgr", round_up(3 * request.width_px, 4))
    if format == "BGRx":
        layout = replace(layout, format="bgrx", stride_bytes=4 * request.width_px)
    return Program([request.program, "-q", *chain, "fdsink", "sync=false"], layout, pipe_word="fd=")


def _gst_argus(request: Request) -> Program:
    return _gst(
        request,
        ["nvarguscamerasrc", f"sensor-id={request.target}"],
        [request.caps("video/x-raw(memory:NVMM)", "NV12")],
        ["nvvidconv"],
        ["video/x-raw,format=BGRx"],
        format="BGRx",
    )


def _gst_v4l2(request: Request) -> Program:
    """Read V4L2; a size that the camera has not is scaled, with black borders where its shape is another.

    Square pixels must be asked for: else videoscale squeezes the picture and calls its pixels oblong.
    """
    decode = [[request.caps("image/jpeg")], ["jpegdec"]] if request.format == "MJPG" else []
    source = ["v4l2src", f"device={request.target}", "pixel-aspect-ratio=1/1"]
    caps = [f"{request.caps('video/x-raw', 'BGR')},pixel-aspect-ratio=1/1"]
    return _gst(request, source, *decode, ["videoconvert"], ["videoscale"], caps)


def _gst_libcamera(request: Request) -> Program:
    """Ask for NV12, which videoconvert then copies: rows of libcamera's own BGR may be padded."""
    source = ["libcamerasrc"] if request.target == "0" else ["libcamerasrc", f"camera-name={request.target}"]
    caps = [request.caps("video/x-raw", "NV12")]
    return _gst(request, source, caps, ["videoconvert"], ["video/x-raw,format=BGR"])


def _gst_test(request: Request) -> Program:
    source = ["videotestsrc", "is-live=true", f"pattern={request.target}"]
    return _gst(request, source, [request.caps("video/x-raw", "BGR")])


def _ffmpeg(request: Request, source: Sequence[str]) -> Program:
    """Have ffmpeg hand on every frame once, when it comes, and in the size that was asked for."""
    words = [request.program, "-hide_banner", "-nostdin", "-loglevel", "error", *source, "-an"]
    fit = f"{request.width_px}:{request.height_px}"
    words += ["-vf", f"scale={fit}:force_original_aspect_ratio=decrease,pad={fit}:-1:-1"]
    words += [*_as_they_come(request.program), "-flush_packets", "1"]
    words += ["-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1"]
    return Program(words, Layout(request.width_px, request.height_px, "bgr", 3 * request.width_px))


@functools.lru_cache
def _as_they_come(program: str) -> tuple[str, str]:
    """Give the option against doubled and left-out frames: the older one went in ffmpeg 9, the newer came in 5.1."""
    try:
        told = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=_VERSION_S).stdout
    except (OSError, subprocess.TimeoutExpired):
        told = ""
    version = re.search(r"version n?(\d+)\.(\d+)", told)
    old = version is not None and (int(version[1]), int(version[2])) < (5, 1)
    return ("-vsync", "0") if old else ("-fps_mode", "passthrough")


def _ffmpeg_v4l2(request: Request) -> Program:
    source = ["-f", "v4l2", "-video_size", request.size]
    if request.rate_hz:
        source += ["-framerate", f"{request.rate_hz:g}"]
    if request.format:
        source += ["-input_format", _FORMATS[request.format]]
    return _ffmpeg(request, [*source, "-i", request.target])


def _ffmpeg_test(request: Request) -> Program:
    graph = f"{request.target}=size={request.size}:rate={request.rate_hz or 30:g}"
    return _ffmpeg(request, ["-re", "-f", "lavfi", "-i", graph])


_GST = ("gst-launch-1.0",)
_GST_BASE = "gstreamer1.0-tools gstreamer1.0-plugins-base"
_WITH_FORMAT = frozenset({"gst-v4l2", "ffmpeg"})

STACKS = {
    stack.name: stack
    for stack in (
        Stack("rpicam", ("rpicam-vid", "libcamera-vid"), "rpicam-apps", _number, _rpicam),
        Stack("gst-argus", _GST, f"{_GST_BASE} nvidia-l4t-gstreamer", _number, _gst_argus),
        Stack("gst-v4l2", _GST, f"{_GST_BASE} gstreamer1.0-plugins-good", _device, _gst_v4l2),
        Stack("gst-libcamera", _GST, f"{_GST_BASE} gstreamer1.0-libcamera", _camera_id, _gst_libcamera),
        Stack("gst-test", _GST, _GST_BASE, functools.partial(_one_of, _GST_PATTERNS), _gst_test),
        Stack("ffmpeg", ("ffmpeg",), "ffmpeg", _device, _ffmpeg_v4l2),
        Stack("ffmpeg-test", ("ffmpeg",), "ffmpeg", functools.partial(_one_of, _LAVFI_SOURCES), _ffmpeg_test),
    )
}
