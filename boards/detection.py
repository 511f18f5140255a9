"""Which board this is: exactly one that is known, or "generic"; never one that merely looks alike."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from boards.processor import Processor, parse_cpuinfo
from boards.profile import Profile
from boards.registry import find_profile, profiles

__all__ = ["OVERRIDE", "Board", "detect"]

OVERRIDE = "EDGE_BOARD"
# The names of a device tree take some hundred bytes, and cpuinfo of a large server some hundred thousand.
MOST_NAME_BYTES = 4096
MOST_TABLE_BYTES = 1 << 20
# Older kernels have only the first of these, captures often only one of them.
DEVICE_TREES = ("proc/device-tree", "sys/firmware/devicetree/base")
# What makers of PCs leave in when they forget to fill it in.
EMPTY_DMI = {"", "to be filled by o.e.m.", "default string", "system manufacturer", "system product name", "none"}


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
        Which of the sizes that the profile is sold with that is; None where the table has none that fits.
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
    tree = next((folder / place for place in DEVICE_TREES if (folder / place).is_dir()), folder / DEVICE_TREES[0])
    told = _read(tree / "compatible", MOST_NAME_BYTES)
    compatibles = _names(told)
    cpuinfo = _read(folder / "proc/cpuinfo", MOST_TABLE_BYTES)
    model = next(iter(_names(_read(tree / "model", MOST_NAME_BYTES))), "") or _model_in(cpuinfo)
    processor = parse_cpuinfo(cpuinfo)
    ram_bytes = _ram_bytes(_read(folder / "proc/meminfo", MOST_TABLE_BYTES))
    if override := environ.get(OVERRIDE, "").strip():
        profile, found_by = find_profile(override), f"{OVERRIDE} says so."
    elif compatibles or model:
        profile, found_by = _by_device_tree(compatibles, model, cut_off=told[-1:] not in ("\0", "\n"))
    elif processor.architecture == "x86_64":
        profile, found_by = find_profile("pc"), "It has an x86-64 processor and no device tree."
    else:
        profile, found_by = find_profile("generic"), "It has neither a device tree nor an x86-64 processor."
    return Board(
        profile=profile,
        model=model or _dmi_model(folder) or profile.name,
        compatibles=compatibles,
        ram_bytes=ram_bytes,
        ram_option_bytes=profile.ram_option_bytes(ram_bytes),
        processor=processor,
        found_by=found_by,
    )


def _by_device_tree(compatibles: tuple[str, ...], model: str, *, cut_off: bool) -> tuple[Profile, str]:
    """Take the board that the first name belongs to, unless the model belongs to another one.

    A later name says only what a board is compatible with: a clone lists the board that it was built after, and some
    list another chip. A name that is cut off may be the beginning of another board's. Either counts only where the
    model says the same.
    """
    plain_model = re.sub(r"(\s+Rev\s+[\w.]+|\s+Super)+$", "", model)
    by_model = next((each for each in profiles().values() if plain_model in each.models), None)
    if by_model is not None and not (compatibles and by_model.compatibles):
        return by_model, f"It calls itself {model!r}, and has no other name of its own."
    # Of two profiles with the same name the SDK's own comes first, and so is the last to be written.
    owners = {name: each for each in reversed([*profiles().values()]) for name in each.compatibles}
    for place, name in enumerate(compatibles):
        profile = owners.get(name.removesuffix("-super"))
        if profile is None:
            continue
        if by_model not in (None, profile):
            return find_profile("generic"), f"It calls itself {name!r} and {model!r}, which are different boards."
        whole = not (cut_off and place == len(compatibles) - 1)
        if by_model is profile or (place == 0 and whole):
            return profile, f"Its device tree says {name!r}."
    return find_profile("generic"), f"No table knows {model or compatibles[0]!r}."


def _model_in(cpuinfo: str) -> str:
    """Find the device tree's model where Raspberry Pi's kernels repeat it: containers see that, but no device tree."""
    match = re.search(r"^Model\s*:\s*(\S.*)$", cpuinfo, re.MULTILINE)
    return match[1].strip() if match else ""


def _dmi_model(root: Path) -> str:
    """Join maker and product as the firmware of a PC tells them."""
    folder = root / "sys/class/dmi/id"
    told = (" ".join(_read(folder / name, MOST_NAME_BYTES).split()) for name in ("sys_vendor", "product_name"))
    return " ".join(text for text in told if text.lower() not in EMPTY_DMI)


def _ram_bytes(meminfo: str) -> int:
    match = re.search(r"^MemTotal:\s+(\d{1,15}) kB$", meminfo, re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def _names(told: str) -> tuple[str, ...]:
    """Split what the kernel keeps NUL-separated; some captures end their lines instead."""
    return tuple(name.strip() for name in re.split(r"[\0\n]", told) if name.strip())


def _read(path: Path, most_bytes: int) -> str:
    """Read the beginning of a file; what is not UTF-8 stays visible as marks, what is not there is empty."""
    try:
        with path.open("rb") as file:
            return file.read(most_bytes).decode("utf-8", "replace")
    except OSError:
        return ""
