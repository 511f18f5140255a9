"""The two adapters, with the libraries replaced by what records."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from boards.errors import EdgeError
from firmware_bridge.error import BridgeError, NoDevice
from firmware_bridge.pins import gpio
from firmware_bridge.pins.place import Place
from firmware_bridge.pins.smbus import I2C

PLACE = Place("/dev/gpiochip9", "test", 3)


class RecordedGpio:
    made: list[object] = []  # noqa: RUF012

    def __init__(self, node, line, direction, **settings) -> None:
        self.told = (node, line, direction, settings)
        self.levels: list[bool] = []
        self.closed = False
        RecordedGpio.made.append(self)

    def write(self, level) -> None:
        assert not self.closed
        assert isinstance(level, bool)
        self.levels.append(level)

    def read(self) -> bool:
        return True

    def poll(self, timeout_s) -> bool:
        raise TypeError("argument must be an int, or have a fileno() method")

    def close(self) -> None:
        self.closed = True


class RecordedPwm:
    def __init__(self, chip, channel) -> None:
        self.calls: list[tuple[str, object]] = []
        RecordedGpio.made.append(self)

    def __setattr__(self, name, value) -> None:
        super().__setattr__(name, value)
        if name != "calls":
            self.calls.append((name, value))

    def enable(self) -> None:
        self.calls.append(("enable", True))

    def disable(self) -> None:
        self.calls.append(("disable", True))

    def close(self) -> None:
        self.calls.append(("close", True))


class RecordedSpi:
    def __init__(self, device, mode, hz) -> None:
        if device.endswith("9"):
            raise FileNotFoundError(2, "No such file or directory")
        self.told = (device, mode, hz)
        RecordedGpio.made.append(self)

    def transfer(self, data):
        return [byte ^ 255 for byte in data]

    def close(self) -> None:
        self.told = ()


@pytest.fixture
def periphery(monkeypatch):
    RecordedGpio.made.clear()
    fake = SimpleNamespace(CdevGPIO=RecordedGpio, PWM=RecordedPwm, SPI=RecordedSpi)
    monkeypatch.setitem(sys.modules, "periphery", fake)
    return RecordedGpio.made


@pytest.mark.parametrize(
    ("item", "claimed", "on"),
    [
        ({}, "low", True),
        ({"safe": 1}, "high", True),
        ({"invert": True}, "high", False),
        ({"invert": True, "safe": 1}, "low", False),
    ],
)
def test_an_output_is_claimed_at_its_safe_level_and_closed_there(periphery, item, claimed, on):
    output = gpio.OutputLine("lamp", {"lease_ms": 5000, **item}, PLACE)
    (line,) = periphery
    assert line.told == ("/dev/gpiochip9", 3, claimed, {"label": "edge lamp"})
    output.write(1)
    assert line.levels == [on]
    output.close()
    assert line.levels[-1] == (claimed == "high")
    output.write(1)  # after it was let go nothing is set any more
    assert line.closed
    assert len(line.levels) == 2


def test_an_input_asks_for_its_pull_and_its_edges(periphery):
    line = gpio.Line("door", {"pull": 1, "edges": True, "invert": True}, PLACE)
    assert periphery[0].told[2:] == ("in", {"label": "edge door", "bias": "pull_up", "edge": "both"})
    assert line.read() == 0


def test_waiting_for_an_edge_ends_when_the_line_is_let_go_meanwhile(periphery):
    line = gpio.Line("door", {"edges": True}, PLACE)
    with pytest.raises(TypeError):  # the library's own, while it is not closed
        line.edge(0.1)
    line.close()
    assert line.edge(0.1) is None


def test_a_pwm_is_safe_before_it_is_switched_on(periphery, monkeypatch, tmp_path):
    monkeypatch.setattr(gpio, "_have_chip", lambda *_: None)
    item = {"chip": 0, "channel": 1, "hz": 1000, "safe": 0.25, "lease_ms": 5000, "invert": True}
    output = gpio.OutputPwm("fan", item)
    output.write(0.5)
    output.close()
    (pwm,) = periphery
    assert pwm.calls == [
        ("duty_cycle_ns", 0), ("period_ns", 1_000_000), ("polarity", "inversed"), ("duty_cycle_ns", 250_000),
        ("enable", True), ("duty_cycle_ns", 500_000), ("duty_cycle_ns", 250_000), ("close", True),
    ]  # fmt: skip


def test_a_pwm_chip_belongs_to_one_process(periphery, tmp_path, monkeypatch):
    import fcntl
    import os

    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(BridgeError, match="another process uses"):
        gpio._have_chip("fan", str(tmp_path))
    os.close(held)
    gpio._have_chip("fan", str(tmp_path))
    gpio._have_chip("lamp", str(tmp_path))  # a second channel of the same process
    os.close(gpio._CHIPS.pop(str(tmp_path)))
    with pytest.raises(NoDevice, match="There is no"):
        gpio._have_chip("fan", str(tmp_path / "none"))


def test_an_spi_device_sends_and_receives_at_once(periphery):
    bus = gpio.Spi("adc", {"device": "/dev/spidev0.0", "mode": 3, "hz": 500_000})
    assert periphery[0].told == ("/dev/spidev0.0", 3, 500_000)
    assert bus.transfer(b"\x01\x80") == b"\xfe\x7f"
    bus.close()
    with pytest.raises(BridgeError, match=r"The bus adc cannot be had at /dev/spidev0\.9: No such file"):
        gpio.Spi("adc", {"device": "/dev/spidev0.9"})


def test_a_missing_library_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "periphery", None)
    monkeypatch.setitem(sys.modules, "smbus2", None)
    with pytest.raises(EdgeError) as error:
        gpio.OutputLine("lamp", {"lease_ms": 1}, PLACE)
    assert "pip install python-periphery" in error.value.fix
    with pytest.raises(EdgeError) as error:
        I2C("i2c", "/dev/i2c-1")
    assert "pip install smbus2" in error.value.fix


class RecordedBus:
    def __init__(self, device) -> None:
        self.calls: list[tuple[object, ...]] = []
        if device.endswith("9"):
            raise PermissionError(13, "Permission denied")

    def read_i2c_block_data(self, address, register, count):
        self.calls.append((address, register, count))
        return list(range(register, register + count))

    def write_i2c_block_data(self, address, register, data) -> None:
        self.calls.append((address, register, data))

    def close(self) -> None:
        self.calls.append(())


def test_more_than_a_block_is_read_and_written_in_blocks(monkeypatch):
    monkeypatch.setitem(sys.modules, "smbus2", SimpleNamespace(SMBus=RecordedBus))
    bus = I2C("i2c", "/dev/i2c-1")
    assert bus.readfrom_mem(0x76, 0x10, 70) == bytes(range(0x10, 0x10 + 70))
    bus.writeto_mem(0x76, 0x20, bytes(33))
    bus.close()
    told = bus._bus.calls
    assert told[:3] == [(0x76, 0x10, 32), (0x76, 0x30, 32), (0x76, 0x50, 6)]
    assert told[3:5] == [(0x76, 0x20, [0] * 32), (0x76, 0x40, [0])]


def test_a_bus_that_may_not_be_opened_names_the_group(monkeypatch):
    monkeypatch.setitem(sys.modules, "smbus2", SimpleNamespace(SMBus=RecordedBus))
    with pytest.raises(BridgeError) as error:
        I2C("i2c", "/dev/i2c-9")
    assert "usermod -aG i2c" in error.value.fix
