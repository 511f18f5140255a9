"""Runs inside the small Linux, as root: ``edge bridge`` on a real USB serial port, with MicroPython behind it.

Arguments: MicroPython's Unix port. Prints one line of JSON; test_cable.py reads that.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))
sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "tests/firmware_bridge"))
sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "benchmarks"))

from fault.rig import ROOT, Interpreter, Rig
from usb_guest import BY_ID, PATIENCE_S, make_gadget, plug, relay, unplug


def edge(*arguments: str) -> dict[str, Any]:
    """Run a command; give its status and what it said."""
    command = [sys.executable, "-m", "edge_sdk", "bridge", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return {"status": done.returncode, "out": done.stdout, "err": done.stderr}


def until(good: Callable[[dict[str, Any]], bool], run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run a command again while what it says is that it was too slow, as all is on a busy machine; give the last."""
    end_s = time.monotonic() + PATIENCE_S
    while not good(told := run()) and time.monotonic() < end_s:
        continue
    return told


def passed(*arguments: str) -> dict[str, Any]:
    """Run a command until it passes."""
    return until(lambda told: told["status"] == 0, lambda: edge(*arguments))


def answered(told: dict[str, Any]) -> bool:
    """Say whether something on a port answered the question who is there."""
    return told["status"] == 0 and json.loads(told["out"])[0]["answers"]["kind"] != "nothing"


def held() -> dict[str, Any]:
    """See what is said of a port while a program has it, and end that program."""
    command = [sys.executable, "-u", "-m", "edge_sdk", "bridge", "set", "lamp", "on", "--hold"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as holding:
        assert holding.stdout is not None
        first = holding.stdout.readline()
        told = {"pid": holding.pid, "list": edge("list", "--json"), "info": edge("info"), "stop": edge("stop")}
        holding.send_signal(signal.SIGINT)
        return {**told, "said": first + holding.communicate()[0], "status": holding.returncode}


def main() -> None:
    os.environ.update(HOME=tempfile.gettempdir())
    make_gadget()
    with tempfile.TemporaryDirectory() as folder, Rig(Interpreter("unix", sys.argv[1]), Path(folder) / "rig") as rig:
        report = {"empty": edge("list")}
        over = threading.Event()
        relaying = threading.Thread(target=relay, args=(rig.port, over))
        node = plug()
        relaying.start()
        try:
            report |= {
                "name": str(BY_ID),
                "node": node,
                "list": until(answered, lambda: edge("list", "--probe", "--json")),
                "info": passed("info", "--json"),
                "selftest": passed("selftest", "--output", "lamp"),
                "held": until(lambda told: told["status"] == 130, held),
                "sets": rig.sets("lamp"),
                "move": passed("move", "x", "-40", "--home", "--port", node),
            }
            unplug()
            report["gone"] = edge("info")
        finally:
            over.set()
            relaying.join()
    print(json.dumps(report))


if __name__ == "__main__":
    main()
