from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from boards import EdgeError
from boards.telemetry import Sign, Telemetry, ask_firmware
from boards.telemetry.firmware import firmware_signs

Grow = Callable[[dict[str, str]], Path]
PI_4 = {"proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0"}
ROCK_5B = {"proc/device-tree/compatible": "radxa,rock-5b\0rockchip,rk3588\0"}


def bits(text: str, path: str = "sys/devices/platform/soc/soc:firmware") -> dict[str, str]:
    # Without 0x, as drivers/firmware/raspberrypi.c writes it.
    return {f"{path}/get_throttled": f"{text}\n"}


def command(tmp_path: Path, script: str) -> str:
    program = tmp_path / "vcgencmd"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
@pytest.mark.parametrize(
    ("text", "volts", "heat"),
    [
        ("0", (False, False), (False, False)),
        ("50005", (True, True), (False, False)),  # seen on a Raspberry Pi 3 at 39 °C: throttled for its supply
        ("50000", (False, True), (False, False)),
        ("80008", (False, False), (True, True)),  # seen on a 3B+: the soft limit
        ("80000", (False, False), (False, True)),
        ("20002", (False, False), (True, True)),
        ("e0006", (False, False), (True, True)),
        ("d000d", (True, True), (True, True)),
    ],
)
def test_bits_tell_under_voltage_from_heat(
    tree: Grow, text: str, volts: tuple[bool, bool], heat: tuple[bool, bool]
) -> None:
    reading = Telemetry(tree(bits(text))).read()
    assert [(sign.cause, sign.now, sign.since_boot) for sign in reading.throttling] == [
        ("under-voltage", *volts),
        ("heat", *heat),
    ]
    assert reading.throttled is (volts[0] or heat[0])
    assert reading.throttling[0].source == "/sys/devices/platform/soc/soc:firmware/get_throttled"


@pytest.mark.parametrize(
    "folder",
    [
        "sys/bus/platform/drivers/raspberrypi-firmware/soc@107c000000:firmware",
        "sys/devices/platform/soc@107c000000/soc@107c000000:firmware",
        "sys/devices/platform/soc:firmware",
    ],
)
def test_the_file_is_found_wherever_a_kernel_puts_it(tree: Grow, folder: str) -> None:
    reading = Telemetry(tree(bits("50005", folder))).read()
    assert reading.causes == ("under-voltage",)
    assert reading.throttling[0].source == f"/{folder}/get_throttled"


def test_what_happened_to_a_clock_is_told_in_words() -> None:
    _, heat = firmware_signs(0x6, "here", whole_boot=True)
    assert heat == Sign("heat", True, False, "here", "clock capped, throttled")


@pytest.mark.parametrize("text", ["", "throttled", "-1"])
def test_bits_that_make_no_sense_are_named(tree: Grow, text: str) -> None:
    reading = Telemetry(tree(bits(text))).read()
    assert (reading.throttling, reading.throttled) == ((), None)
    assert "get_throttled" in reading.unreadable[0]


class TestTheAlarm:
    def alarm(self, text: str) -> dict[str, str]:
        return {"sys/class/hwmon/hwmon1/name": "rpi_volt\n", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": f"{text}\n"}

    @pytest.mark.parametrize(("text", "now"), [("0", False), ("1", True)])
    def test_tells_of_under_voltage_where_there_are_no_bits(self, tree: Grow, text: str, now: bool) -> None:
        (sign,) = Telemetry(tree(self.alarm(text))).read().throttling
        assert (sign.cause, sign.now) == ("under-voltage", now)
        assert sign.source == "/sys/class/hwmon/hwmon1/in0_lcrit_alarm"

    def test_has_its_driver_clear_the_earlier_bits_so_that_only_set_ones_say_anything(self, tree: Grow) -> None:
        volts, heat, _ = Telemetry(tree(self.alarm("0") | bits("80000"))).read().throttling
        assert (volts.since_boot, heat.since_boot) == (None, True)

    def test_of_another_chip_is_not_the_boards_supply(self, tree: Grow) -> None:
        root = tree(self.alarm("1") | {"sys/class/hwmon/hwmon1/name": "ltc4282\n"})
        assert Telemetry(root).read().throttling == ()

    def test_that_was_seen_once_has_happened_since_boot(self, tree: Grow) -> None:
        telemetry = Telemetry(tree(self.alarm("1")))
        telemetry.read()
        tree(self.alarm("0"))
        (sign,) = telemetry.read().throttling
        assert (sign.now, sign.since_boot) == (False, True)


class TestAsking:
    def test_a_raspberry_pis_firmware_answers(self, tree: Grow) -> None:
        root = tree(PI_4)
        volts, heat = ask_firmware(root, command(root, 'test "$1" = get_throttled && echo throttled=0x50005'))
        assert (volts.now, volts.since_boot, heat.now, heat.since_boot) == (True, True, False, False)

    def test_a_program_on_another_board_is_not_even_run(self, tree: Grow) -> None:
        # Armbian brings one to boards of all makes.
        root = tree(ROCK_5B)
        with pytest.raises(EdgeError, match="not a Raspberry Pi") as error:
            ask_firmware(root, command(root, f"touch {root}/ran; echo throttled=0x0"))
        assert error.value.fix
        assert not (root / "ran").exists()

    def test_without_a_device_tree_it_is_not_asked(self, tmp_path: Path) -> None:
        with pytest.raises(EdgeError, match="not a Raspberry Pi"):
            ask_firmware(tmp_path)

    def test_a_missing_program_names_its_package(self, tree: Grow) -> None:
        with pytest.raises(EdgeError) as error:
            ask_firmware(tree(PI_4), "/nowhere/vcgencmd")
        assert "apt install" in str(error.value)

    def test_a_program_that_may_not_ask_says_why_and_how_it_may(self, tree: Grow) -> None:
        root = tree(PI_4)
        with pytest.raises(EdgeError, match="failed") as error:
            ask_firmware(root, command(root, "echo 'Can not open device file: /dev/vcio' >&2; exit 255"))
        assert error.value.why == "Can not open device file: /dev/vcio"
        assert "usermod -aG video" in (error.value.fix or "")

    def test_a_program_that_does_not_answer_is_ended(self, tree: Grow, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("boards.telemetry.firmware._TIMEOUT_S", 0.05)
        root = tree(PI_4)
        with pytest.raises(EdgeError, match="gave no answer within"):
            ask_firmware(root, command(root, "exec tail -f /dev/null"))

    @pytest.mark.parametrize("answer", ["", "error=1", "throttled=lots"])
    def test_an_answer_without_bits_is_an_error(self, tree: Grow, answer: str) -> None:
        root = tree(PI_4)
        with pytest.raises(EdgeError, match="gave no bits"):
            ask_firmware(root, command(root, f"echo '{answer}'"))


def test_a_real_raspberry_pis_bits_at_a_high_temperature_are_heat(material: Path) -> None:
    capture = material / "captures" / "sbc-bench" / "raspberry-pi-3-model-b-rev-1-2.txt"
    if not capture.is_file():
        pytest.skip(f"no capture at {capture}")
    after = capture.read_text(errors="replace").partition("Querying ThreadX on RPi")[2]
    told = int(after.splitlines()[2], 2)
    assert told == 0x20002
    volts, heat = firmware_signs(told, "capture", whole_boot=True)
    assert (volts.now, volts.since_boot) == (False, False)
    assert (heat.now, heat.since_boot, heat.detail) == (True, True, "clock capped")
