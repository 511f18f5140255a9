"""A server on a bench: hardware that records what is done to it, and a clock that moves when it is told to.

Runs in MicroPython, too.
"""

from firmware_bridge.firmware import config
from firmware_bridge.firmware.dictionary import encode
from firmware_bridge.firmware.files import Files
from firmware_bridge.firmware.hardware import AxisPins, Hardware, Output, Parts, Sensor
from firmware_bridge.firmware.server import Server
from firmware_bridge.wire import number
from firmware_bridge.wire.line import LineReader, lines
from firmware_bridge.wire.message import READ, WRITE, Message, decode_message, encode_message

SESSION = 0xC0FFEE01
MADE = []  # all benches, to be let go of after each test
CONFIG = {
    "v": 1,
    "name": "bench",
    "buses": {"i2c0": {"kind": "i2c", "sda": 4, "scl": 5}},
    "sensors": {
        "temperature": {"driver": "any", "bus": "i2c0", "address": 118, "value": "temperature", "period_us": 2000},
        "humidity": {"driver": "any", "bus": "i2c0", "address": 118, "value": "humidity"},
        "light": {"driver": "any", "bus": "i2c0", "address": 41},
        "door": {"kind": "digital", "pin": 22},
    },
    "outputs": {
        "heater": {"kind": "pwm", "pin": 15, "lease_ms": 5000},
        "lamp": {"kind": "colour", "driver": "ws2812", "pin": 16, "count": 8},
        "fan": {"kind": "digital", "pin": 17, "safe": 1},
        "laser": {"kind": "analog", "pin": 18, "lease_ms": 300, "most": 0.5},
    },
    "axes": {
        "x": {
            "step": 2, "dir": 3, "enable": 6, "um_per_step": 0.3125, "speed": 2000, "acceleration": 8000,
            "least": -5000, "most": 5000, "home": {"pin": 7, "to": -1, "at": -5000, "speed": 500}, "backlash": 12,
        },
        "z": {
            "step": 8, "dir": 9, "enable": 6, "um_per_step": 0.1, "speed": 100, "acceleration": 1000,
            "least": -200, "most": 200,
        },
    },
    "lease_ms": 5000,
    "watchdog_ms": 8000,
}  # fmt: skip


class RecordedSensor(Sensor):
    def __init__(self, value: float, period_us: int) -> None:
        self.entry = {"unit": "degC", "least": -40, "most": 85, "period_us": period_us, "accuracy": 0.5}
        self.value = value
        self.broken = False
        self.measured = (0, 0)

    def read(self):
        if self.broken:
            raise OSError(5)
        return self.value

    def age(self):
        return self.measured


class RecordedOutput(Output):
    def __init__(self, item) -> None:
        colour = item["kind"] == "colour"
        self.entry = {
            "unit": "",
            "least": item.get("least", 0),
            "most": item.get("most", 1),
            "safe": item.get("safe", [0, 0, 0] if colour else 0),
            "lease_ms": item.get("lease_ms", 5000),
            "kind": item["kind"],
        }
        self.written = []
        self.broken = False

    @property
    def now(self):
        return self.written[-1]

    def write(self, value) -> None:
        if self.broken:
            raise OSError(5)
        self.written.append(value)
        del self.written[:-100]


class RecordedAxis(AxisPins):
    """A motor without play of its own: where its steps have brought it, and when each was made."""

    kept = 4000

    def __init__(self, item, clock) -> None:
        self.entry = dict(item)
        self.entry.update({"unit": "um", "step": item["um_per_step"], "homes": "home" in item})
        self.steps = 1000
        self.switch_at = -16000
        self.clock = clock
        self.made_us = []
        self.enabled = False
        self.broken = False

    def enable(self, on) -> None:
        if self.broken:
            raise OSError(5)
        self.enabled = on

    def pulse(self, direction) -> None:
        if self.broken:
            raise OSError(5)
        self.steps += direction
        self.made_us.append(self.clock.now_us)
        del self.made_us[: -self.kept]

    def at_switch(self) -> bool:
        return self.steps <= self.switch_at


class RecordedHardware(Hardware):
    board = "bench"
    unique = b"\x01\x02\x03"

    def __init__(self, clock) -> None:
        self.clock = clock
        self.refuses = ""
        self.fed = 0
        self.watchdog_ms = 0
        self.parts = Parts()
        self.built = 0
        self.closed = 0

    def check(self, wanted) -> None:
        if wanted:
            config.check(wanted, range(30))

    def build(self, wanted):
        if self.refuses and self.refuses in wanted.get("sensors", {}):
            raise config.ConfigError("sensors." + self.refuses, "no answer at 0x76")
        self.built += 1
        self.parts = Parts(
            {
                name: RecordedSensor(21.5, item.get("period_us", 1000))
                for name, item in wanted.get("sensors", {}).items()
            },
            {name: RecordedOutput(item) for name, item in wanted.get("outputs", {}).items()},
            {name: RecordedAxis(item, self.clock) for name, item in wanted.get("axes", {}).items()},
        )
        return self.parts

    def feed(self) -> None:
        self.fed += 1

    def watch_for(self, ms) -> None:
        self.watchdog_ms = ms


class BenchClock:
    def __init__(self) -> None:
        self.now_us = 0


class Bench:
    """Ask a server as a board does, over whole lines."""

    def __init__(self, folder, start_us=0, wanted=CONFIG, slot="", trial=False) -> None:
        MADE.append(self)
        self.files = Files(folder)
        if wanted:
            self.files.put("/config.json", encode(wanted).encode())
        self.clock = BenchClock()
        self.clock.now_us = start_us
        self.hardware = RecordedHardware(self.clock)
        self.slot = slot
        self.trial = trial
        self.start()

    def start(self, boot=7) -> None:
        """Switch it on."""
        self.server = Server(
            self.hardware, self.files, lambda: self.clock.now_us & 0x3FFFFFFF, boot, self.slot, self.trial
        )
        self.reader = LineReader(4096)
        self.sequence = 0
        self.numbers = [0, 0]

    @property
    def parts(self):
        return self.hardware.parts

    def pass_us(self, us, step_us=1000) -> None:
        """Let time pass, with a poll in each step."""
        end_us = self.clock.now_us + us
        while self.clock.now_us < end_us:
            self.clock.now_us = min(end_us, self.clock.now_us + step_us)
            self.server.poll()

    def request(self, command, body, op=READ, group=number.EDGE) -> bytes:
        self.sequence = (self.sequence + 1) & 0xFF
        return lines(encode_message(Message(op, group, command, self.sequence, body)))

    def answers(self, data) -> list:
        return [decode_message(message) for message in self.reader.feed(self.server.receive(data))]

    def ask(self, command, body=None, op=READ, group=number.EDGE):
        """Ask, and give the body of the one answer."""
        (answer,) = self.answers(self.request(command, body or {}, op, group))
        assert (answer.op, answer.group, answer.command, answer.sequence) == (op + 1, group, command, self.sequence)
        return answer.body

    def do(self, command, body=None, n=None, s=SESSION):
        """Command something under the next number of its lane."""
        lane = 1 if command == number.LEASE else 0
        if n is None:
            self.numbers[lane] += 1
            n = self.numbers[lane]
        wanted = {"s": s, "n": n}
        wanted.update(body or {})
        return self.ask(command, wanted, WRITE)

    def open(self, ms=1000, s=SESSION):
        return self.ask(number.OPEN, {"s": s, "pv": [1, 1], "ms": ms}, WRITE)

    def rc(self, body) -> int:
        """Give the error of an answer of group 64, 0 for none."""
        error = body.get("err", {"group": number.EDGE, "rc": 0})
        assert error["group"] == number.EDGE, body
        return error["rc"]

    def finish(self, job, step_us=100, most_s=600):
        """Let time pass until a job has ended, and give what is said of it."""
        told = self.ask(number.JOB, {"job": job})
        until_us = self.clock.now_us + most_s * 1_000_000
        while told["state"] == "running" and self.clock.now_us < until_us:
            for _ in range(500):
                self.clock.now_us += step_us
                self.server.poll()
                if not self.server.machine.moving:
                    break
            self.do(number.LEASE, {"ms": 5000})
            told = self.ask(number.JOB, {"job": job})
        return told

    def home(self, axis="x"):
        return self.finish(self.do(number.HOME, {"axis": axis})["job"], step_us=650)

    def upload(self, name, data, piece=200, s=SESSION) -> int:
        """Upload a file, and give where the last answer said that the next piece starts."""
        at = 0
        while at < len(data):
            body = {"off": at, "data": data[at : at + piece], "name": name, "s": s}
            if at == 0:
                body["len"] = len(data)
            body = self.ask(number.FILE_DATA, body, WRITE, number.FILE)
            assert "off" in body, body
            at = body["off"]
            self.do(number.LEASE, {"ms": 5000})
        return at
