"""``edge board``: what this machine is, what of it is used, and which boards are known."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import click

from boards import Board, Profile, check_installed, detect, profiles
from edge_sdk.doctor.machine import OWN_LIBRARIES
from edge_sdk.units import format_bytes

__all__ = ["board"]

_json_option = click.option("--json", "as_json", is_flag=True, help="JSON instead of the text.")
_INDENT = 17


@click.group(invoke_without_command=True)
@_json_option
@click.option("--root", default="/", hidden=True, help="The folder that stands for /.")
@click.pass_context
def board(context: click.Context, as_json: bool, root: str) -> None:
    """Tell what this machine is: board, memory, accelerators and how they are reached, and what will be used.

    A board that no table knows is "generic"; EDGE_BOARD=ID has it taken for another.

    \b
    Examples:
      edge board
      edge board --json
      edge board list
    """
    if context.invoked_subcommand is not None:
        return
    facts = _facts(detect(root), root)
    click.echo(json.dumps(facts, indent=2) if as_json else "\n".join(_lines(facts)))


@board.command("list")
@_json_option
def list_command(as_json: bool) -> None:
    """Name the boards that the SDK knows, by the ids that --board and EDGE_BOARD take.

    \b
    Examples:
      edge board list
      edge board list --json
    """
    known = list(profiles().values())
    if as_json:
        click.echo(json.dumps([_described(profile) for profile in known], indent=2))
        return
    width = max(len(profile.id) for profile in known)
    rams = {profile.id: _rams(profile.ram_options_bytes) for profile in known}
    ram_width = max(map(len, rams.values()))
    for profile in known:
        name = f"{profile.name}{'  (not supported)' if profile.unsupported else ''}"
        click.echo(f"{profile.id:<{width}}  {rams[profile.id]:<{ram_width}}  {name}".rstrip())


def _facts(found: Board, root: str) -> dict[str, Any]:
    """Gather what there is to say, in the order in which it is told."""
    findings = check_installed(found.processor)
    # The processor cannot run what would be asked: asking would end this process.
    unfit = [finding.sentence for finding in findings if finding.missing and finding.library in OWN_LIBRARIES]
    use: dict[str, Any] = {}
    if not unfit and not found.profile.unsupported:
        try:
            use = _use(found, root)
        except ImportError as error:
            unfit = [f"A library is missing or damaged: {error}. edge doctor --only python says which."]
    return {
        **_described(found.profile),
        "model": found.model,
        "found_by": found.found_by,
        "processor": {"name": found.processor.name, "architecture": found.processor.architecture},
        "ram_bytes": found.ram_bytes,
        "ram_option_bytes": found.ram_option_bytes,
        "accelerators": [
            {"name": each.name, "delegate": each.delegate, "note": each.note} for each in found.profile.accelerators
        ],
        "unfit": unfit,
        "use": use,
    }


def _described(profile: Profile) -> dict[str, Any]:
    return {
        "id": profile.id,
        "name": profile.name,
        "soc": profile.soc,
        "ram_options_bytes": list(profile.ram_options_bytes),
        "unsupported": profile.unsupported or None,
    }


def _use(found: Board, root: str) -> dict[str, Any]:
    """Ask the floors that know what the SDK will use; they load numpy, which is only now known to run."""
    memory, runtime = import_module("edge_sdk.memory"), import_module("edge_sdk.runtime")
    stack = import_module("edge_sdk.sources.stack")
    cameras = [camera.backend for camera in found.profile.cameras]
    chosen = stack.choose_stack(cameras)
    modules = {"litert": "ai_edge_litert", "interpreter": "tflite_runtime"}
    delegates = [name for name in runtime.ladder(found.profile.accelerators) if name in runtime.DELEGATES]
    return {
        "engine": next((name for name, module in modules.items() if importlib.util.find_spec(module)), None),
        "threads": memory.engine_threads(None),
        "budget": memory.budget_of(root=root).as_json(),
        "delegates": {name: runtime.DELEGATES[name].find() is not None for name in delegates},
        "cameras": [*(["USB (V4L2)"] if "v4l2" in cameras else []), *([chosen.name] if chosen else [])],
    }


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    """Write it for people."""
    yield _line("board", f"{facts['model']} ({facts['id']})")
    yield _line("", facts["found_by"])
    if facts["unsupported"]:
        yield _line("NOT SUPPORTED", facts["unsupported"])
    yield _line("processor", f"{facts['processor']['name']}, {facts['processor']['architecture']}")
    yield from (_line("CANNOT RUN", sentence) for sentence in facts["unfit"])
    sold = f", sold as {_ram(facts['ram_option_bytes'])}" if facts["ram_option_bytes"] else ""
    yield _line("memory", f"{format_bytes(facts['ram_bytes'])} to use{sold}")
    for place, each in enumerate(facts["accelerators"]):
        yield _line(
            "" if place else "accelerators", f"{each['name']}: {_reached(each['delegate'])} {_after(each['note'])}"
        )
    use = facts["use"]
    if not use:
        return
    yield ""
    yield _line("will be used", f"{use['engine'] or 'no engine: none is installed'}, {use['threads']} threads")
    for name, there in use["delegates"].items():
        yield _line("", _helps(name) if there else f"not {name}: it is not installed")
    budget = use["budget"]
    yield _line("", f"{format_bytes(budget['total_bytes'])} of memory ({budget['reason']})")
    yield _line("", f"cameras: {', '.join(use['cameras']) or 'none can be read'}")
    yield ""
    yield "edge doctor looks whether all of it works."


def _line(label: str, text: str) -> str:
    return f"{label:<{_INDENT}}{text}"


def _helps(name: str) -> str:
    compiled = import_module("edge_sdk.runtime").DELEGATES[name].compiled
    what = f"files compiled for it (NAME{compiled}.tflite)" if compiled else "vision encoders"
    return f"{name} for {what}, without a budget, if it answers as the CPU does"


def _reached(delegate: str | None) -> str:
    if delegate is None:
        return "NOT REACHABLE."
    return "always there." if delegate == "cpu" else f"reached by the delegate {delegate}."


def _after(note: str) -> str:
    """Take from a note what was just said."""
    rest = note.removeprefix("Not reachable: ")
    return rest[:1].upper() + rest[1:]


def _rams(sizes_bytes: Sequence[int]) -> str:
    """Write the sizes that a board is sold with; the unit once, for no board's sizes have two."""
    told = [_ram(size).split() for size in sizes_bytes]
    return f"{'/'.join(number for number, _ in told)} {told[0][1]}" if told else ""


def _ram(size_bytes: int) -> str:
    """Write a RAM size as boards are sold: in binary units."""
    return f"{size_bytes >> 30} GB" if size_bytes % (1 << 30) == 0 else f"{size_bytes >> 20} MB"
