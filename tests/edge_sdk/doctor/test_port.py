from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.doctor.gpio import gpio_chips
from edge_sdk.doctor.serial import serial_modemmanager, serial_permission, serial_ports
from edge_sdk.doctor.surroundings import Chip, Surroundings

Told = Callable[[Any], list[tuple[str, str]]]
USB = "sys/bus/usb/devices"
DEVICE = {
    f"{USB}/1-1/idVendor": "1a86\n",
    f"{USB}/1-1/idProduct": "7523\n",
    f"{USB}/1-1/product": "USB Serial\n",
    f"{USB}/1-1:1.0/bInterfaceClass": "ff\n",
    f"{USB}/1-1:1.0/bInterfaceSubClass": "01\n",
}


@pytest.fixture
def port(machine: Any) -> Callable[..., Surroundings]:
    """Give a function that makes a machine with a converter at /dev/ttyUSB0."""

    def make(**said: Any) -> Surroundings:
        here: Surroundings = machine({**DEVICE, "dev/ttyUSB0": "", f"{USB}/1-1/1-1:1.0/x": ""}, **said)
        tty = here.path("/sys/class/tty/ttyUSB0")
        tty.mkdir(parents=True)
        (tty / "device").symlink_to(here.path(f"/{USB}/1-1/1-1:1.0"))
        here.path(f"/{USB}/1-1:1.0/driver").mkdir()
        return here

    return make


def as_an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the modes of files count, also where the tests are run by root."""
    monkeypatch.setattr(os, "access", lambda path, mode: bool(Path(path).stat().st_mode & 0o006))


class TestSerialPorts:
    def test_a_converter_is_told_with_what_it_is(self, port: Any, told: Told) -> None:
        assert told(serial_ports(port())) == [("ok", "/dev/ttyUSB0: USB Serial (USB 1a86:7523).")]

    def test_one_without_a_driver_is_a_failure_that_names_the_driver(self, machine: Any) -> None:
        ((finding),) = serial_ports(machine(DEVICE))
        assert finding.mark == "failure"
        assert "USB Serial (USB 1a86:7523) is plugged in" in finding.what
        assert finding.fix.startswith("sudo modprobe ch341")

    def test_one_without_a_node_is_a_failure(self, port: Any) -> None:
        here = port()
        here.path("/dev/ttyUSB0").unlink()
        ((finding),) = serial_ports(here)
        assert finding.mark == "failure"
        assert "/dev/ttyUSB0 is missing" in finding.what

    def test_the_boards_own_port_is_told_where_it_is(self, machine: Any, told: Told) -> None:
        assert told(serial_ports(machine({"dev/ttyAMA0": ""}))) == [
            ("ok", "/dev/ttyAMA0: the board's own, header pins 8 and 10.")
        ]

    def test_one_that_the_kernels_console_uses_is_a_warning(self, machine: Any) -> None:
        here = machine({"dev/ttyAMA0": "", "proc/cmdline": "console=serial0,115200 console=tty1 rootwait\n"})
        here.path("/dev/serial0").symlink_to("ttyAMA0")
        ((finding),) = serial_ports(here)
        assert finding.mark == "warning"
        assert "the kernel's console talks on it" in finding.what
        assert "raspi-config" in finding.fix

    def test_a_plug_that_is_there_for_the_console_is_fine(self, machine: Any, told: Told) -> None:
        files = {"dev/ttyAMA10": "", "proc/cmdline": "console=ttyAMA10,115200\n"}
        assert [mark for mark, _ in told(serial_ports(machine(files)))] == ["ok"]

    def test_none_tells_what_the_board_can_have(self, machine: Any, told: Told) -> None:
        ((mark, what),) = told(serial_ports(machine()))
        assert mark == "nothing"
        assert "/dev/ttyAMA0 (dtparam=uart0=on in config.txt)" in what

    def test_the_program_that_uses_it_is_named(self, port: Any, told: Told) -> None:
        here = port()
        (here.path("/proc/812/fd")).mkdir(parents=True)
        (here.path("/proc/812/fd/3")).symlink_to("/dev/ttyUSB0")
        here.path("/proc/812/comm").write_text("bridge\n")
        ((_, what),) = told(serial_ports(here))
        assert what.endswith("in use by bridge (pid 812).")


class TestSerialPermission:
    def test_a_port_of_another_group_names_the_group(self, port: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        here = port()
        here.path("/dev/ttyUSB0").chmod(0o660)
        group = here.path("/dev/ttyUSB0").stat().st_gid
        here.path("/etc/group").write_text(f"dialout:x:{group}:\n")
        as_an_ordinary_user(monkeypatch)
        ((finding),) = serial_permission(here)
        assert finding.mark == "failure"
        assert finding.fix.startswith("sudo usermod -aG dialout $USER, then log out and in again")

    def test_a_user_who_came_into_the_group_later_has_to_log_in_again(
        self, port: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = port(environ={"USER": "ada"})
        here.path("/dev/ttyUSB0").chmod(0o660)
        here.path("/etc/group").write_text(f"dialout:x:{here.path('/dev/ttyUSB0').stat().st_gid}:bola,ada\n")
        as_an_ordinary_user(monkeypatch)
        ((finding),) = serial_permission(here)
        assert finding.fix.startswith("Log out and in again")

    def test_a_port_that_its_group_may_not_use_either_is_told_apart(
        self, port: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = port()
        here.path("/dev/ttyUSB0").chmod(0o000)
        as_an_ordinary_user(monkeypatch)
        ((finding),) = serial_permission(here)
        assert finding.fix.startswith("sudo chmod a+rw /dev/ttyUSB0")

    def test_a_port_that_may_be_used_is_fine(self, port: Any, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
        here = port()
        here.path("/dev/ttyUSB0").chmod(0o666)
        as_an_ordinary_user(monkeypatch)
        assert told(serial_permission(here)) == [("ok", "This user may open /dev/ttyUSB0.")]


class TestServicesInTheWay:
    @pytest.mark.parametrize(
        ("program", "command"),
        [("ModemManager", "sudo systemctl disable --now ModemManager"), ("brltty", "sudo apt remove brltty")],
    )
    def test_each_is_a_warning_with_the_command_against_it(self, machine: Any, program: str, command: str) -> None:
        ((finding),) = serial_modemmanager(machine({"proc/700/comm": f"{program}\n"}))
        assert (finding.mark, finding.fix) == ("warning", command)

    def test_other_programs_are_fine(self, machine: Any, told: Told) -> None:
        assert told(serial_modemmanager(machine({"proc/700/comm": "sshd\n"})))[0][0] == "ok"


class TestGpioChips:
    def test_the_boards_chip_is_found_whatever_its_number(self, machine: Any, told: Told) -> None:
        chips = {"dev/gpiochip0": "", "dev/gpiochip10": ""}
        labels = {"gpiochip0": Chip("pinctrl-rp1", 54), "gpiochip10": Chip("gpio-brcmstb", 32)}
        here = machine(chips, chip=lambda node: labels[node.name])
        assert told(gpio_chips(here)) == [
            ("ok", "pinctrl-rp1: /dev/gpiochip0, 54 lines."),
            ("ok", "gpio-brcmstb: /dev/gpiochip10, 32 lines."),
        ]

    def test_a_chip_that_is_not_there_is_a_failure(self, machine: Any, told: Told) -> None:
        here = machine({"dev/gpiochip0": ""}, chip=lambda node: Chip("gpio-brcmstb", 32))
        marks = told(gpio_chips(here))
        assert marks[1] == ("failure", "Raspberry Pi 5 Model B should have pinctrl-rp1; found: gpio-brcmstb.")

    def test_a_chip_that_is_gone_behind_its_node_does_not_answer(self, machine: Any) -> None:
        def gone(node: Path) -> Chip:
            raise OSError(19, "No such device")

        finding = next(iter(gpio_chips(machine({"dev/gpiochip0": ""}, chip=gone))))
        assert finding.what == "/dev/gpiochip0 does not answer: No such device."

    def test_a_pcs_chips_are_for_root_and_that_is_no_failure(
        self, machine: Any, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here = machine({"dev/gpiochip0": ""}, environ={"EDGE_BOARD": "pc"})
        here.path("/dev/gpiochip0").chmod(0o000)
        as_an_ordinary_user(monkeypatch)
        assert [mark for mark, _ in told(gpio_chips(here))] == ["nothing"]
