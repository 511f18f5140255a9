"""``edge bridge info`` and ``dictionary``: what the microcontroller is, and what hangs on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from edge_sdk.cli.bridge.address import address_argument, json_option
from edge_sdk.cli.text import plain, rows
from firmware_bridge.bridge import Bridge, open_bridge
from firmware_bridge.part.dictionary import AxisEntry, OutputEntry, SensorEntry
from firmware_bridge.session.hello import Hello, agree

__all__ = ["dictionary", "info"]

_LOOKS = 8  # for the clock and the round trip
_INDENT = 15


@click.command()
@address_argument
@json_option
def info(address: str, as_json: bool) -> None:
    """Tell what the microcontroller is and how it is: firmware, state, lease, clock and link.

    \b
    Examples:
      edge bridge info
      edge bridge info /dev/ttyACM0
      edge bridge info sim:// --json
    """
    with open_bridge(address) as bridge:
        found = bridge.info  # before this session's lease
        for _ in range(_LOOKS):
            bridge.look()
        facts = _facts(bridge, found)
    click.echo(json.dumps(facts, indent=2) if as_json else "\n".join(_lines(facts)))


def _facts(bridge: Bridge, found: Hello) -> dict[str, Any]:
    clock, offers = bridge.clock, bridge.dictionary
    offset = clock.offset if clock.is_known else None
    return {
        "address": bridge.name,
        "board": found.board,
        "name": found.name,
        "id": found.identity.hex(),
        "firmware": found.firmware,
        "protocols": list(found.protocols),
        "protocol": agree(list(found.protocols)),
        "capabilities": list(found.capabilities),
        "boot": f"{found.boot:08x}",
        "slot": found.slot or None,
        "trial": found.trial,
        "configuration_crc": f"{found.configuration:08x}" if found.configuration else None,
        "state": found.state,
        "lease_left_s": found.lease_s,
        "lease_longest_s": offers.longest_lease_s,
        "sensors": list(offers.sensors),
        "outputs": list(offers.outputs),
        "axes": list(offers.axes),
        "clock_offset_s": offset and offset.time_s,
        "clock_uncertainty_s": offset and offset.uncertainty_s,
        **asdict(bridge.statistics),
    }


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    named = f'"{facts["name"]}", ' if facts["name"] else ""
    yield _line("board", f"{facts['board']}, {named}number {facts['id']}")
    yield _line("", f"on {facts['address']}")
    slot = f"slot {facts['slot']}" if facts["slot"] else "not in a slot"
    trial = ", ON TRIAL: the next start goes back to the one before, unless it is kept" if facts["trial"] else ""
    least, most = facts["protocols"]
    yield _line("firmware", f"{facts['firmware']}, {slot}{trial}")
    yield _line("", f"protocol {facts['protocol']} (it speaks {least if least == most else f'{least} to {most}'})")
    yield _line("started as", facts["boot"])
    crc = facts["configuration_crc"]
    yield _line("configuration", f"CRC {crc}" if crc else "none was sent")
    yield _line("offers", "; ".join(_counted(facts[kind], kind) for kind in ("sensors", "outputs", "axes")))
    yield _line("state", _STATES.get(facts["state"], facts["state"]))
    left = f"; {facts['lease_left_s']:g} s of one were left" if facts["lease_left_s"] else ""
    yield _line("lease", f"{facts['lease_longest_s']:g} s at the longest{left}")
    offset_s, unsure_s = facts["clock_offset_s"], facts["clock_uncertainty_s"]
    known = "unknown" if offset_s is None else f"this machine's less {offset_s:.4f} s, give or take {_ms(unsure_s)}"
    yield _line("clock", known)
    yield _line("round trip", f"{_ms(facts['round_trip_s'])}, the shortest {_ms(facts['least_round_trip_s'])}")
    dropped = ", ".join(f"{count} {cause}" for cause, count in facts["dropped"].items() if count)
    yield _line(
        "link", f"{facts['requests']} requests, {facts['retransmits']} sent again; dropped: {dropped or 'none'}"
    )


# What a state means for who finds it.
_STATES = {
    "idle": "idle: no lease ran, so all outputs were safe",
    "live": "live: a lease ran, of a process that has just ended",
    "fault": "FAULT: edge bridge read shows what fails; mend that, then edge bridge clear",
}


def _line(label: str, text: str) -> str:
    return f"{label:<{_INDENT}}{plain(text)}"


def _counted(names: list[str], kind: str) -> str:
    listed = ", ".join(names)
    return f"{len(names)} {kind}{f': {listed}' if names else ''}"


def _ms(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"{seconds * 1000:.2f} ms"


@click.command()
@address_argument
@json_option
def dictionary(address: str, as_json: bool) -> None:
    """List what hangs on the microcontroller: sensors, outputs and axes, with units, ranges and safe values.

    \b
    Examples:
      edge bridge dictionary
      edge bridge dictionary sim://stage --json
    """
    with open_bridge(address) as bridge:
        offers = bridge.dictionary
    if as_json:
        click.echo(json.dumps(asdict(offers), indent=2))
        return
    tables = [
        [("sensor", "range", "every", "accuracy"), *map(_sensor, offers.sensors.values())],
        [("output", "kind", "range", "safe", "longest lease"), *map(_output, offers.outputs.values())],
        [("axis", "range", "step", "speed", "backlash", "homes"), *map(_axis, offers.axes.values())],
    ]
    shown = ["\n".join(rows(table)) for table in tables if len(table) > 1]
    click.echo("\n\n".join(shown) or "Nothing hangs on it: send it a configuration with edge bridge configure FILE.")


def _sensor(entry: SensorEntry) -> tuple[str, ...]:
    every = "" if entry.period_s is None else f"{entry.period_s:g} s"
    accuracy = "" if entry.accuracy is None else f"{entry.accuracy:g} {entry.unit}"
    return entry.name, _range(entry.least, entry.most, entry.unit), every, accuracy


def _output(entry: OutputEntry) -> tuple[str, ...]:
    return entry.name, entry.kind, _range(entry.least, entry.most, entry.unit), str(entry.safe), f"{entry.lease_s:g} s"


def _axis(entry: AxisEntry) -> tuple[str, ...]:
    step = "" if entry.step_um is None else f"{entry.step_um:g} um"
    speed = "" if entry.speed_um_per_s is None else f"{entry.speed_um_per_s:g} um/s"
    homes = "by its switch" if entry.homes else "where it stands"
    return entry.name, _range(entry.least_um, entry.most_um, "um"), step, speed, f"{entry.backlash_um:g} um", homes


def _range(least: float | None, most: float | None, unit: str) -> str:
    if least is None and most is None:
        return f"any {unit}".rstrip()
    return f"{'any' if least is None else f'{least:g}'} to {'any' if most is None else f'{most:g}'} {unit}".rstrip()
