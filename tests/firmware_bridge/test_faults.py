"""The faults that a bridge survives, between the real client and the firmware in real MicroPython.

These are the short forms; benchmarks/bridge_faults.py runs the same rounds at full size.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from fault import life, lossy, power, timing
from fault.rig import HOW, Interpreter, found

from firmware_bridge.simulation.fault import Faults

LONG_S = 5.0
"""The longest lease: where lines are meant, a busy machine, on which a lease may well run out, is to decide nothing."""


@pytest.fixture(scope="session")
def one() -> Interpreter:
    """Give the first MicroPython of this machine: for what both do alike, and takes long."""
    if not found():
        pytest.skip(HOW)
    return found()[0]


def test_no_bit_that_is_turned_over_makes_a_wrong_command_run(micropython: Interpreter, tmp_path: Path) -> None:
    told = lossy.flip(micropython, tmp_path, frames=60, seed=1, lease_s=LONG_S)
    assert told["faults"]["flip"] >= 60
    assert told["retransmits"] > 20
    assert (told["done"], told["wrong"], told["wedged"]) == (told["asked"], 0, 0)


def test_moves_land_exactly_where_a_fifth_of_all_frames_is_lost(micropython: Interpreter, tmp_path: Path) -> None:
    told = lossy.move(micropython, tmp_path, moves=25, seed=2, lease_s=LONG_S)
    assert min(told["faults"][kind] for kind in ("drop", "double", "late")) > 5
    assert (told["done"], told["ran"], told["wrong"], told["off_target"]) == (25, 25, 0, 0)
    assert told["wedged"] == 0


def test_moves_land_exactly_where_all_faults_come_together(one: Interpreter, tmp_path: Path) -> None:
    faults = Faults(drop=0.05, double=0.1, late_ms=400, flip=0.05, cut=0.05, noise=0.1, stall=0.01, stall_ms=300)
    told = lossy.move(one, tmp_path, moves=25, seed=3, faults=faults, lease_s=LONG_S)
    assert sum(told["faults"].values()) > 50
    assert (told["done"], told["wrong"], told["off_target"], told["wedged"]) == (25, 0, 0, 0)


def test_after_a_cut_at_any_byte_or_a_boot_log_the_next_frame_is_understood(
    micropython: Interpreter, tmp_path: Path
) -> None:
    told = lossy.cut(micropython, tmp_path, every=1, seed=4)
    assert told["rounds"] > 70
    assert told["frames_until_in_step"] == 1


def test_a_restart_in_the_middle_of_a_move_is_noticed_by_the_first_answer(one: Interpreter, tmp_path: Path) -> None:
    told = life.restart(one, tmp_path, times=3, seed=5)
    assert (told["unnoticed"], told["positions_still_known"], told["wedged"]) == (0, 0, 0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_all_is_safe_within_the_lease_when_the_host_is_gone(one: Interpreter, tmp_path: Path, how: int) -> None:
    told = life.killed(one, tmp_path, times=1, seed=6, how=how)
    assert (told["never_safe"], told["still_moving"]) == (0, 0)
    assert told["unsafe_s_most"] <= life.LEASE_S + life.SLACK_S


def test_nothing_wrong_runs_while_the_host_is_as_busy_as_it_can_be(one: Interpreter, tmp_path: Path) -> None:
    told = life.busy(one, tmp_path, seconds=1.5, seed=7)
    assert told["asked"] > 0
    assert (told["wrong"], told["wedged"]) == (0, 0)


def test_a_plug_that_comes_back_as_another_tty_is_used_again_soon(one: Interpreter, tmp_path: Path) -> None:
    told = life.replug(one, tmp_path, times=3, seed=8)
    assert (told["same_tty"], told["wedged"]) == (0, 0)
    assert told["back_s_most"] < 2


def test_a_second_process_is_refused_clearly_and_the_first_goes_on(one: Interpreter, tmp_path: Path) -> None:
    told = life.second(one, tmp_path, seed=9)
    assert (told["refused"], told["first_goes_on"]) == (1, 1)
    assert "is in use by another process" in told["told"]["port"]


def test_clock_errors_stay_within_what_was_promised(one: Interpreter, tmp_path: Path) -> None:
    told = timing.clock(one, tmp_path, seconds=3, seed=10)
    assert told["readings"] > 50
    assert told["beyond_promise"] == 0
    assert told["promised_ms_median"] < 15


def test_other_protocols_are_agreed_on_or_refused(one: Interpreter, tmp_path: Path) -> None:
    assert life.versions(one, tmp_path)["misread"] == 0


def test_a_power_cut_at_any_piece_of_an_update_leaves_a_firmware_that_boots(one: Interpreter, tmp_path: Path) -> None:
    told = power.update(one, tmp_path, pieces=3, seed=11)
    assert told["updates_through"] >= 3
    assert told["wrong_boots"] == 0


def test_no_reading_is_lost_unsaid_and_memory_stays_flat(one: Interpreter, tmp_path: Path) -> None:
    many = Faults(drop=0.05, double=0.05)
    told = timing.telemetry(one, tmp_path, seconds=3, seed=12, faults=many)
    assert told["readings"] > 200
    assert told["missed_unseen"] == 0
    assert told["device_looks"] > 3
    held = told["device_heap_bytes"]
    assert held["late"] <= held["early"] + 512
