"""Rounds over a line that flips, drops, doubles, delays, cuts and talks between."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_bridge.bridge import Bridge, open_bridge
from firmware_bridge.error import BridgeError, BridgeTimeout, OutcomeUnknown, Refused, Restarted
from firmware_bridge.part.axis import Axis
from firmware_bridge.port.port import Port, open_port
from firmware_bridge.simulation.fault import BOOT_LOG, KINDS, Faults
from firmware_bridge.wire.line import LineReader, lines
from firmware_bridge.wire.message import WRITE, Message, encode_message
from firmware_bridge.wire.number import ECHO, OS

from .ledger import DONE, NOT_RUN, UNKNOWN, compare
from .rig import Interpreter, Rig

__all__ = ["FLIPS", "LOSSES", "attempt", "cut", "flip", "move", "ways", "works"]

LOSSES = Faults(drop=0.2, double=0.1, late=0.05, late_ms=400)
"""What moves go through. A time-out is 25 ms at first, and some 100 ms on such a line: 400 ms are later than that."""
FLIPS = Faults(flip=0.25)
_PATIENCE_S = 2.0


def attempt(action: Callable[[], object]) -> str:
    """Do something; say what the caller is told of it."""
    try:
        action()
    except (OutcomeUnknown, Restarted):
        return UNKNOWN
    except (Refused, BridgeTimeout):
        return NOT_RUN
    return DONE


def ways(count: int, dice: random.Random) -> list[int]:
    """Give ways to move, no two of them alike."""
    return [dice.choice((-1, 1)) * way for way in dice.sample(range(1, count + 1), count)]


def works(bridge: Bridge) -> bool:
    """Say whether a bridge is usable, without faults, ten times in a row."""
    try:
        return all(bridge.echo(f"still there? {count}") for count in range(10))
    except BridgeError:
        return False


def flip(interpreter: Interpreter, folder: Path, *, frames: int, seed: int, lease_s: float = 1.0) -> dict[str, Any]:
    """Turn single bits over in so many frames, both ways, while an output is set to ever other values."""
    asked: list[tuple[float, str]] = []
    how: dict[str, Any] = {"allow": ("lamp",), "lease_s": lease_s}
    with Rig(interpreter, folder, seed=seed) as rig, open_bridge(rig.port, **how) as bridge:
        lamp = bridge.output("lamp")
        rig.change(FLIPS)
        begun_s = time.monotonic()
        while rig.faults.counts.get("flip", 0) < frames:
            value = (len(asked) + 1) / (1 << 20)
            asked.append((value, attempt(lambda value=value: lamp.set(value))))
        took_s = time.monotonic() - begun_s
        rig.change(Faults())
        usable = works(bridge)
        found = _told(rig, bridge, took_s)
    ran = [value for value in rig.sets("lamp") if value]  # 0 is its safe value
    return found | compare(asked, ran).counts() | {"wedged": int(not usable)}


def move(
    interpreter: Interpreter,
    folder: Path,
    *,
    moves: int,
    seed: int,
    faults: Faults = LOSSES,
    answer: tuple[tuple[str, int], ...] = (),
    lease_s: float = 1.0,
) -> dict[str, Any]:
    """Move an axis by so many small ways, and see where it stands after each; `answer` is what the first one meets."""
    dice = random.Random(seed)
    asked: list[tuple[float, str]] = []
    off_target = 0
    how: dict[str, Any] = {"allow": ("x",), "lease_s": lease_s}
    with Rig(interpreter, folder, seed=seed) as rig, open_bridge(rig.port, **how) as bridge:
        axis = bridge.axis("x")
        axis.home().wait()
        rig.change(faults)
        rig.faults.to_host.meet(*answer)
        begun_s = time.monotonic()
        for by in ways(moves, dice):
            asked.append((by, attempt(lambda by=by: axis.move_by_um(by).wait())))
            off_target += _position(axis) != sum(way for way, told in asked if told == DONE)
        took_s = time.monotonic() - begun_s
        rig.change(Faults())
        usable = works(bridge)
        found = _told(rig, bridge, took_s)
        stands_um = axis.position_um
        rig.wait(lambda: sum(rig.moves("x")) == stands_um)
    return found | compare(asked, rig.moves("x")).counts() | {"off_target": off_target, "wedged": int(not usable)}


def _position(axis: Axis) -> float | None:
    """Read where an axis stands; on such a line one read in some thousands finds no answer in its five seconds."""
    for _ in range(3):
        with contextlib.suppress(BridgeTimeout):
            return axis.position_um
    return None


def cut(interpreter: Interpreter, folder: Path, *, every: int, seed: int) -> dict[str, Any]:
    """Cut frames at every byte, and put boot logs in front; count whole frames until one is understood again."""
    asked = lines(encode_message(Message(WRITE, OS, ECHO, 1, {"d": "in step?"})))
    worst = rounds = 0
    with Rig(interpreter, folder, seed=seed) as rig:
        port = open_port(rig.port)
        answer = _exchange(port, asked, b"")[1]
        before = [asked[:at] for at in range(0, len(asked), every)] + list(BOOT_LOG)
        for damage in before:
            worst = max(worst, _exchange(port, asked, damage)[0])
            rounds += 1
        port.close()
    for damage in [answer[:at] for at in range(0, len(answer), every)] + list(BOOT_LOG):
        reader = LineReader(4096)
        reader.feed(damage)
        taken = next((count for count in range(1, 4) if reader.feed(answer)), 4)
        worst, rounds = max(worst, taken), rounds + 1
    return {"rounds": rounds, "frames_until_in_step": worst}


def _exchange(port: Port, asked: bytes, damage: bytes) -> tuple[int, bytes]:
    """Send damage and then whole requests until there is an answer; say how many, and give the answer."""
    port.write(damage)
    for count in range(1, 4):
        port.write(asked)
        end_s, came, reader = time.monotonic() + _PATIENCE_S, b"", LineReader(4096)
        while time.monotonic() < end_s:
            data = port.read(0.05)
            came += data
            if reader.feed(data):
                return count, came
    return 4, b""


def _told(rig: Rig, bridge: Bridge, took_s: float) -> dict[str, Any]:
    """Give what the proxy and the bridge counted."""
    counts = rig.faults.counts
    return {
        "seconds": round(took_s, 1),
        "frames": counts["units"],
        "faults": {kind: counts[kind] for kind in KINDS if kind in counts},
        "retransmits": bridge.statistics.retransmits,
        "dropped": dict(bridge.statistics.dropped),
        "lapses": bridge.statistics.lapses,
    }
