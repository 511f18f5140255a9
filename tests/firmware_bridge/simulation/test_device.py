from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.error import BridgeError, NoDevice, PortGone
from firmware_bridge.firmware.error import ConfigError
from firmware_bridge.simulation.address import OPTIONS, WORLDS, open_device, open_sim
from firmware_bridge.simulation.device import SimDevice
from firmware_bridge.wire import number
from firmware_bridge.wire.line import LineReader, lines
from firmware_bridge.wire.message import READ, WRITE, Message, decode_message, encode_message


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Host:
    """Asks a device on a clock of its own, one millisecond after the other."""

    def __init__(self, address: str) -> None:
        self.clock = Clock()
        self.device: SimDevice = open_device(address, self.clock)
        self.reader = LineReader(4096)
        self.sequence = 0

    def send(self, op: int, command: int, **body: Any) -> None:
        self.sequence += 1
        self.device.put(lines(encode_message(Message(op, number.EDGE, command, self.sequence, body))))

    def run(self, ms: int) -> list[dict[str, Any]]:
        answers = []
        for _ in range(ms):
            self.clock.now_s += 0.001
            answers += [decode_message(message).body for message in self.reader.feed(self.device.step())]
        return answers

    def ask(self, op: int, command: int, **body: Any) -> dict[str, Any]:
        self.send(op, command, **body)
        (answer,) = self.run(5)
        return answer


@pytest.fixture
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    made = Host(getattr(request, "param", "sim://"))
    yield made
    made.device.close()


def test_sim_alone_is_the_incubator() -> None:
    device = open_device("sim://", Clock())
    assert device.world.name == "incubator"
    device.close()


@pytest.mark.parametrize("name", WORLDS)
def test_the_real_server_answers_for_every_world(name: str) -> None:
    host = Host(f"sim://{name}")
    hello = host.ask(READ, number.HELLO)
    assert (hello["board"], hello["state"]) == ("simulation", "idle")
    host.device.close()


def test_the_heater_warms_by_the_clock_that_was_given(host: Host) -> None:
    assert "err" not in host.ask(WRITE, number.OPEN, s=1, pv=1, ms=5000)
    cold_c = host.ask(READ, number.READ_VALUE, name="temperature")["value"]
    host.ask(WRITE, number.SET, s=1, n=1, name="heater", value=1)
    for n in range(1, 41):
        assert host.ask(WRITE, number.LEASE, s=1, n=n, ms=5000)["state"] == "live"
        host.clock.now_s += 4.9
    assert host.ask(READ, number.READ_VALUE, name="temperature")["value"] > cold_c + 2


def test_without_a_renewed_lease_the_heater_goes_off(host: Host) -> None:
    host.ask(WRITE, number.OPEN, s=1, pv=1, ms=500)
    host.ask(WRITE, number.SET, s=1, n=1, name="heater", value=1)
    host.run(470)
    assert host.ask(READ, number.READ_VALUE, name="heater")["value"] == 1
    host.run(30)
    assert host.ask(READ, number.READ_VALUE, name="heater")["value"] == 0


@pytest.mark.parametrize("host", ["sim://stage?seed=5"], indirect=True)
def test_a_stage_is_homed_by_its_switch_and_moves_to_where_it_is_sent(host: Host) -> None:
    host.ask(WRITE, number.OPEN, s=1, pv=1, ms=5000)
    axis = host.device.world.axes["z"]  # type: ignore[attr-defined]
    todo = [(number.HOME, {}, -500), (number.MOVE, {"to": 40}, 40), (number.MOVE, {"by": -60}, -20)]
    for n, (command, body, at_um) in enumerate(todo, 1):
        job = host.ask(WRITE, command, s=1, n=n, axis="z", **body)["job"]
        told = {"state": "running"}
        for renewal in range(100 * n, 100 * n + 60):
            host.ask(WRITE, number.LEASE, s=1, n=renewal, ms=5000)
            host.run(100)
            told = host.ask(READ, number.JOB, job=job)
            if told["state"] != "running":
                break
        assert (told["state"], told["at"]) == ("done", at_um)
    assert axis.slide_um == pytest.approx(-20, abs=2)  # the server takes the play out, but for what it cannot see
    assert axis.lost_pulses == 0


@pytest.mark.parametrize("host", ["sim://?restart_after_s=0.05"], indirect=True)
def test_a_restart_is_another_boot_and_makes_all_safe(host: Host) -> None:
    boot = host.ask(READ, number.HELLO)["boot"]
    host.ask(WRITE, number.OPEN, s=1, pv=1, ms=5000)
    host.ask(WRITE, number.SET, s=1, n=1, name="heater", value=1)
    host.send(READ, number.HELLO)
    host.run(40)
    assert host.run(290) == []
    host.run(100)
    assert host.ask(READ, number.HELLO)["boot"] != boot
    assert host.ask(READ, number.READ_VALUE, name="heater")["value"] == 0
    assert host.reader.noise_bytes > 0  # what a microcontroller says when it starts


@pytest.mark.parametrize("host", ["sim://?ppm=200"], indirect=True)
def test_its_clock_runs_as_wrong_as_asked(host: Host) -> None:
    first = host.ask(READ, number.CLOCK)["t"]
    host.clock.now_s += 100
    host.device.step()
    assert host.ask(READ, number.CLOCK)["t"] - first == pytest.approx(100.005e6 * 1.0002, abs=10)


@pytest.mark.parametrize("host", ["sim://?drop=0.5&seed=2"], indirect=True)
def test_faults_of_the_line_are_put_in_and_counted(host: Host) -> None:
    for _ in range(40):
        host.send(READ, number.CLOCK)
    assert 0 < len(host.run(5)) < 40
    assert host.device.faults.counts["drop"] > 10


def test_a_configuration_chooses_parts_and_what_it_gets_wrong_is_named(host: Host) -> None:
    hardware = host.device._hardware
    parts = hardware.build({"outputs": {"heater": {"lease_ms": 700}}})
    assert (list(parts.outputs), list(parts.sensors)) == (["heater"], [])
    assert parts.outputs["heater"].entry["lease_ms"] == 700
    with pytest.raises(ConfigError, match=r"outputs.heating: .*there is: heater, lamp, fan"):
        hardware.check({"outputs": {"heating": {}}})
    with pytest.raises(ConfigError, match=r"outputs.heater.pin: .*can be set: safe"):
        hardware.check({"outputs": {"heater": {"pin": 4}}})


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("sim://incubater", "sim://incubator, sim://stage"),
        ("sim://incubator/1", "sim://incubator"),
        ("sim://?dropp=0.2", "seed, pace, ppm, restart_after_s, drop, double"),
        ("sim://?drop=lots", "drop=0.2"),
        ("sim://?drop=-1", "Leave it out"),
        ("sim://?drop=0.7&double=0.7", "more than 1"),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(address: str, told: str) -> None:
    with pytest.raises(NoDevice) as error:
        open_sim(address)
    assert told in str(error.value)


def test_every_device_and_setting_is_told_on_its_page() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs/reference/bridge-simulation.md").read_text()
    assert [name for name in (*(f"sim://{world}" for world in WORLDS), *OPTIONS) if f"`{name}`" not in page] == []


def test_a_closed_device_leaves_no_files_and_closing_twice_is_harmless() -> None:
    device = open_device("sim://", Clock())
    folder = Path(device._folder)
    assert folder.is_dir()
    device.close()
    device.close()
    assert not folder.exists()


class TestPort:
    def test_answers_in_real_time_and_its_thread_ends_with_it(self) -> None:
        port = open_sim("sim://stage?latency_ms=2")
        port.write(lines(encode_message(Message(READ, number.EDGE, number.HELLO, 1, {}))))
        reader, answers = LineReader(4096), []
        while not answers:
            answers = reader.feed(port.read(5.0))
        assert decode_message(answers[0]).body["board"] == "simulation"
        port.close()
        port.close()
        assert not port._thread.is_alive()
        with pytest.raises(PortGone):
            port.read(0)

    def test_a_reader_that_waits_is_told_that_it_was_closed(self) -> None:
        port = open_sim("sim://")
        closer = threading.Timer(0.01, port.close)
        closer.start()
        with pytest.raises(PortGone):
            port.read(5.0)
        closer.join()

    def test_a_device_that_breaks_down_says_so(self) -> None:
        port = open_sim("sim://")
        port.device.step = None  # type: ignore[method-assign, assignment]
        with pytest.raises(BridgeError, match="broke down"):
            port.read(5.0)
        port.close()
