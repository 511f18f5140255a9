"""Checks of the board, the processor, the system, Python and the clock."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from boards import EdgeError, check_installed, detect
from boards.detection import OVERRIDE
from edge_sdk.doctor.finding import Finding, failure, nothing, ok, warning
from edge_sdk.doctor.surroundings import Surroundings

__all__ = [
    "OWN_LIBRARIES",
    "board_known",
    "cpu_features",
    "os_kernel",
    "os_release",
    "python_packages",
    "python_version",
    "time_set",
]

OWN_LIBRARIES = ("ai-edge-litert", "tflite-runtime", "numpy")
"""Those that the SDK works with; others are looked at because people install them beside it."""
_NEEDED = {
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "sentencepiece": "sentencepiece",
    "jinja2": "jinja2",
    "serial": "pyserial",
}
_ENGINES = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}
_OLDEST_PYTHON, _NEWEST_PYTHON = (3, 10), (3, 13)
# The first releases with Python 3.10 or newer. Sources: packages.debian.org, packages.ubuntu.com.
_OLDEST_RELEASE = {"debian": (12,), "raspbian": (12,), "ubuntu": (22, 4)}
# Source: the wheels' tags; OpenCV's and sentencepiece's say manylinux_2_28.
_OLDEST_C_LIBRARY = (2, 28)
_DAY_S = 86400.0
_PACKAGE = Path(__file__).resolve().parents[1]


def board_known(here: Surroundings) -> Iterator[Finding]:
    """Tell which board this is."""
    board = here.board
    try:
        detect(here.root, here.environ)
    except EdgeError as error:
        yield failure(
            f"{OVERRIDE} is wrong: {error.what} {error.why} Without it this is {board.model} ({board.profile.id}), "
            "which all other checks take it for.",
            f"unset {OVERRIDE}, or set it to an id of edge board list.",
        )
        return
    if board.profile.unsupported:
        yield failure(f"{board.model}: {board.profile.unsupported}", "edge board list shows the boards that do.")
    elif board.profile.id == "generic":
        yield warning(
            f"This board is not known, so only what any board has is used. {board.found_by}",
            "If it is a known one all the same, say so: EDGE_BOARD=ID, with an id of edge board list.",
        )
    else:
        yield ok(f"{board.model} ({board.profile.id}). {board.found_by}")


def cpu_features(here: Surroundings) -> Iterator[Finding]:
    """Compare the processor with what the installed libraries use."""
    processor = here.board.processor
    fits = []
    for found in check_installed(processor):
        if found.fits:
            fits.append(found.library)
        elif found.fits is None:
            yield warning(found.sentence, "edge doctor --only inference tries it.")
        else:
            told = failure if found.library in OWN_LIBRARIES else warning
            yield told(found.sentence, found.fix)
    if fits:
        yield ok(f"{processor.name}: all there that {', '.join(fits)} use.")


def os_kernel(here: Surroundings) -> Iterator[Finding]:
    """Compare the kernel with the least that the board's profile names."""
    release = here.files.text("/proc/sys/kernel/osrelease", optional=True)
    least = here.board.profile.kernel_at_least
    if release is None or not least:
        yield nothing("Which kernel runs, or which is needed, is not told.")
    elif _numbers(release) < _numbers(least):
        yield warning(f"Linux {release} is older than {least}, the least for this board.", "sudo apt full-upgrade")
    else:
        yield ok(f"Linux {release}; {least} or newer is needed.")


def os_release(here: Surroundings) -> Iterator[Finding]:
    """Compare the system and its C library with what the wheels were built for."""
    lines = (here.files.text("/etc/os-release", optional=True) or "").splitlines()
    told = {key: value.strip().strip("\"'") for key, _, value in (line.partition("=") for line in lines)}
    name = told.get("PRETTY_NAME") or "a system that does not say its name"
    library, number = here.c_library
    oldest = _OLDEST_RELEASE.get(told.get("ID", ""))
    if library != "glibc":
        yield failure(
            f"{name} has no glibc, which the engine and OpenCV are built for.", "Take a system like Debian 12."
        )
    elif _numbers(number) < _OLDEST_C_LIBRARY:
        yield failure(f"{name} has glibc {number}; the libraries need 2.28.", "Take a system like Debian 12.")
    elif oldest and _numbers(told.get("VERSION_ID", "")) < oldest:
        needed = ".".join(f"{part:02}" for part in oldest)
        yield warning(f"{name} is older than release {needed}, which has the Python that is needed.", "Upgrade it.")
    else:
        yield ok(f"{name}, glibc {number}, {here.python_bits}-bit.")
    if here.python_bits == 32 and here.board.profile.architecture == "aarch64":
        what = "The processor has 64 bits, the system 32: the engine is then the older one, several times slower."
        yield warning(what, "Install the 64-bit system when there is an occasion.")


def python_version(here: Surroundings) -> Iterator[Finding]:
    """Compare Python with the versions that the SDK is tested on."""
    running = ".".join(map(str, here.python))
    if here.python < _OLDEST_PYTHON:
        yield failure(f"Python {running} is too old: 3.10 to 3.13 are needed.", "sudo apt install python3.11")
    elif here.python > _NEWEST_PYTHON:
        yield warning(f"Python {running} is newer than 3.13, the newest that was tried.", "Use python3.13 or older.")
    elif here.python_bits == 32 and here.python > (3, 11):
        what = f"Python {running} on 32 bits: the engine for it, tflite-runtime, ends with 3.11."
        yield failure(what, "Take Raspberry Pi OS 12 (bookworm), whose Python is 3.11, or a 64-bit system.")
    else:
        yield ok(f"Python {running}, {here.python_bits}-bit.")


def python_packages(here: Surroundings) -> Iterator[Finding]:
    """Load each library that is needed."""
    there, missing = [], []
    for module, package in {**_NEEDED, **_ENGINES}.items():
        if find_spec(module) is None:
            missing += [package] if module in _NEEDED else []
            continue
        try:
            import_module(module)
        except ImportError as error:
            again = f"{sys.executable} -m pip install --force-reinstall {package} (needs a network, or wheels)"
            yield failure(f"{package} is damaged, or lacks a library of the system: {error}.", again)
        there.append(package)
    if not set(there).intersection(_ENGINES.values()):
        missing.append("tflite-runtime" if here.python_bits == 32 else "ai-edge-litert")
    if missing:
        install = f"{sys.executable} -m pip install {' '.join(missing)} (needs a network, or wheels)"
        yield failure(f"Missing: {', '.join(missing)}.", install)
    yield ok(", ".join(f"{package} {_version(package)}" for package in there) + ".")


def time_set(here: Surroundings) -> Iterator[Finding]:
    """Look whether the clock is set: it goes back to its start where a board without a battery had no power."""
    now = datetime.fromtimestamp(here.now_s, tz=timezone.utc)
    shown = f"{now:%Y-%m-%d %H:%M} UTC"
    set_it = 'sudo date --utc --set "YYYY-MM-DD HH:MM"'
    if here.now_s < _PACKAGE.stat().st_mtime - _DAY_S:
        what = f"The clock says {shown}, which is before this SDK was installed: what is recorded now is dated wrong."
        yield failure(what, set_it)
        return
    files = here.files
    kept = here.synchronised() or files.exists("/run/systemd/timesync/synchronized")
    battery = any(
        files.text(f"/sys/class/rtc/{name}/hctosys", optional=True) == "1" for name in files.names("/sys/class/rtc")
    )
    if kept:
        yield ok(f"{shown}, kept right over the network.")
    elif battery:
        yield ok(f"{shown}, from the board's own clock.")
    else:
        yield warning(
            f"The clock says {shown}, but nothing keeps it right: there is no battery and no network time.",
            f"Compare it with a watch; {set_it} sets it.",
        )


def _numbers(text: str) -> tuple[int, ...]:
    """Give the numbers at the beginning of a version.

    >>> _numbers("6.1.21-v8+")
    (6, 1, 21)
    """
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # Debian's python3-opencv has no such entry
        return "(of the system)"
