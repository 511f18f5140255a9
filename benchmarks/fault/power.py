"""Rounds that cut the microcontroller's power: at every piece of an update, and after; a firmware must always boot."""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from firmware_bridge.bridge import open_bridge
from firmware_bridge.error import BridgeError

from .rig import Interpreter, Rig

__all__ = ["update"]


def update(interpreter: Interpreter, folder: Path, *, pieces: int, seed: int) -> dict[str, Any]:
    """Update again and again, the power cut one piece later each time, until nothing is cut; then confirm, or not."""
    dice = random.Random(seed)
    bad = cuts = updates = 0
    with Rig(interpreter, folder, seed=seed) as rig:
        images = [dice.randbytes(pieces * 900) for _ in range(pieces + 4)]
        known = {"": "", **{sha256(image).hexdigest(): "whole" for image in images}}
        good = ""
        for at, image in enumerate(images):
            before = len(_boots(rig))
            with contextlib.suppress(BridgeError), open_bridge(rig.port) as bridge:
                bridge.update(image, _cutter(rig, at))
                updates += 1
                if at % 2:
                    bridge.confirm()
                    good = sha256(image).hexdigest()
            rig.served.kill()
            cut_us = time.time_ns() // 1000
            rig.served.restart()
            cuts += 1
            rig.wait(lambda cut_us=cut_us: _boots(rig)[-1]["us"] > cut_us)
            booted = _boots(rig)[-1]
            bad += sum(boot["sha"] not in known for boot in _boots(rig)[before:]) + (booted["sha"] != good)
    return {"power_cuts": cuts, "updates_through": updates, "wrong_boots": bad}


def _cutter(rig: Rig, at: int) -> Any:
    """Give what cuts the power after so many pieces of an update."""
    pieces = itertools.count(1)

    def progress(*_: int) -> None:
        if next(pieces) == at:
            rig.served.restart()

    return progress


def _boots(rig: Rig) -> list[dict[str, Any]]:
    return [event for event in rig.events() if "boot" in event]
