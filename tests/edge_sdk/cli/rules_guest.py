"""Runs inside the small Linux, as root: rules and commands on a simulated GPIO chip and I2C bus of the kernel's own.

Prints one line of JSON; test_run_in_the_lab.py starts it and reads that.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "firmware_bridge/pins"))

from pins_guest import CONFIG, levels, make, wait_for

RULES = """
pins = "pins.json"
[allow]
outputs = ["heater", "pump"]
[rule.warm]
when = { sensor = "temperature", above = 20 }
set = { heater = 1, pump = { value = 1, for_s = 1.0 } }
"""


def edge(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "edge_sdk", *map(str, arguments)]


def ended(*arguments: object) -> list[Any]:
    done = subprocess.run(edge(*arguments), capture_output=True, text=True, check=False)
    return [done.returncode, done.stdout, done.stderr]


def acting(rules: Path, pins: Path) -> dict[str, Any]:
    """Have rules act until SIGTERM; see the lines and read a sensor meanwhile."""
    report: dict[str, Any] = {}
    with subprocess.Popen(edge("run", rules, "--act", "--json"), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        while json.loads(running.stdout.readline())["kind"] != "action":
            pass
        wait_for(lambda: levels()["heater"] == 1)
        report["read"] = ended("bridge", "read", "temperature", "--pins", pins)
        report["busy"] = ended("bridge", "set", "heater", "off", "--pins", pins)
        wait_for(lambda: levels()["pump"] == 1)  # its level is inverted: its time is over
        report["set"] = levels()
        running.send_signal(signal.SIGTERM)
        report["told"] = [json.loads(line) for line in running.stdout]
    return report | {"status": running.returncode}


def main() -> None:
    os.environ["EDGE_BOARD"] = "rpi-5"
    make()
    with tempfile.TemporaryDirectory() as folder:
        rules, pins = Path(folder) / "rules.toml", Path(folder) / "pins.json"
        rules.write_text(RULES)
        pins.write_text(json.dumps(CONFIG))
        before = levels()
        report = {"dry": ended("run", rules, "--for", "500ms"), "untouched": [before, levels()]}
        report["acting"] = acting(rules, pins)
        report["one"] = ended("bridge", "set", "heater", "on", "--for", "300ms", "--pins", pins)
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
