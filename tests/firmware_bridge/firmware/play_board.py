"""A scene for a port over a fake of `machine`, told line by line: every interpreter is to tell the same.

Runs in MicroPython, too; there `sys.argv` says which chip.
"""

import sys

import machine

from firmware_bridge.firmware.main import board
from firmware_bridge.wire.cbor import encode

PINS = {"rp2": (26, 16), "esp32": (34, 25)}  # that measure; for a lamp


def config(chip):
    measures, lamp = PINS[chip]
    wanted = {
        "v": 1,
        "buses": {"i2c0": {"kind": "i2c", "sda": 4, "scl": 5}, "wire": {"kind": "onewire", "pin": 22}},
        "sensors": {
            "light": {"driver": "veml7700", "bus": "i2c0"},
            "cold": {"driver": "ds18b20", "bus": "wire"},
            "door": {"kind": "digital", "pin": 21, "invert": True, "pull": 1},
            "voltage": {"kind": "analog", "pin": measures, "unit": "V", "scale": 3.3},
        },
        "outputs": {
            "heater": {"kind": "pwm", "pin": 15, "hz": 500},
            "fan": {"kind": "pwm", "pin": 14, "hz": 500, "invert": True, "safe": 1},
            "lamp": {"kind": "colour", "driver": "ws2812", "pin": lamp, "count": 3, "safe": [1, 2, 3]},
            "valve": {"kind": "digital", "pin": 17, "invert": True},
        },
        "axes": {
            "x": {
                "step": 2, "dir": 0, "enable": 13, "um_per_step": 1, "speed": 1000, "acceleration": 1000, "least": 0,
                "most": 100, "home": {"pin": 12, "to": -1, "at": 0},
            },
            "y": {
                "step": 18, "dir": 19, "enable": 13, "invert": True, "um_per_step": 1, "speed": 1000,
                "acceleration": 1000, "least": 0, "most": 100,
            },
        },
        "watchdog_ms": 8000,
    }  # fmt: skip
    if chip == "esp32":
        wanted["outputs"]["valve"]["safe"] = 0
        wanted["outputs"]["laser"] = {"kind": "analog", "pin": 26, "safe": 0.2}
    return wanted


class Counter:
    now_us = 0

    def __call__(self):
        return self.now_us


def move(tell, axes, counter):
    axis = axes["x"]
    tell(f"{axis.at_switch()} {axis.entry['homes']} {axes['y'].entry['homes']}")
    for one in ("x", "y"):
        axes[one].enable(True)
    for direction in (1, 1, -1):
        for one in ("x", "y"):
            axes[one].pulse(direction)
    for one in ("x", "y"):
        axes[one].enable(False)
    if axis.ahead_us:
        for wait in (1000, 1000, 5):
            axis.queue(1, wait)
            counter.now_us += 1500
        tell(str(axis._machine.words))


def play(tell, chip):
    counter = Counter()
    port = board(counter)
    tell(f"{bytes(port.unique)} {port.watched}")
    port.check({})
    wanted = config(chip)
    port.check(wanted)
    parts = port.build(wanted)
    machine.ADC.VOLTS[PINS[chip][0]] = 1.65
    for name in ("door", "voltage", "cold", "light"):
        sensor = parts.sensors[name]
        try:
            told = str(round(sensor.read(), 2))
        except OSError as error:
            told = str(error).split(" (")[0]  # each interpreter has its own words for errno
        tell(f"{name} {told} {sensor.entry['unit']}")
    for name, value in (("heater", 0.5), ("fan", 0.25), ("lamp", [9, 8, 7]), ("valve", 1), ("laser", 1)):
        if name in parts.outputs:
            parts.outputs[name].write(value)
            tell(f"{name} {sorted(parts.outputs[name].entry.items())}")
    move(tell, parts.axes, counter)
    port.feed()
    port.watch_for(8000)
    port.watch_for(5000)
    port.feed()
    for line in machine.LOG:
        tell(str(line))
    machine.LOG.clear()
    parts.close()
    tell(f"{port.watched} {port.buffer_bytes}")
    for line in sorted([str(line) for line in machine.LOG]):
        tell(line)
    tell(str(len(encode({"pins": list(machine.PINS)}))))


if __name__ == "__main__":
    play(print, sys.argv[1])
