from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from edge_sdk.doctor import examine, find_checks
from edge_sdk.doctor.machine import (
    board_known,
    cpu_features,
    os_kernel,
    os_release,
    python_packages,
    python_version,
    time_set,
)

Told = Callable[[Any], list[tuple[str, str]]]
# From an Orange Pi Zero 2 under a kernel of 2022, by sbc-bench: no table here knows it.
UNKNOWN = {
    "proc/device-tree/compatible": "xunlong,orangepi-zero2\0allwinner,sun50i-h616\0",
    "proc/device-tree/model": "Orange Pi Zero2\0",
}
LUCKFOX = {
    "proc/device-tree/compatible": "rockchip,rv1103g-38x38-ipc-v10\0rockchip,rv1103\0",
    "proc/device-tree/model": "Luckfox Pico Mini A\0",
}


class TestBoardKnown:
    def test_a_known_board_is_named_with_its_profile(self, machine: Any, told: Told) -> None:
        ((mark, what),) = told(board_known(machine()))
        assert mark == "ok"
        assert what.startswith("Raspberry Pi 5 Model B Rev 1.0 (rpi-5).")

    def test_an_unknown_one_is_a_warning(self, machine: Any, told: Told) -> None:
        ((mark, what),) = told(board_known(machine(UNKNOWN)))
        assert mark == "warning"
        assert "Orange Pi Zero2" in what

    def test_one_that_the_sdk_does_not_run_on_is_a_failure_with_the_reason(self, machine: Any, told: Told) -> None:
        here = machine(LUCKFOX)
        ((mark, what),) = told(board_known(here))
        assert mark == "failure"
        assert here.board.profile.unsupported in what


class TestCpuFeatures:
    def test_a_processor_with_everything_is_fine(self, machine: Any, told: Told) -> None:
        ((mark, what),) = told(cpu_features(machine()))
        assert mark == "ok"
        assert "4 x Cortex-A76" in what

    def test_what_would_end_the_process_is_said_before(self, machine: Any, told: Told) -> None:
        without = {"proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu lm sse2 ssse3\nmodel name\t: Intel Core 2\n"}
        findings = list(cpu_features(machine({**without, "proc/device-tree/compatible": None})))
        bad = [finding for finding in findings if "numpy" in finding.what and finding.mark == "failure"]
        assert bad
        assert "SIGILL" in bad[0].what
        assert bad[0].fix

    def test_a_library_that_the_sdk_does_not_use_is_only_a_warning(self, machine: Any) -> None:
        pytest.importorskip("litert_lm")
        old = {
            "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd crc32\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n"
        }
        marks = {finding.mark for finding in cpu_features(machine(old)) if "litert-lm-api needs" in finding.what}
        assert marks == {"warning"}


class TestAWrongOverride:
    WRONG: ClassVar = {"EDGE_BOARD": "nonsense"}

    def test_it_is_one_failure_that_says_what_the_board_is_without_it(self, machine: Any) -> None:
        (finding,) = board_known(machine(environ=self.WRONG))
        assert finding.mark == "failure"
        assert "There is no board 'nonsense'" in finding.what
        assert "Without it this is Raspberry Pi 5 Model B Rev 1.0 (rpi-5)" in finding.what
        assert "unset EDGE_BOARD" in finding.fix

    def test_other_checks_take_the_machine_for_what_it_is(self, machine: Any) -> None:
        here = machine(environ=self.WRONG)
        assert here.board.profile.id == "rpi-5"
        assert {finding.mark for finding in os_kernel(here)} == {"ok"}

    def test_nothing_else_fails_for_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(*next(iter(self.WRONG.items())))
        found = list(examine(find_checks(["board", "memory.free", "cpu", "os", "gpio", "delegate"])))
        assert [finding.id for finding in found if "nonsense" in finding.what] == ["board.known"]


class TestKernelAndSystem:
    @pytest.mark.parametrize(("release", "mark"), [("6.6.51+rpt-rpi-2712", "ok"), ("5.15.84-v8+", "warning")])
    def test_the_kernel_is_compared_with_the_boards_least(
        self, machine: Any, told: Told, release: str, mark: str
    ) -> None:
        ((found, what),) = told(os_kernel(machine({"proc/sys/kernel/osrelease": release})))
        assert found == mark
        assert release in what

    def test_a_kernel_that_does_not_say_is_no_failure(self, machine: Any, told: Told) -> None:
        assert told(os_kernel(machine({"proc/sys/kernel/osrelease": None})))[0][0] == "nothing"

    @pytest.mark.parametrize(
        ("library", "mark"), [(("glibc", "2.36"), "ok"), (("glibc", "2.27"), "failure"), (("", ""), "failure")]
    )
    def test_the_c_library_is_compared_with_the_wheels(
        self, machine: Any, told: Told, library: tuple[str, str], mark: str
    ) -> None:
        assert told(os_release(machine(c_library=library)))[0][0] == mark

    def test_an_old_release_is_a_warning(self, machine: Any, told: Told) -> None:
        old = 'PRETTY_NAME="Ubuntu 20.04.6 LTS"\nID=ubuntu\nVERSION_ID="20.04"\n'
        ((mark, what),) = told(os_release(machine({"etc/os-release": old}, c_library=("glibc", "2.31"))))
        assert (mark, what.split(" is ")[0]) == ("warning", "Ubuntu 20.04.6 LTS")

    def test_a_system_of_32_bits_on_a_board_of_64_is_a_warning(self, machine: Any, told: Told) -> None:
        assert [mark for mark, _ in told(os_release(machine(python_bits=32)))] == ["ok", "warning"]


class TestPython:
    @pytest.mark.parametrize(
        ("version", "bits", "mark"),
        [
            ((3, 9), 64, "failure"),
            ((3, 10), 64, "ok"),
            ((3, 13), 64, "ok"),
            ((3, 14), 64, "warning"),
            ((3, 11), 32, "ok"),
            ((3, 12), 32, "failure"),
        ],
    )
    def test_versions(self, machine: Any, told: Told, version: tuple[int, int], bits: int, mark: str) -> None:
        ((found, what),) = told(python_version(machine(python=version, python_bits=bits)))
        assert found == mark
        assert f"{version[0]}.{version[1]}" in what

    def test_the_libraries_of_this_environment_are_all_there(self, machine: Any, told: Told) -> None:
        ((mark, what),) = told(python_packages(machine()))
        assert mark == "ok"
        assert "numpy" in what

    def test_missing_libraries_are_named_with_the_command(self, machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        gone = {"serial", "ai_edge_litert", "tflite_runtime"}
        monkeypatch.setattr("edge_sdk.doctor.machine.find_spec", lambda name: None if name in gone else object())
        lost, there = python_packages(machine())
        assert (lost.mark, lost.what) == ("failure", "Missing: pyserial, ai-edge-litert.")
        assert " -m pip install pyserial ai-edge-litert (needs" in lost.fix
        assert "numpy" in there.what

    def test_a_damaged_one_is_named(self, machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def damaged(name: str) -> None:
            if name == "cv2":
                raise ImportError("libGL.so.1: cannot open shared object file")

        monkeypatch.setattr("edge_sdk.doctor.machine.import_module", damaged)
        finding = next(iter(python_packages(machine())))
        assert finding.mark == "failure"
        assert "opencv-python-headless is damaged" in finding.what
        assert "libGL.so.1" in finding.what


class TestTimeSet:
    def test_a_time_before_the_installation_is_a_failure(self, machine: Any, told: Told) -> None:
        ((mark, what),) = told(time_set(machine(now_s=86400.0 * 3)))
        assert mark == "failure"
        assert "1970-01-04" in what

    def test_a_clock_that_is_kept_right_is_fine(self, machine: Any, told: Told) -> None:
        assert told(time_set(machine()))[0][0] == "ok"

    def test_a_clock_with_a_battery_is_fine_without_a_network(self, machine: Any, told: Told) -> None:
        here = machine({"sys/class/rtc/rtc0/hctosys": "1\n"}, synchronised=lambda: False)
        assert told(time_set(here))[0][0] == "ok"

    def test_one_with_neither_is_a_warning(self, machine: Any) -> None:
        ((finding),) = time_set(machine(synchronised=lambda: None))
        assert finding.mark == "warning"
        assert "sudo date" in finding.fix
