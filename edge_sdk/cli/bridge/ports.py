"""``edge bridge list``: the serial devices that are there, who has them, and what answers on them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from edge_sdk.cli.bridge.address import json_option
from edge_sdk.cli.text import plain
from edge_sdk.doctor.serial import SerialPort, find_ports
from edge_sdk.doctor.surroundings import Surroundings
from firmware_bridge.error import BridgeError
from firmware_bridge.port.port import open_port
from firmware_bridge.session.probe import probe

__all__ = ["list_ports"]

_NONE = (
    "There is no serial device. Plug the microcontroller in, with a cable that carries data; edge doctor --only serial "
    "tells of missing drivers. A simulated one is there by its name: edge bridge info sim://"
)


@click.command("list")
@click.option("--probe", "asked", is_flag=True, help="Open those that are free, and ask what runs there.")
@json_option
@click.option("--root", default="/", hidden=True, help="The folder that stands for /.")
def list_ports(asked: bool, as_json: bool, root: str) -> None:
    """List serial devices: their names, what they are, who has them, and why one cannot be opened.

    No port is opened, as that restarts some boards (those with an Arduino's way of being reset); with --probe the
    free ones on USB are, and asked for a bridge or MicroPython's prompt.

    \b
    Examples:
      edge bridge list
      edge bridge list --probe
      edge bridge list --json
    """
    here = Surroundings(root=Path(root))
    found = [_facts(here, port, asked) for port in find_ports(here) if here.path(port.node).exists()]
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(_lines(found)))


def _facts(here: Surroundings, port: SerialPort, asked: bool) -> dict[str, Any]:
    holding = here.holders(port.node)
    locked = not here.may_use(port.node)
    facts = {
        **asdict(port),
        "names": _names(here, port.node),
        "held_by": holding,
        "fix": here.group_fix(port.node) if locked else None,
    }
    if asked:
        facts["answers"] = _answers(port) if port.usb and not (locked or holding) else None
    return facts


def _names(here: Surroundings, node: str) -> list[str]:
    """Give the names that stay when the device comes back as another tty."""
    folder, device = "/dev/serial/by-id", here.path(node).resolve()
    links = sorted(here.path(folder).iterdir()) if here.path(folder).is_dir() else []
    return [f"{folder}/{link.name}" for link in links if link.resolve() == device]


def _answers(port: SerialPort) -> dict[str, str]:
    try:
        line = open_port(port.node)
        try:
            found = probe(line)
        finally:
            line.close()
    except BridgeError as error:
        return {"kind": "error", "says": error.what}
    return {"kind": found.kind, "says": found.says}


def _lines(found: list[dict[str, Any]]) -> Iterator[str]:
    for facts in found:
        name = facts["names"][0] if facts["names"] else facts["node"]
        yield plain(name)
        node = "" if name == facts["node"] else f", {facts['node']}"
        yield f"    {plain(facts['what'])}{node}"
        if facts["fix"]:
            yield f"    may not be opened by this user -> {facts['fix']}"
        elif facts["held_by"]:
            yield f"    in use by {plain(', '.join(facts['held_by']))} -> close that program: a port belongs to one"
        elif facts.get("answers"):
            yield f"    {plain(facts['answers']['says'])}{_HINTS.get(facts['answers']['kind'], '')}"
        else:
            yield "    free"
    if not found:
        yield _NONE


_HINTS = {
    "micropython": " -> edge bridge flash PORT puts it there",
    "nothing": " -> edge bridge monitor shows what comes; is it the right one, and has it power?",
    "smp": " -> edge bridge flash PORT puts the bridge's firmware there",
}
