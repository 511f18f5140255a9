"""Rounds in which one side goes away: a restart, a killed or busy host, a pulled plug, another process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from firmware_bridge.bridge import open_bridge
from firmware_bridge.error import BridgeError, NoProtocol, PortBusy, Restarted

from .ledger import DONE, compare
from .lossy import attempt, works
from .rig import ROOT, Interpreter, Rig

__all__ = ["LEASE_S", "SLACK_S", "busy", "killed", "replug", "restart", "second", "versions"]

LEASE_S = 1.0
SLACK_S = 0.05
_HOST = Path(__file__).with_name("host.py")


def restart(interpreter: Interpreter, folder: Path, *, times: int, seed: int) -> dict[str, Any]:
    """Cut the microcontroller's power in the middle of a move, again and again; see when the caller hears of it."""
    noticed_s, unnoticed, known = [], 0, 0
    with Rig(interpreter, folder, seed=seed) as rig, open_bridge(rig.port, allow=("slow",)) as bridge:
        axis = bridge.axis("slow")
        for turn in range(times):
            axis.home().wait()
            job = axis.move_by_um(500)
            time.sleep(0.05 + 0.01 * turn)
            assert job.state == "running"
            boots = _boots(rig)
            rig.served.restart()
            rig.wait(lambda boots=boots: _boots(rig) > boots)
            back_s = time.monotonic()
            try:
                unnoticed += job.state != ""  # one look, one round trip
            except Restarted:
                noticed_s.append(time.monotonic() - back_s)
            known += axis.position_um is not None
        usable = works(bridge)
        round_trip_s = bridge.statistics.round_trip_s or 0.0
    return {
        "restarts": times,
        "unnoticed": unnoticed,
        "positions_still_known": known,
        "noticed_s_most": round(max(noticed_s, default=0.0), 4),
        "round_trip_s": round(round_trip_s, 4),
        "wedged": int(not usable),
    }


def killed(
    interpreter: Interpreter, folder: Path, *, times: int, seed: int, how: int = signal.SIGKILL
) -> dict[str, Any]:
    """Kill (or stop) a process that holds outputs on and an axis moving; see when all is safe."""
    unsafe_s, never, moving, late, waited_us = [], 0, 0, 0, 0
    for turn in range(times):
        with Rig(interpreter, folder / str(turn), seed=seed + turn) as rig:
            with _host(rig.port, "hold") as host:
                time.sleep(0.1 + 0.05 * turn)
                host.send_signal(how)
                dead_us = time.time_ns() // 1000
                with contextlib.suppress(AssertionError):
                    rig.wait(lambda rig=rig: rig.sets("heater")[-1] == 0, 2 * LEASE_S)
                host.kill()
            heater = [event for event in rig.events() if event.get("set") == "heater"]
            if heater[-1]["value"] == 0:
                unsafe_s.append((heater[-1]["us"] - dead_us) / 1e6)
                late += unsafe_s[-1] - heater[-1]["waited_us"] / 1e6 > LEASE_S + SLACK_S
                waited_us = max(waited_us, heater[-1]["waited_us"])
            else:
                never += 1
            try:
                rig.wait(lambda rig=rig: rig.moves("slow"))  # written down once it rests
            except AssertionError:
                moving += 1
    most_s = max(unsafe_s, default=0.0)
    return {
        "times": times,
        "never_safe": never,
        "too_late": late,
        "still_moving": moving,
        "unsafe_s_most": round(most_s, 3),
        "device_waited_ms_most": round(waited_us / 1000),
    }


def busy(interpreter: Interpreter, folder: Path, *, seconds: float, seed: int) -> dict[str, Any]:
    """Keep this process as busy as it can be while it sets and moves; see that nothing else happens."""
    sets: list[tuple[float, str]] = []
    moves: list[tuple[float, str]] = []
    over = threading.Event()
    loads = [threading.Thread(target=_burn, args=(over,), daemon=True) for _ in range(4)]
    with Rig(interpreter, folder, seed=seed) as rig, open_bridge(rig.port, allow=("x", "lamp")) as bridge:
        axis, lamp = bridge.axis("x"), bridge.output("lamp")
        axis.home().wait()
        for load in loads:
            load.start()
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            value, by = (len(sets) + 1) / (1 << 20), len(moves) + 1
            sets.append((value, attempt(lambda value=value: lamp.set(value))))
            moves.append((by, attempt(lambda by=by: axis.move_by_um(by).wait())))
        over.set()
        for load in loads:
            load.join()
        usable = works(bridge)
        position_um = axis.position_um
        rig.wait(lambda: sum(rig.moves("x")) == position_um)
        ran_sets = [value for value in rig.sets("lamp") if value != 0]
        ran_moves = rig.moves("x")
    wrong = compare(sets, ran_sets).wrong + compare(moves, ran_moves).wrong
    done = sum(told == DONE for _, told in sets + moves)
    return {"asked": len(sets) + len(moves), "done": done, "wrong": wrong, "wedged": int(not usable)}


def replug(interpreter: Interpreter, folder: Path, *, times: int, seed: int, gone_s: float = 0.3) -> dict[str, Any]:
    """Pull the plug and put it back in as another tty; see how long until the bridge is used again."""
    back_s, same, wedged = [], 0, 0
    with Rig(interpreter, folder, seed=seed) as rig, open_bridge(rig.port, allow=("lamp",)) as bridge:
        for _ in range(times):
            before = rig.proxy.path.readlink()
            rig.proxy.unplug()
            time.sleep(gone_s)
            rig.proxy.plug()
            plugged_s = time.monotonic()
            same += rig.proxy.path.readlink() == before
            while time.monotonic() < plugged_s + 10:
                with contextlib.suppress(BridgeError):
                    bridge.output("lamp").set(0.5)
                    break
            else:
                wedged += 1
            back_s.append(time.monotonic() - plugged_s)
    return {"times": times, "same_tty": same, "wedged": wedged, "back_s_most": round(max(back_s), 3)}


def second(interpreter: Interpreter, folder: Path, *, seed: int) -> dict[str, Any]:
    """Open the port, and the session through another one, while a process has it; see that both are told."""
    told = {}
    with Rig(interpreter, folder, seed=seed) as rig, _host(rig.port, "hold"):
        try:
            open_bridge(rig.port).close()
            told["port"] = "opened"
        except PortBusy as error:
            told["port"] = str(error)
        rig.wait(lambda: rig.sets("heater")[-1] != 0)
        held = rig.sets("heater")[-1] != 0
    return {"told": told, "refused": int(told["port"] != "opened"), "first_goes_on": int(held)}


def versions(interpreter: Interpreter, folder: Path) -> dict[str, Any]:
    """Meet firmware that speaks older and newer protocols; see that it is agreed or refused."""
    found = {}
    for least, most in ((0, 0), (0, 1), (1, 1), (1, 7), (2, 7)):
        with Rig(interpreter, folder / f"{least}-{most}", pv_least=least, pv_most=most) as rig:
            try:
                with open_bridge(rig.port) as bridge:
                    found[f"{least} to {most}"] = "agreed" if works(bridge) else "misread"
            except NoProtocol:
                found[f"{least} to {most}"] = "refused"
    wanted = {"0 to 0": "refused", "0 to 1": "agreed", "1 to 1": "agreed", "1 to 7": "agreed", "2 to 7": "refused"}
    return {"told": found, "misread": sum(found[name] != word for name, word in wanted.items())}


@contextlib.contextmanager
def _host(port: str, what: str) -> Any:
    """Start a host process; it is at work once it says so."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, str(_HOST), port, what], stdout=subprocess.PIPE, text=True, env=environment
    ) as host:
        try:
            assert host.stdout is not None
            assert host.stdout.readline() == "at work\n"
            yield host
        finally:
            host.kill()


def _boots(rig: Rig) -> int:
    return sum("boot" in event for event in rig.events())


def _burn(over: threading.Event) -> None:
    while not over.is_set():
        sum(range(20_000))
