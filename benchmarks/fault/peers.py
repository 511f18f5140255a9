"""The same faults in front of other clients: smpclient, and pymata4 for Firmata; each with its own defaults."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firmware_bridge.simulation.fault import KINDS, FaultPair, Faults, Split, by_line
from firmware_bridge.simulation.proxy import PtyProxy

from . import lossy
from .ledger import DONE, UNKNOWN, compare
from .peer_device import FirmataDevice, PeerDevice, SmpDevice, by_firmata
from .rig import Interpreter

__all__ = ["SCHEDULES", "contest"]

SCHEDULES: Mapping[str, tuple[Faults, tuple[tuple[str, int], ...]]] = {
    "losses": (lossy.LOSSES, ()),
    "flips": (Faults(flip=0.1), ()),
    "double": (Faults(), (("double", 0),)),
}
"""What goes wrong both ways, and what the first answer meets."""
_HERE = Path(__file__).parent
_SIDES: Mapping[str, tuple[type[PeerDevice], Split, str, tuple[str, ...]]] = {
    "smpclient": (SmpDevice, by_line, "smp_peer.py", ("plain",)),
    "smpclient, reopened after errors": (SmpDevice, by_line, "smp_peer.py", ("reopen",)),
    "pymata4": (FirmataDevice, by_firmata, "firmata_peer.py", ()),
}


def contest(interpreter: Interpreter, python: Path, short: bool, seed: int) -> dict[str, Any]:
    """Have every side make the same moves through the same schedules of faults."""
    moves = 10 if short else 200
    found: dict[str, Any] = {"moves": moves, "versions": _versions(python), "schedules": {}}
    with tempfile.TemporaryDirectory() as folder:
        for schedule, (faults, answer) in SCHEDULES.items():
            place = Path(folder) / schedule
            ours = lossy.move(interpreter, place, moves=moves, seed=seed, faults=faults, answer=answer)
            sides = {"ours": ours | {"usable_after": "none" if ours["wedged"] else "all"}}
            for name in _SIDES:
                sides[name] = _side(name, python, schedule, moves, seed, place)
                print(f"{schedule}, {name}: {json.dumps(sides[name])}", flush=True)
            found["schedules"][schedule] = sides
    return found


def _side(name: str, python: Path, schedule: str, moves: int, seed: int, folder: Path) -> dict[str, Any]:
    """Run one of the others: connected without faults, moved with them, asked without them."""
    kind, split, script, how = _SIDES[name]
    faults, answer = SCHEDULES[schedule]
    device = kind()
    proxy = PtyProxy(device.end, FaultPair(Faults(), seed=seed, split=split), folder / "peer")
    command = [str(python), str(_HERE / script), str(proxy.path), str(moves), str(seed), *how]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            _hear(process, "ready")
            lossy_lines = (proxy.faults.to_device, proxy.faults.to_host)
            for line in lossy_lines:
                line.faults = faults
            proxy.faults.to_host.meet(*answer)
            begun_s = time.monotonic()
            told = _hear(process, "told")
            took_s = time.monotonic() - begun_s
            for line in lossy_lines:
                line.faults = Faults()
            time.sleep(faults.late_ms / 1000)
            after = _hear(process, "after")
        finally:
            process.kill()
            proxy.close()
            device.close()
    asked = [(by, DONE if not error else UNKNOWN) for by, error in told]
    counts = proxy.faults.counts
    return {
        "seconds": round(took_s, 1),
        "frames": counts["units"],
        "faults": {fault: counts[fault] for fault in KINDS if fault in counts},
        "errors": dict(Counter(error for _, error in told if error)),
        "usable_after": {len(after): "all", 0: "none"}.get(after.count(""), f"{after.count('')} of {len(after)}"),
        "wedged": int("" not in after),
    } | compare(asked, device.moves).counts()


def _hear(process: subprocess.Popen[str], what: str) -> Any:
    """Let it go on, and wait until it says something."""
    assert process.stdin is not None
    assert process.stdout is not None
    if what != "ready":
        process.stdin.write("\n")
        process.stdin.flush()
    line = process.stdout.readline()
    assert line, f"{process.args!r} ended without a word"
    return json.loads(line)[what]


def _versions(python: Path) -> dict[str, str]:
    names = ("smpclient", "smp", "pymata4")
    script = f"import importlib.metadata, json; print(json.dumps(list(map(importlib.metadata.version, {names}))))"
    told = subprocess.run([str(python), "-c", script], capture_output=True, check=True).stdout
    return dict(zip(names, json.loads(told), strict=True))
