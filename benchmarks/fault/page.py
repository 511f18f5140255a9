"""The page of what was counted."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
            counts = _further(result["rounds"][name])
            text += "| " + " | ".join(_many(cell.format(**counts)) for cell in row) + " |\n"
    if result["broken"]:
        text += f"\n**Not as it must be: {', '.join(result['broken'])}.**\n"
    if "peers" in result:
        text += _peers(result["peers"])
    path.write_text(text)


def _many(text: str) -> str:
    """Part thousands by spaces."""
    return re.sub(r"(?<=\d),(?=\d)", " ", text)


def _further(counts: Counts) -> Counts:
    """Give the counts, and what follows from them."""
    found = dict(counts)
    if "faults" in counts:
        found["put"] = ", ".join(f"{_WORDS[kind]} {count:,}" for kind, count in counts["faults"].items())
    if "noticed_s_most" in counts:
        found["noticed_ms"] = 1000 * counts["noticed_s_most"]
    if "heap_bytes" in counts:
        found["heap_kb"] = counts["heap_bytes"] // 1024
    if "first_goes_on" in counts:
        found["said"] = counts["told"]["port"].splitlines()[0].rpartition("/")[2]
        found["let_in"], found["disturbed"] = 1 - counts["refused"], 1 - counts["first_goes_on"]
    elif "told" in counts:
        found["versions"] = ", ".join(f"{name}: {word}" for name, word in counts["told"].items())
        found["count"] = len(counts["told"])
    return found


_DONE = "{asked:,} commands, {done:,} done, {retransmits:,} sent again"
_RIGHT = "wrong {wrong}, wedged {wedged}"
_UNSAFE = (
    "unsafe for {unsafe_s_most} s at most, the lease is 1 s; the count leaves out what MicroPython's process waited "
    "for a processor, {device_waited_ms_most} ms at most",
    "never safe {never_safe}, after lease and 50 ms {too_late}, still moving {still_moving}",
)

# What was tried -> the fault, what was put in, what came of it, and what must be 0; each is filled in with the counts.
_ROWS: Mapping[str, Row] = {
    "flip": ("1. any single bit turned over", "{frames:,} frames: {put}", _DONE, _RIGHT),
    "move": (
        "2. 20 % dropped, 10 % doubled, 5 % later than the time-out, each way",
        "{frames:,} frames: {put}",
        f"relative moves: {_DONE}; {{seconds}} s",
        "wrong {wrong}, off target {off_target}, wedged {wedged}",
    ),
    "cut": (
        "3. a frame cut at every byte, a boot log or a REPL's text in front",
        "{rounds} rounds, both ways",
        "in step again at whole frame {frames_until_in_step}",
        "",
    ),
    "restart": (
        "4. the microcontroller restarts in the middle of a move",
        "{restarts} restarts",
        "the first answer tells the caller, {noticed_ms:.0f} ms after its return at most",
        "unnoticed {unnoticed}, position still known {positions_still_known}, wedged {wedged}",
    ),
    "kill": ("5. host killed while a heater is on and an axis moves", "{times} times", *_UNSAFE),
    "pause": ("5. host stopped while a heater is on and an axis moves", "{times} times", *_UNSAFE),
    "load": (
        "6. host at full load: four threads that only calculate beside the caller's",
        "{asked} commands",
        "{done} done",
        _RIGHT,
    ),
    "replug": (
        "7. unplugged, and back as another tty",
        "{times} times",
        "an output set again {back_s_most} s after the plug was back, at most",
        "wedged {wedged}",
    ),
    "second": ("8. a second process", "1", "told: {said}", "let in {let_in}, disturbed {disturbed}"),
    "clock": (
        "9. clock 200 ppm off either way, wrapping; 1 to 5 ms there, 6 to 18 ms back",
        "{readings:,} readings",
        "error {error_ms_most} ms at most; promised, in the median, {promised_ms_median} ms",
        "beyond what was promised {beyond_promise}",
    ),
    "version": (
        "10. firmware of other protocols; this host speaks 1", "{count}", "{versions}", "misread {misread}",
    ),
    "update": (
        "11. power cut at every piece of an update, and after it",
        "{power_cuts} power cuts",
        "{updates_through} updates went through",
        "booted anything but whole, confirmed firmware {wrong_boots}",
    ),
    "fuzz": (
        "12. codec fuzzed in CPython and MicroPython",
        "{inputs:,} inputs",
        "within {heap_kb} kB of heap",
        "different results {differ}",
    ),
}  # fmt: skip


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
