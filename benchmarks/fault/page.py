"""The page of what was counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

__all__ = ["write_page"]

_HEAD = """# What faults do to the bridge

Written by `{command}`; edit nothing here. The client is `open_bridge` on a pseudo-terminal; the firmware is the server
in {micropython}, whose hardware writes down every value and every step. Between them stands a seeded proxy that counts
what it puts in (`firmware_bridge/simulation/fault.py`). What ran is held against what was asked and what the caller was
told: a command is *wrong* that nobody had asked for, that ran twice or out of order, that ran although it was told not
to have, or that did not run although it was told to be done. On {cpu}, {cores} cores shared with other work, Linux
{kernel}, Python {python}. The rules are those of [bridge-protocol.md](bridge-protocol.md).

| fault | put in | what came of it | must be 0 |
|---|---|---|---|
"""

_PEERS = """
## Other clients through the same faults

{versions}; {moves} relative moves each, asked for once, with each client's own defaults, through the same proxy with
the same seed; connected before the faults began, and asked again after they had ended. smpclient moves by a command of
a user's group of SMP, which has no number of its own, and talks to a small SMP server that runs what it gets, as
MCUmgr's do; *reopened* disconnects and connects again after every error. pymata4 moves by `stepper_write` and talks to
a small FirmataExpress: Firmata answers no command, so that a call that returns is all that its caller is told. An error
of theirs is taken as "outcome unknown", which is never held against them as wrong.

| faults | client | told done | told an error | ran twice | ran out of order | ran with another value \
| told done, never ran | position off by | usable after the faults | seconds |
|---|---|---|---|---|---|---|---|---|---|---|
"""

_WORDS = {
    "drop": "dropped",
    "double": "doubled",
    "late": "late",
    "flip": "one bit turned over",
    "cut": "cut",
    "noise": "text in front",
    "stall": "stalls",
}
_SCHEDULES = {
    "losses": "20 % dropped, 10 % doubled, 5 % 400 ms late, each way",
    "flips": "one bit turned over in 10 %, each way",
    "double": "the first answer comes twice, nothing else",
}

Counts = dict[str, Any]
Row = tuple[str, str, str, str]


def write_page(result: Mapping[str, Any], path: Path) -> None:
    """Write the page from what the benchmark counted."""
    text = _HEAD.format(command=result["command"], micropython=result["micropython"], **result["machine"])
    for name, row in _ROWS.items():
        if name in result["rounds"]:
            text += "| " + " | ".join(row(result["rounds"][name])) + " |\n"
    if result["broken"]:
        text += f"\n**Not as it must be: {', '.join(result['broken'])}.**\n"
    if "peers" in result:
        text += _peers(result["peers"])
    path.write_text(text)


def _many(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def _put(counts: Counts) -> str:
    faults = ", ".join(f"{_WORDS[kind]} {_many(count)}" for kind, count in counts["faults"].items())
    return f"{_many(counts['frames'])} frames: {faults}"


def _done(counts: Counts) -> str:
    return f"{_many(counts['asked'])} commands, {_many(counts['done'])} done, {_many(counts['retransmits'])} sent again"


def _flip(c: Counts) -> Row:
    return "1. any single bit turned over", _put(c), _done(c), f"wrong {c['wrong']}, wedged {c['wedged']}"


def _move(c: Counts) -> Row:
    return (
        "2. 20 % dropped, 10 % doubled, 5 % later than the time-out, each way",
        _put(c),
        f"relative moves: {_done(c)}; {c['seconds']} s",
        f"wrong {c['wrong']}, off target {c['off_target']}, wedged {c['wedged']}",
    )


def _cut(c: Counts) -> Row:
    return (
        "3. a frame cut at every byte, a boot log or a REPL's text in front",
        f"{c['rounds']} rounds, both ways",
        f"in step again at whole frame {c['frames_until_in_step']}",
        "",
    )


def _restart(c: Counts) -> Row:
    return (
        "4. the microcontroller restarts in the middle of a move",
        f"{c['restarts']} restarts",
        f"the first answer tells the caller, {1000 * c['noticed_s_most']:.0f} ms after its return at most",
        f"unnoticed {c['unnoticed']}, position still known {c['positions_still_known']}, wedged {c['wedged']}",
    )


def _gone(how: str) -> Callable[[Counts], Row]:
    def row(c: Counts) -> Row:
        return (
            f"5. host {how} while a heater is on and an axis moves",
            f"{c['times']} times",
            f"unsafe for {c['unsafe_s_most']} s at most, the lease is 1 s; the count leaves out what MicroPython's "
            f"process waited for a processor, {c['device_waited_ms_most']} ms at most",
            f"never safe {c['never_safe']}, after lease and 50 ms {c['too_late']}, still moving {c['still_moving']}",
        )

    return row


def _load(c: Counts) -> Row:
    return (
        "6. host at full load: four threads that only calculate beside the caller's",
        f"{c['asked']} commands",
        f"{c['done']} done",
        f"wrong {c['wrong']}, wedged {c['wedged']}",
    )


def _replug(c: Counts) -> Row:
    return (
        "7. unplugged, and back as another tty",
        f"{c['times']} times",
        f"an output set again {c['back_s_most']} s after the plug was back, at most",
        f"wedged {c['wedged']}",
    )


def _second(c: Counts) -> Row:
    said = c["told"]["port"].splitlines()[0].rpartition("/")[2]
    return "8. a second process", "1", f"told: {said}", f"let in {1 - c['refused']}, disturbed {1 - c['first_goes_on']}"


def _clock(c: Counts) -> Row:
    return (
        "9. clock 200 ppm off either way, wrapping; 1 to 5 ms there, 6 to 18 ms back",
        f"{_many(c['readings'])} readings",
        f"error {c['error_ms_most']} ms at most; promised, in the median, {c['promised_ms_median']} ms",
        f"beyond what was promised {c['beyond_promise']}",
    )


def _version(c: Counts) -> Row:
    told = ", ".join(f"{name}: {word}" for name, word in c["told"].items())
    return "10. firmware of other protocols; this host speaks 1", f"{len(c['told'])}", told, f"misread {c['misread']}"


def _update(c: Counts) -> Row:
    return (
        "11. power cut at every piece of an update, and after it",
        f"{c['power_cuts']} power cuts",
        f"{c['updates_through']} updates went through",
        f"booted anything but whole, confirmed firmware {c['wrong_boots']}",
    )


def _fuzz(c: Counts) -> Row:
    return (
        "12. codec fuzzed in CPython and MicroPython",
        f"{_many(c['inputs'])} inputs",
        f"within {c['heap_bytes'] // 1024} kB of heap",
        f"different results {c['differ']}",
    )


_ROWS: Mapping[str, Callable[[Counts], Row]] = {
    "flip": _flip,
    "move": _move,
    "cut": _cut,
    "restart": _restart,
    "kill": _gone("killed"),
    "pause": _gone("stopped"),
    "load": _load,
    "replug": _replug,
    "second": _second,
    "clock": _clock,
    "version": _version,
    "update": _update,
    "fuzz": _fuzz,
}


def _peers(peers: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in peers["versions"].items())
    text = _PEERS.format(versions=versions, moves=peers["moves"])
    for schedule, sides in peers["schedules"].items():
        for name, c in sides.items():
            errors = c["failed"] + c["unknown"]
            cells = [_SCHEDULES[schedule], name, c["done"], errors, c["again"], c["late"], c["foreign"], c["lost"]]
            cells += [f"{c['off']:g}", c["usable_after"], c["seconds"]]
            text += "| " + " | ".join(str(cell) for cell in cells) + " |\n"
    return text
