"""Show what an echo through the bridge costs beside a bare pyserial echo of the same bytes over a pty, in turns.

    python benchmarks/bridge_echo.py --json OUT [--echoes 2000] [--short]

Both sides talk over a pty of their own to the same kind of far end, a process that answers echoes with bytes that were
made before anything is timed: the bare one with what came, the bridge's with what the firmware would have answered. So
the far end costs the same on both sides, and what is measured is the host's own: `Bridge.echo` on an open bridge, with
its lease renewed meanwhile (the firmware's server answers whatever is no echo), beside `write` and `read`.
JSON: `{"bare_us", "bridge_us", "ratio": {"of_medians", "median", "p25", "p75"}, "echoes", "frame_bytes"}`.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import select
import statistics
import subprocess
import sys
import time
import tty
from pathlib import Path
from typing import Any

import serial

from firmware_bridge import open_bridge
from firmware_bridge.simulation.address import open_device
from firmware_bridge.wire.line import lines
from firmware_bridge.wire.message import WRITE, WRITE_ANSWER, Message, encode_message
from firmware_bridge.wire.number import ECHO, OS

TEXT = "0123456789abcdef0123456789ab"  # a frame of 63 bytes


def far_end() -> None:
    """Answer what comes from standard input's pty, until it is closed."""
    descriptor = 0
    bare = sys.argv[2] == "bare"
    answers = {} if bare else _answers()
    device = open_device("sim://incubator", time.monotonic)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while True:
        try:
            poll.poll()
            asked = os.read(descriptor, 4096)
            answer = asked if bare else answers.get(asked)
            if answer is None:
                device.put(asked)
                answer = device.step()
            os.write(descriptor, answer)
        except OSError:
            device.close()
            return


def _answers() -> dict[bytes, bytes]:
    """Give every frame that may be asked, with its answer."""
    asked = [Message(WRITE, OS, ECHO, sequence, {"d": TEXT}) for sequence in range(256)]
    told = [Message(WRITE_ANSWER, OS, ECHO, sequence, {"r": TEXT}) for sequence in range(256)]
    return {lines(encode_message(ask)): lines(encode_message(answer)) for ask, answer in zip(asked, told, strict=True)}


def start(kind: str) -> tuple[str, subprocess.Popen[bytes], int]:
    """Start a far end, and give the path of its pty."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    path = os.ttyname(theirs)
    process = subprocess.Popen([sys.executable, __file__, "--far-end", kind], stdin=ours)
    os.close(ours)
    return path, process, theirs


def measure(echoes: int) -> dict[str, Any]:
    """Time both sides; who goes first changes from echo to echo."""
    bare_path, bare_process, bare_held = start("bare")
    bridge_path, bridge_process, bridge_held = start("bridge")
    frame = lines(encode_message(Message(WRITE, OS, ECHO, 1, {"d": TEXT})))
    line = serial.Serial(bare_path, 115200, timeout=1, exclusive=True)
    opened = open_bridge(bridge_path)

    def bare() -> None:
        line.write(frame)
        if line.read(len(frame)) != frame:
            raise SystemExit("the bare echo was damaged")

    def bridge() -> None:
        opened.echo(TEXT)  # which checks it

    took: dict[str, list[float]] = {"bare": [], "bridge": []}
    sides = [("bare", bare), ("bridge", bridge)]
    for number in range(-100, echoes):
        for name, side in sides if number % 2 else reversed(sides):
            begin = time.perf_counter()
            side()
            if number >= 0:
                took[name].append((time.perf_counter() - begin) * 1e6)
    counted = opened.statistics
    opened.close()
    line.close()
    for held, process in ((bare_held, bare_process), (bridge_held, bridge_process)):
        os.close(held)
        process.wait(timeout=10)
    return _compared(took) | {"echoes": echoes, "frame_bytes": len(frame), "retransmits": counted.retransmits}


def _compared(took: dict[str, list[float]]) -> dict[str, Any]:
    low, middle, high = statistics.quantiles([b / a for a, b in zip(took["bare"], took["bridge"], strict=True)], n=4)
    bare_us, bridge_us = statistics.median(took["bare"]), statistics.median(took["bridge"])
    return {
        "bare_us": round(bare_us, 1),
        "bridge_us": round(bridge_us, 1),
        "ratio": {
            "of_medians": round(bridge_us / bare_us, 3),
            "median": round(middle, 3),
            "p25": round(low, 3),
            "p75": round(high, 3),
        },
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--echoes", type=int, default=2000)
    parser.add_argument("--short", action="store_true", help="100 echoes, to see that it runs")
    options = parser.parse_args()
    result = measure(100 if options.short else options.echoes)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--far-end"]:
        far_end()
    else:
        main()
