"""Runs inside the small Linux, as root: a board's pins on the kernel's own simulated GPIO chip and I2C bus.

Prints one line of JSON; test_in_the_lab.py starts it and reads that.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "driver"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "edge_sdk/sources"))

from device import bme280
from vivid_guest import load

from boards.errors import EdgeError
from boards.gpio import line_user
from firmware_bridge.pins import Pins, open_pins
from firmware_bridge.pins.smbus import I2C

CHIP = Path("/sys/kernel/config/gpio-sim/header")
VICTIM = Path(__file__).with_name("victim.py")
# Of a Raspberry Pi 5's header: 11 is line 17, 13 is 27, 15 is 22.
CONFIG: dict[str, Any] = {
    "v": 1,
    "name": "lab",
    "buses": {"i2c": {"kind": "i2c", "device": "/dev/i2c-0"}},
    "sensors": {
        "door": {"kind": "digital", "pin": 15, "edges": True},
        "switch": {"kind": "digital", "chip": "pinctrl-rp1", "line": 5, "invert": True, "pull": 1},
        **{
            value: {"driver": "bme280", "bus": "i2c", "address": 0x76, "value": value}
            for value in ("temperature", "pressure", "humidity")
        },
    },
    "outputs": {
        "heater": {"kind": "digital", "pin": 11},
        "fan": {"kind": "digital", "pin": 13, "safe": 1},
        "pump": {"kind": "digital", "chip": "pinctrl-rp1", "line": 6, "invert": True, "lease_ms": 300},
    },
}
LINES = {"heater": 17, "fan": 27, "pump": 6, "door": 22, "switch": 5}


def wait_for(there: Any, most_s: float = 20) -> None:
    deadline_s = time.monotonic() + most_s
    while not there():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def simulated(name: str) -> Path:
    """Give the folder where the kernel shows a simulated line."""
    (found,) = Path("/sys/devices/platform").glob(f"gpio-sim.*/gpiochip*/sim_gpio{LINES[name]}")
    return found


def levels() -> dict[str, int]:
    return {name: int((simulated(name) / "value").read_text()) for name in ("heater", "fan", "pump")}


def make() -> None:
    (CHIP / "bank0").mkdir(parents=True)
    (CHIP / "bank0/num_lines").write_text("54")
    (CHIP / "bank0/label").write_text("pinctrl-rp1")
    (CHIP / "live").write_text("1")
    wait_for(Path("/dev/gpiochip0").exists)
    load("i2c-stub", "chip_addr=0x76")
    wait_for(Path("/dev/i2c-0").exists)
    bus = I2C("i2c", "/dev/i2c-0")
    for register, byte in bme280().registers.items():
        bus.writeto_mem(0x76, register, bytes((byte,)))
    bus.close()


def told(call: Any) -> list[str]:
    try:
        call()
    except EdgeError as error:
        return [type(error).__name__, error.what, str(error.why), str(error.fix)]
    return []


def use(pins: Pins) -> dict[str, Any]:
    report: dict[str, Any] = {"claimed": levels()}
    for name, value in (("heater", 1), ("fan", 0), ("pump", 1)):
        pins.output(name).set(value)
    report["set"] = levels()
    report["refused"] = told(lambda: pins.output("heater").set(2))
    time.sleep(0.4)
    report["kept"] = levels()  # a lease of 300 ms, renewed meanwhile
    report["values"] = {name: pins.output(name).value for name in ("heater", "fan", "pump")}
    pins.output("heater").set(1, for_s=0.1)
    wait_for(lambda: levels()["heater"] == 0, 2)
    report["after"] = levels()
    reads = [pins.sensor(name).read() for name in ("temperature", "pressure", "humidity")]
    report["read"] = {reading.name: [reading.value, reading.unit] for reading in reads}
    report["late_s"] = [time.monotonic() - reads[0].time_s, reads[0].uncertainty_s]
    report["streamed"] = [
        reading.value for reading, _ in zip(pins.sensor("temperature").stream(0.1), range(3), strict=False)
    ]
    report["switch"] = [pins.sensor("switch").read().value]
    (simulated("switch") / "pull").write_text("pull-down")
    report["switch"].append(pins.sensor("switch").read().value)
    second = subprocess.run([sys.executable, str(VICTIM), "none"], stdout=subprocess.PIPE, text=True, check=False)
    report["second"] = [os.getpid(), second.returncode, *json.loads(second.stdout)]
    report["unknown"] = told(lambda: pins.sensor("wind"))
    return report


def edges(pins: Pins) -> dict[str, Any]:
    pushed_s: list[float] = []

    def push() -> None:
        for turn in range(20):
            time.sleep(0.03)
            pushed_s.append(time.monotonic())
            (simulated("door") / "pull").write_text("pull-down" if turn % 2 else "pull-up")

    pusher = threading.Thread(target=push)
    pusher.start()
    seen = list(pins.edges("door", timeout_s=0.5))
    pusher.join()
    earliest_s = [edge.time_s - edge.uncertainty_s for edge in seen]
    latest_s = [edge.time_s + edge.uncertainty_s for edge in seen]
    return {
        "levels": [edge.value for edge in seen],
        "before_push_s": max(push_s - edge_s for push_s, edge_s in zip(pushed_s, latest_s, strict=True)),
        "after_next_s": max(edge_s - push_s for push_s, edge_s in zip(pushed_s[1:], earliest_s, strict=False)),
        "missed": sum(edge.missed for edge in seen),
    }


def end(how: str) -> dict[str, Any]:
    """Have a process with outputs end in some way; what holds its lines after it shows their last values."""
    victim = subprocess.Popen(
        [sys.executable, str(VICTIM), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert victim.stdout is not None
    assert victim.stdin is not None
    keeper = int(victim.stdout.readline())
    was = levels()
    victim.stdin.write("go on\n")
    victim.stdin.flush()
    if how == "busy":
        time.sleep(0.3)  # until it is in the library
    if how in ("term", "busy", "hup"):
        victim.send_signal(signal.SIGHUP if how == "hup" else signal.SIGTERM)
    if how == "kill":
        victim.kill()
    began_s = time.monotonic()
    safe_s = None
    while victim.poll() is None:
        if safe_s is None and levels() != was:
            safe_s = time.monotonic() - began_s
        time.sleep(0.005)
    report = {"was": was, "status": victim.returncode, "now": levels(), "safe_s": safe_s}
    report["ended_s"] = time.monotonic() - began_s
    os.kill(keeper, signal.SIGKILL)
    wait_for(lambda: all(line_user(Path("/dev/gpiochip0"), LINES[name]) is None for name in was))
    return report


def wrong() -> dict[str, Any]:
    def output(**place: Any) -> list[str]:
        return told(lambda: open_pins({"v": 1, "outputs": {"lamp": {"kind": "digital", **place}}}))

    report = {
        "chip": output(chip="pinctrl-bcm2711", line=3),
        "line": output(chip="pinctrl-rp1", line=99),
        "pin": output(pin=6),
        "pwm": told(lambda: open_pins({"v": 1, "outputs": {"lamp": {"kind": "pwm", "chip": 0, "channel": 0}}})),
        "bus": told(lambda: open_pins({"v": 1, "buses": {"a": {"kind": "i2c", "device": "/dev/i2c-7"}}})),
        "twice": told(
            lambda: open_pins(
                {
                    "v": 1,
                    "outputs": {
                        "a": {"kind": "digital", "pin": 11},
                        "b": {"kind": "digital", "chip": "pinctrl-rp1", "line": 17},
                    },
                }
            )
        ),
    }
    os.environ["EDGE_BOARD"] = "generic"
    report["header"] = output(pin=11)
    return report


def main() -> None:
    os.environ["EDGE_BOARD"] = "rpi-5"
    make()
    report: dict[str, Any] = {}
    with open_pins(CONFIG, allow=("heater", "fan", "pump")) as pins:
        report["use"] = use(pins)
        report["edges"] = edges(pins)
    report["end"] = {how: end(how) for how in ("exception", "exit", "term", "hup", "busy", "stall", "fork", "kill")}
    report["wrong"] = wrong()
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
