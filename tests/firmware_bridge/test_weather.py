"""All faults together, in ever other mixtures, with restarts and pulled plugs between, on a clock of its own."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from stand import Stand

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from fault.ledger import compare
from fault.lossy import attempt, works

from firmware_bridge.simulation.fault import Faults
from firmware_bridge.simulation.stage import Stage


def mixture(dice: random.Random) -> Faults:
    return Faults(
        drop=dice.choice((0, 0.1, 0.2, 0.3)),
        double=dice.choice((0, 0.1, 0.2)),
        late=dice.choice((0.05, 0.15)),
        late_ms=dice.choice((0, 50, 200, 1000, 5000)),
        flip=dice.choice((0, 0.05, 0.1)),
        cut=dice.choice((0, 0.05)),
        noise=dice.choice((0, 0.05)),
        stall=dice.choice((0, 0.01)),
        stall_ms=dice.choice((100, 800)),
        jitter_ms=dice.choice((0, 20, 80)),
    )


def disturb(stand: Stand, dice: random.Random) -> None:
    """Now and then restart the device, pull the plug, or let time pass with the lease renewed or not."""
    what = dice.random()
    if what < 0.01:
        stand.device.restart()
    elif what < 0.02:
        stand.unplug()
        for _ in range(20):
            stand.bridge.look_after()
    elif what < 0.05:
        stand.run(dice.uniform(0, 1.5), renew=dice.random() < 0.7)


@pytest.mark.parametrize("seed", range(10))
def test_nothing_runs_but_what_the_caller_was_told_and_all_is_well_afterwards(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[float] = []
    shine = Stage._set_lamp
    monkeypatch.setattr(Stage, "_set_lamp", lambda stage, value: (value and ran.append(value), shine(stage, value)))
    dice = random.Random(seed)
    stand = Stand(f"sim://stage?seed={seed}", allow=("lamp",)).open()
    lamp = stand.bridge.output("lamp")
    lines = (stand.device.faults.to_device, stand.device.faults.to_host)
    for line in lines:
        line.faults = mixture(dice)
    asked = []
    for count in range(1, 81):
        disturb(stand, dice)
        value = count / (1 << 20)
        asked.append((value, attempt(lambda value=value: lamp.set(value))))  # type: ignore[misc]
        if dice.random() < 0.3:
            stand.bridge.lease.tick()
    for line in lines:
        line.faults = Faults()
    stand.run(6)
    verdict = compare(asked, ran)
    assert verdict.wrong == 0, verdict
    assert verdict.done > 0
    assert sum(works(stand.bridge) for _ in range(4)) >= 3  # one may be what still was under way
    assert attempt(lambda: lamp.set(0.5)) == "done"
    stand.close()
