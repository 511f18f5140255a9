"""The page about all boards, written from their tables by ``make docs``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from boards.profile import GIB, MIB, Profile
from boards.registry import FAMILIES

__all__ = ["reference"]

HEAD = """# Boards

Written by `make docs` from the tables in `boards/`. A mark † means that no source has shown it yet: a guess until then.
RAM is what a board is sold with; "dot" is the INT8 dot product (`asimddp`), which INT8 models gain from most. None of
these boards has the INT8 matrix product (`i8mm`). `EDGE_BOARD=ID` makes the SDK take a board for the one with that id;
a board that no table knows is `generic`. To add one, see [add a board](../how-to/add-a-board.md).
"""


def reference() -> str:
    """Give the tables of the SDK's own boards as one Markdown page."""
    own = [profile for family in FAMILIES for profile in family.PROFILES]
    lines = [HEAD, "| id | board | processor | cores | dot | RAM |", "|---|---|---|---|---|---|"]
    for profile in own:
        cells = (f"`{profile.id}`", profile.name, profile.soc, _cores(profile), _dot(profile), _ram(profile))
        lines.append(f"| {' | '.join(cells)} |")
    for profile in own:
        lines += ["", *_section(profile)]
    return "\n".join(lines) + "\n"


def _section(profile: Profile) -> Iterator[str]:
    yield f"## {profile.id}: {profile.name}"
    yield ""
    if profile.unsupported:
        yield f"**Not supported.** {profile.unsupported}"
        yield ""
    for label, field, entries in _rows(profile):
        if not entries:
            continue
        mark = " †" if field in profile.unverified else ""
        if len(entries) == 1:
            yield f"- {label}{mark}: {entries[0]}"
        else:
            yield f"- {label}{mark}:"
            yield from (f"  - {entry}" for entry in entries)


def _rows(profile: Profile) -> Iterator[tuple[str, str, list[str]]]:
    """Give a label, the field that it shows, and its entries."""
    yield "Device tree", "compatibles", _list_of_codes(profile.compatibles)
    yield "Calls itself", "models", _list_of_codes(profile.models)
    yield "Accelerators", "accelerators", [f"{each.name}: {each.note}" for each in profile.accelerators]
    yield "Cameras", "cameras", [f"`{each.backend}`: {each.reads}" for each in profile.cameras]
    yield "GPIO chips by label", "gpio_chip_labels", _list_of_codes(profile.gpio_chip_labels)
    yield "Header, pin: chip and line", "header_pins", _header(profile)
    for label, field in (("UARTs", "uarts"), ("I2C", "i2c_buses"), ("SPI", "spi_buses")):
        ports = getattr(profile, field)
        yield label, field, [f"`{each.device}`: {each.where}" + f" ({each.note})" * bool(each.note) for each in ports]
    for label, kernel in (("Thermal zones", "mainline"), ("Thermal zones, vendor's kernel", "vendor")):
        field = f"thermal_zones_{kernel}"
        yield label, field, _list_of_codes(getattr(profile, field))
    yield "Throttling shows in", "throttle_sources", [f"`{s.where}`: {s.tells}" for s in profile.throttle_sources]
    yield "Power modes", "power_modes", [f"{mode.name}: {mode.how}" for mode in profile.power_modes]
    yield "Linux, at least", "kernel_at_least", [profile.kernel_at_least] * bool(profile.kernel_at_least)
    yield "System, at least", "os_at_least", [profile.os_at_least] * bool(profile.os_at_least)
    yield "Sources", "sources", ["; ".join(profile.sources)] * bool(profile.sources)


def _list_of_codes(names: Iterable[str]) -> list[str]:
    joined = ", ".join(f"`{name}`" for name in names)
    return [joined] if joined else []


def _header(profile: Profile) -> list[str]:
    by_chip: dict[str, list[str]] = {}
    for pin in sorted(profile.header_pins, key=lambda each: each.pin):
        by_chip.setdefault(pin.chip_label, []).append(f"{pin.pin}: {pin.line}")
    return [f"`{chip}`: {', '.join(pins)}" for chip, pins in sorted(by_chip.items())]


def _cores(profile: Profile) -> str:
    mark = " †" if "clusters" in profile.unverified else ""
    return " + ".join(f"{each.count} x {each.core}" for each in profile.clusters) + mark


def _dot(profile: Profile) -> str:
    return ("yes" if profile.dot_product else "no") if profile.clusters else ""


def _ram(profile: Profile) -> str:
    if not profile.ram_options_bytes:
        return ""
    in_gib = all(option % GIB == 0 for option in profile.ram_options_bytes)
    sizes = "/".join(str(option // (GIB if in_gib else MIB)) for option in profile.ram_options_bytes)
    mark = " †" if "ram_options_bytes" in profile.unverified else ""
    return f"{sizes} {'GB' if in_gib else 'MB'}{mark}"


if __name__ == "__main__":
    sys.stdout.write(reference())
