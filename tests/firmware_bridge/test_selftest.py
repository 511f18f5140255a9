from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from stand import Stand

from firmware_bridge.firmware.lease import Lease
from firmware_bridge.part.output import Output
from firmware_bridge.selftest import Result, run_selftest
from firmware_bridge.simulation.incubator import Incubator


@pytest.fixture
def tried() -> Iterator[Callable[..., dict[str, Result]]]:
    stands: list[Stand] = []

    def run(address: str = "sim://incubator", output: str | None = None) -> dict[str, Result]:
        stand = Stand(address, allow=(output,) if output else ()).open()
        stands.append(stand)
        sleep = partial(stand.run, renew=False)
        return {each.name: each for each in run_selftest(stand.bridge, output=output, sleep=sleep, clock=stand.time)}

    yield run
    for stand in stands:
        stand.close()


Tried = Callable[..., "dict[str, Result]"]


def test_all_is_well_on_a_good_line(tried: Tried) -> None:
    results = tried(output="heater")
    assert list(results) == ["hello", "round trip", "frames", "clock", "sensors", "stop", "lease"]
    assert all(result.passed and not result.fix for result in results.values())
    assert results["frames"].what.startswith("200 of 200 echoes of 1 to 960 bytes came back right; 0 sent again")
    assert results["lease"].figures["took_s"] == pytest.approx(1.0, abs=0.05)


def test_nothing_is_set_that_is_not_named(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Output, "set", lambda *_: pytest.fail("an output was set"))
    assert "no output was set" in tried()["lease"].what


def test_a_line_that_loses_much_fails_with_what_to_do(tried: Tried) -> None:
    result = tried("sim://incubator?drop=0.02&seed=1")["frames"]
    assert not result.passed
    assert result.figures["retransmits"] > 2
    assert "cable" in result.fix


def test_a_line_that_long_messages_do_not_get_through_is_told(tried: Tried) -> None:
    result = tried("sim://incubator?drop=0.2&seed=1")["frames"]
    assert not result.passed
    assert "bytes get no answer in all their tries" in result.what


def test_answers_that_come_late_are_no_damage(tried: Tried) -> None:
    result = tried("sim://incubator?stall=0.01&stall_ms=60&seed=1")["frames"]
    assert result.passed
    assert result.figures["late"] > 2


def test_a_slow_line_fails_with_what_to_do(tried: Tried) -> None:
    results = tried("sim://incubator?latency_ms=120")
    assert {name for name, result in results.items() if not result.passed} >= {"round trip", "clock"}
    assert results["lease"].passed
    assert "baud" in results["round trip"].fix


def test_a_sensor_that_is_out_of_its_range_is_named(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Incubator, "_temperature", lambda incubator: 851.0)
    result = tried()["sensors"]
    assert not result.passed
    assert "temperature 851 degC is out of its range, -40 to 85" in result.what


def test_a_sensor_that_does_not_answer_is_named(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(incubator: Incubator) -> float:
        raise OSError(5, "no acknowledgement")

    monkeypatch.setattr(Incubator, "_humidity", broken)
    result = tried()["sensors"]
    assert not result.passed
    assert result.what.startswith("humidity: ")
    assert "wiring" in result.fix


def test_a_lease_that_never_runs_out_is_a_failure(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lease, "advance", lambda lease, passed_us: False)
    result = tried(output="heater")["lease"]
    assert not result.passed
    assert "burn" in result.fix


def test_an_output_that_stays_on_is_a_failure(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Output, "value", 1)
    results = tried(output="heater")
    assert [name for name, result in results.items() if not result.passed] == ["stop", "lease"]
    assert "not safe: fan, heater, lamp" in results["lease"].what
