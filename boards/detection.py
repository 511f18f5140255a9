"""Which board this is: exactly one that is known, or "generic"; never one that merely looks alike."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from boards.processor import Processor, parse_cpuinfo
from boards.profile import Profile
from boards.registry import find_profile, profiles

__all__ = ["OVERRIDE", "Board", "detect"]

OVERRIDE = "EDGE_BOARD"
# Firmware texts are tens of bytes and /proc/cpuinfo of a large server a few hundred KB; whatever is larger is cut.
MOST_BYTES = 1 << 20

_REVISION = re.compile(r"\s+Rev\s+[\w.]+$")
_SUPER = re.compile(r"\s+Super$")


@dataclass(frozen=True, slots=True)
class Board:
    """A machine, and the profile that describes it.

    Attributes
    ----------
    model : str
        What the machine calls itself; the profile's name where it does not.
    compatibles : tuple of str
        The device tree's names, most specific first; empty on PCs.
    ram_bytes : int
        What the kernel may use (``MemTotal``); 0 where it is not told.
    ram_option_bytes : int or None
        Which of the sizes that this board is sold with that is; None where the table has none that fits.
    found_by : str
        Why this profile was taken, as a sentence.
    """

    profile: Profile
    model: str
    compatibles: tuple[str, ...]
    ram_bytes: int
    ram_option_bytes: int | None
    processor: Processor
    found_by: str


def detect(root: str | Path = "/", environ: Mapping[str, str] = os.environ) -> Board:
    """Find out which board this is.

    Parameters
    ----------
    root : path
        Folder under which ``proc`` and ``sys`` lie; another one than ``/`` holds a captured tree.
    environ : mapping
        ``EDGE_BOARD`` in it names the profile to take, whatever the machine says.

    Raises
    ------
    EdgeError
        If ``EDGE_BOARD`` names no known board. Nothing that a tree holds or lacks raises.
    """
    folder = Path(root)
    compatibles = _strings(folder / "proc/device-tree/compatible")
    model = " ".join(_strings(folder / "proc/device-tree/model")[:1])
    processor = parse_cpuinfo(_text(folder / "proc/cpuinfo"))
    ram_bytes = _ram_bytes(_text(folder / "proc/meminfo"))
    dmi = _dmi_model(folder)
    if override := environ.get(OVERRIDE, "").strip():
        profile, found_by = find_profile(override), f"{OVERRIDE} says so."
    elif compatibles or model:
        profile, found_by = _by_device_tree(compatibles, model)
    elif processor.architecture == "x86_64":
        profile, found_by = find_profile("pc"), "It has an x86-64 processor and no device tree."
    else:
        profile, found_by = find_profile("generic"), "It has neither a device tree nor an x86-64 processor."
    return Board(
        profile=profile,
        model=model or dmi or profile.name,
        compatibles=compatibles,
        ram_bytes=ram_bytes,
        ram_option_bytes=profile.ram_option_bytes(ram_bytes),
        processor=processor,
        found_by=found_by,
    )


def _by_device_tree(compatibles: tuple[str, ...], model: str) -> tuple[Profile, str]:
    """Take the board that the first name belongs to, unless the model belongs to another one.

    A later name says only what a board is compatible with: a clone lists the board that it was built after, and some
    list another chip. Such a name counts only where the model says the same.
    """
    plain_model = _plain_model(model)
    by_model = next((each for each in profiles().values() if plain_model in each.models), None)
    if by_model is not None and not by_model.compatibles:
        return by_model, f"Its model is {model!r}, and its other names are not its own."
    for place, name in enumerate(compatibles):
        profile = _claimed(name.removesuffix("-super"))
        if profile is None:
            continue
        if by_model not in (None, profile):
            return find_profile("generic"), f"It calls itself {name!r} and {model!r}, which are different boards."
        if place == 0 or by_model is profile:
            return profile, f"Its device tree says {name!r}."
    return find_profile("generic"), f"No table knows {model or compatibles[0]!r}."


def _claimed(name: str) -> Profile | None:
    return next((each for each in profiles().values() if name in each.compatibles), None)


def _plain_model(model: str) -> str:
    return _SUPER.sub("", _REVISION.sub("", model))


def _dmi_model(root: Path) -> str:
    """Join maker and product as the firmware of a PC tells them, leaving out what makers never filled in."""
    folder = root / "sys/class/dmi/id"
    words = (" ".join(_text(folder / name).split()) for name in ("sys_vendor", "product_name"))
    empty = {"", "to be filled by o.e.m.", "default string", "system manufacturer", "system product name"}
    return " ".join(word for word in words if word.lower() not in empty)


def _ram_bytes(meminfo: str) -> int:
    match = re.search(r"^MemTotal:\s+(\d{1,15}) kB$", meminfo, re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def _strings(path: Path) -> tuple[str, ...]:
    """Split what the kernel keeps NUL-separated; some captures end their lines instead."""
    return tuple(_nonempty(_text(path).replace("\n", "\0").split("\0")))


def _nonempty(texts: Iterable[str]) -> Iterable[str]:
    return (text.strip() for text in texts if text.strip())


def _text(path: Path) -> str:
    """Read at most a megabyte; what is not UTF-8 stays visible as question marks, what is not there is empty."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
