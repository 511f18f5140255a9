"""The support bundle: what a check found and what the machine is, in one small file without anybody's name."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from typing import BinaryIO

from boards.telemetry import Telemetry
from boards.telemetry.file import Files
from edge_sdk import __version__
from edge_sdk.doctor.anonymity import Anonymity
from edge_sdk.doctor.finding import Finding
from edge_sdk.doctor.surroundings import Surroundings
from edge_sdk.errors import StorageError
from edge_sdk.units import format_bytes

__all__ = ["MOST_BYTES", "check_report", "write_report"]

MOST_BYTES = 1_000_000
"""Of all texts together, before they are packed."""
_PART_BYTES, _RAW_LETTERS = 64_000, 128_000
_LOG_S = 5.0
_DAY = (1980, 1, 1, 0, 0, 0)  # The earliest that a zip knows; when it was made is told by nothing inside.
# Files as they are. Lists of mounts, processes and networks are left out: they are full of names.
_FILES = (
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/cmdline",
    "/proc/version",
    "/proc/swaps",
    "/proc/partitions",
    "/proc/modules",
    "/proc/pressure/memory",
    "/proc/device-tree/model",
    "/proc/device-tree/compatible",
    "/etc/os-release",
    "/boot/firmware/config.txt",
    "/boot/config.txt",
)
_NODES = r"video[0-9]+|media[0-9]+|tty(ACM|USB|AMA|THS|S)[0-9]+|gpiochip[0-9]+|i2c-[0-9]+|spidev.*|apex_[0-9]+|accel"
_LINKS = ("/dev/serial/by-id", "/dev/v4l/by-id")


def check_report(path: str | os.PathLike[str]) -> None:
    """See that a support bundle can be written there, before minutes of checks are spent on it.

    Raises
    ------
    StorageError
        It cannot.
    """
    with _part(Path(path)):
        pass


def write_report(
    path: str | os.PathLike[str],
    findings: Iterable[Finding],
    *,
    root: str | Path = "/",
    environ: Mapping[str, str] = os.environ,
) -> Path:
    """Write a support bundle, in one step or not at all.

    Serial numbers, addresses and the names of hosts, users and networks are taken out of every text in it.

    Parameters
    ----------
    path : path
        Where; a file that lies there is replaced.
    findings : iterable of Finding
        What `examine` gave.
    root : path
        The folder that stands for ``/``.
    environ : mapping
        The environment.

    Raises
    ------
    StorageError
        It cannot be written; nothing is left behind.
    """
    target = Path(path)
    with _part(target) as file:
        _fill(file, _parts(list(findings), Path(root), environ), Anonymity(root, environ))
        file.flush()
        os.fsync(file.fileno())
        Path(file.name).replace(target)
    return target


@contextlib.contextmanager
def _part(target: Path) -> Iterator[BinaryIO]:
    """Open what becomes the target when it is renamed, and goes when it is not."""
    part = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        with part.open("wb") as file:
            yield file
    except OSError as error:
        raise _not_written(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _fill(file: BinaryIO, parts: Iterable[tuple[str, str]], hidden: Anonymity) -> None:
    """Pack texts, cleaned, and as much of them as there may be."""
    left = MOST_BYTES
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts:
            data = hidden.clean(_end(text)).encode()[-min(left, _PART_BYTES) :] if left else b""
            left -= len(data)
            archive.writestr(zipfile.ZipInfo(name, _DAY), data, zipfile.ZIP_DEFLATED)


def _end(text: str) -> str:
    """Give the last lines of a text, as many as can be cleaned quickly.

    Only whole ones: a name that the cut halves would not be found. What is cut off after cleaning is clean.
    """
    return text if len(text) <= _RAW_LETTERS else text[-_RAW_LETTERS:].partition("\n")[2]


def _not_written(target: Path, error: OSError) -> StorageError:
    fix = "Name a place on another disk, such as a USB stick: edge doctor --report /media/STICK/report.zip"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"The report {target} was not written: the disk is full.", fix=fix)
    return StorageError(f"The report {target} was not written.", why=f"{error.strerror}.", fix=fix)


def _parts(findings: list[Finding], root: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Give every text; one that cannot be had says why."""
    makers: dict[str, Callable[[], str]] = {
        "findings.json": lambda: _json([finding.as_json() for finding in findings]),
        "board.json": lambda: _json(_board(root, environ)),
        "telemetry.json": lambda: _json(_telemetry(root)),
        "devices.txt": lambda: "\n".join(_devices(Files(root))),
        "packages.txt": _packages,
        "kernel.log": lambda: _kernel_log() if str(root) == "/" else "",
    }
    for name, make in makers.items():
        try:
            yield name, make()
        except Exception as error:  # a report about a broken machine must come about on it
            yield name, f"not to be had: {type(error).__name__}: {error}"
    files = Files(root)
    for path in _FILES:
        text = files.whole(path)
        if text:
            yield f"files{path}", text.replace("\0", "\n")


def _json(value: object) -> str:
    # Letters as they are: what is written as \\u00e9 would not be found.
    return json.dumps(value, indent=1, default=str, ensure_ascii=False)


def _board(root: Path, environ: Mapping[str, str]) -> dict[str, object]:
    board = Surroundings(root=root, environ=environ).board
    return {
        "sdk": __version__,
        "profile": board.profile.id,
        "model": board.model,
        "compatibles": board.compatibles,
        "found_by": board.found_by,
        "ram": format_bytes(board.ram_bytes),
        "processor": board.processor.name,
        "architecture": board.processor.architecture,
        "settings": {name: value for name, value in environ.items() if name.startswith("EDGE_")},
    }


def _telemetry(root: Path) -> dict[str, object]:
    with Telemetry(root) as telemetry:
        return asdict(telemetry.read())


def _devices(files: Files) -> Iterator[str]:
    yield from (f"/dev/{name}" for name in files.names("/dev", _NODES))
    for folder in _LINKS:
        yield from (f"{folder}/{name}" for name in files.names(folder))
    usb = "/sys/bus/usb/devices"
    for name in files.names(usb, r"(usb)?[0-9]+(-[0-9.]+)?"):
        told = (files.text(f"{usb}/{name}/{part}", optional=True) for part in ("idVendor", "idProduct", "product"))
        yield f"USB {name}: {' '.join(filter(None, told))}"


def _packages() -> str:
    # With a dash for every dot, or four-part versions would be taken for addresses.
    found = {(each.metadata["Name"] or "?", each.version.replace(".", "-")) for each in distributions()}
    return "\n".join(f"{name} {version}" for name, version in sorted(found))


def _kernel_log() -> str:
    done = subprocess.run(["dmesg"], capture_output=True, timeout=_LOG_S, check=False)
    return (done.stdout or done.stderr).decode("utf-8", "replace")
