"""The firmware's server in MicroPython, over hardware that writes down all that it is told, a line of JSON each.

Arguments: NAME=VALUE each. `start_us`: where its clock begins; `ppm`: how much too fast it runs; `memory_ms`: how
often the memory in use is written down, 0 for never; `pv_least`, `pv_most`: the protocols that it speaks.
"""

import gc
import json
import sys
import time
from binascii import hexlify
from hashlib import sha256

import port
from again import again

from firmware_bridge.firmware import slot
from firmware_bridge.firmware.files import Files
from firmware_bridge.firmware.hardware import Hardware, Parts, Sensor
from firmware_bridge.firmware.loop import step
from firmware_bridge.firmware.server import Server
from firmware_bridge.wire import number

OPTIONS = {"start_us": 0, "ppm": 0, "memory_ms": 0, "pv_least": number.PROTOCOL[0], "pv_most": number.PROTOCOL[1]}
for argument in sys.argv[1:]:
    name, _, value = argument.partition("=")
    OPTIONS[name] = int(value)
number.PROTOCOL = (OPTIONS["pv_least"], OPTIONS["pv_most"])

LOOK_US = 20000
RESTED = 10  # looks


def now_us():
    """Give this machine's time, which its other programs have too."""
    return time.time_ns() // 1000


BEGUN_US = now_us()


def note(**what):
    """Write down what happened, and when."""
    what["us"] = now_us()
    print(json.dumps(what))


class Counter:
    """The microcontroller's clock, which remembers when it was looked at."""

    def __init__(self):
        self.passed_us = 0

    def __call__(self):
        self.passed_us = passed = now_us() - BEGUN_US
        return (OPTIONS["start_us"] + passed + passed * OPTIONS["ppm"] // 1000000) & 0xFFFFFFFF


COUNTER = Counter()
STEPPED = [BEGUN_US]  # when the last step ended: this program may wait for a processor, as no microcontroller does


class Output:
    """An output that writes down every value it is set to."""

    def __init__(self, name):
        self.name = name
        self.entry = {"unit": "", "least": 0, "most": 1, "safe": 0, "kind": "pwm", "lease_ms": 5000}
        self.value = None

    def write(self, value):
        if value or value != self.value:
            note(set=self.name, value=value, waited_us=now_us() - STEPPED[0])
        self.value = value


class Count(Sensor):
    """A sensor that counts how often it was read: each value comes once."""

    def __init__(self):
        self.entry = {"unit": "", "least": 0, "most": 1 << 30, "period_us": 1000}
        self.value = 0

    def read(self):
        self.value += 1
        return self.value


class Passed(Sensor):
    """A sensor whose value is when the microcontroller's clock was looked at last, in microseconds of this machine."""

    def __init__(self):
        self.entry = {"unit": "us", "least": 0, "most": 1 << 60, "period_us": 1000}

    def read(self):
        return COUNTER.passed_us


class Axis:
    """A motor that counts its pulses, and writes down how many there were when a job begins, and when it has rested."""

    burst = 64

    def __init__(self, name, speed):
        self.name = name
        self.pulses = self.noted = self.seen = self.rested = 0
        self.entry = {
            "unit": "um", "least": -1000000, "most": 1000000, "step": 1, "um_per_step": 1, "speed": speed,
            "acceleration": 1000 * speed, "homes": True, "backlash": 0,
        }  # fmt: skip

    def enable(self, on):
        self._note(on)

    def pulse(self, direction):
        self.pulses += direction

    def at_switch(self):
        return False

    def look(self):
        """Write down where it rests, once it has for so long that it is no pause within a move."""
        self.rested = self.rested + 1 if self.pulses == self.seen else 0
        self.seen = self.pulses
        if self.rested > RESTED and self.pulses != self.noted:
            self._note(True)

    def _note(self, on):
        note(axis=self.name, on=on, pulses=self.pulses)
        self.noted = self.pulses


class Recording(Hardware):
    """A board whose parts write down what they are told."""

    board = "recording"
    unique = b"recording"
    readings = 1024

    def __init__(self):
        self.axes = [Axis("x", 20000), Axis("slow", 100)]
        self.parts = Parts(
            {"count": Count(), "passed": Passed()},
            {name: Output(name) for name in ("heater", "lamp")},
            {axis.name: axis for axis in self.axes},
        )

    def check(self, config):
        pass

    def build(self, config):
        return self.parts

    def restart(self):
        note(restart=True)


class Device:
    """The microcontroller: started anew whenever it wants to be."""

    def __init__(self):
        self.looked_us = self.told_us = BEGUN_US
        self.collected = False
        self.start()

    def start(self):
        """Boot as a boot loader does, and write down what."""
        files = Files(".")
        runs, trial = slot.boot(files)
        sha = ""
        if runs:
            with open("." + slot.path(runs), "rb") as file:  # noqa: PTH123
                sha = hexlify(sha256(file.read()).digest()).decode()
        boot = now_us() & 0xFFFFFFFF  # another one at every start
        self.hardware = Recording()
        self.server = Server(self.hardware, files, COUNTER, boot, runs, trial)
        note(boot=boot, begun_us=BEGUN_US, slot=runs, trial=trial, sha=sha)

    def step(self):
        """Serve for a moment."""
        if self.collected:
            self.collected = False
            note(memory=gc.mem_alloc())
        step(self.server, port, time.sleep)
        STEPPED[0] = now_us()
        if self.server.restart_wanted:
            self.server.close()
            self.start()
        now = now_us()
        if now - self.looked_us > LOOK_US:
            self.looked_us = now
            for axis in self.hardware.axes:
                axis.look()
        if OPTIONS["memory_ms"] and now - self.told_us > OPTIONS["memory_ms"] * 1000:
            self.told_us = now
            gc.collect()  # which under node is done when this call has ended
            self.collected = True


again(Device().step)
