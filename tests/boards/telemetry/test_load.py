from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from boards.telemetry import Load, Pressure, Stall, Telemetry

Grow = Callable[[dict[str, str]], Path]

# https://docs.kernel.org/accounting/psi.html; before Linux 5.13 cpu has no line "full".
SOME = "some avg10=1.50 avg60=0.25 avg300=0.00 total=123456\n"
FULL = "full avg10=0.50 avg60=0.00 avg300=0.00 total=789\n"


def test_the_load_is_told_with_the_number_of_tasks(tree: Grow) -> None:
    assert Telemetry(tree({"proc/loadavg": "0.73 0.70 0.40 3/123 4567\n"})).read().load == Load(
        0.73, 0.70, 0.40, 3, 123
    )


@pytest.mark.parametrize("text", ["", "0.73", "a b c d/e f", "1.1.1 2 3 1/2 3", "-1 0 0 1/2 3"])
def test_a_load_that_makes_no_sense_is_none_and_named(tree: Grow, text: str) -> None:
    reading = Telemetry(tree({"proc/loadavg": text})).read()
    assert reading.load is None
    assert [name.partition(":")[0] for name in reading.unreadable] == ["/proc/loadavg"]


def test_pressure_is_told_of_what_the_kernel_tells(tree: Grow) -> None:
    root = tree({"proc/pressure/cpu": SOME, "proc/pressure/memory": SOME + FULL})
    some, full = Stall(1.5, 0.25, 0.0, 123456), Stall(0.5, 0.0, 0.0, 789)
    assert Telemetry(root).read().pressures == (Pressure("cpu", some, None), Pressure("memory", some, full))


def test_a_kernel_without_pressure_is_no_fault(tmp_path: Path) -> None:
    reading = Telemetry(tmp_path).read()
    assert reading.pressures == ()
    assert reading.unreadable == ()


@pytest.mark.parametrize("text", ["", "some", SOME.replace("1.50", "1.5.0"), SOME.replace("123456", "-1")])
def test_pressure_that_makes_no_sense_is_left_out_and_named(tree: Grow, text: str) -> None:
    reading = Telemetry(tree({"proc/pressure/cpu": text, "proc/pressure/io": SOME})).read()
    assert [pressure.of for pressure in reading.pressures] == ["io"]
    assert [name.partition(":")[0] for name in reading.unreadable] == ["/proc/pressure/cpu"]
