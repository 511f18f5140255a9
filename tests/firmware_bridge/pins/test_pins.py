"""The pins with parts that record, and a clock that stands until it is told to move."""

from __future__ import annotations

import threading

import pytest
from pin_rig import Rig

from firmware_bridge.error import BridgeClosed, BridgeError, NotAllowed, Refused, StaleReading, UnknownName


@pytest.fixture
def rig():
    rig = Rig()
    rig.pins.lease.tick()
    yield rig
    rig.pins.close()


def test_outputs_are_safe_before_anything_is_set(rig):
    assert rig.heater.written == [0]
    assert rig.fan.written == [1]


def test_what_is_set_stays_while_the_lease_is_renewed(rig):
    rig.pins.output("heater").on()
    rig.pins.output("fan").off()
    rig.run_s(10)
    assert rig.heater.written[-1] == 1
    assert rig.fan.written[-1] == 0
    assert rig.pins.output("heater").value == 1


def test_when_nobody_renews_it_each_goes_safe_in_its_own_time(rig):
    rig.pins.output("heater").on()
    rig.pins.output("fan").off()
    rig.run_s(0.32, keeping=False)
    assert (rig.heater.written[-1], rig.fan.written[-1]) == (1, 1)
    rig.run_s(0.7, keeping=False)
    assert rig.heater.written[-1] == 0
    with pytest.raises(Refused, match="was refused") as error:
        rig.pins.output("heater").on()
    assert "model hangs" in error.value.fix


def test_when_the_work_stalls_all_goes_safe_and_comes_back_with_it(rig):
    with rig.heartbeat.working():
        rig.pins.output("heater").on()
        rig.run_s(1.3)
        assert rig.heater.written[-1] == 0
        assert rig.pins.lease.lapses == 1
        rig.heartbeat.beat()
        rig.run_s(0.3)
        rig.pins.output("heater").on()
    assert rig.heater.written[-1] == 1


def test_one_that_was_set_for_a_time_goes_safe_after_it(rig):
    rig.pins.output("heater").set(1, for_s=0.5)
    rig.run_s(0.48)
    assert rig.heater.written[-1] == 1
    rig.run_s(0.04)
    assert rig.heater.written[-1] == 0


def test_nothing_acts_unasked_and_a_dry_run_only_records():
    rig = Rig(allow=("heater",), dry_run=True)
    rig.pins.lease.tick()
    with pytest.raises(NotAllowed):
        rig.pins.output("fan").on()
    rig.pins.output("heater").on()
    assert rig.heater.written == [0]
    assert [(action.name, action.value) for action in rig.pins.actions] == [("heater", 1)]
    rig.pins.close()


def test_one_that_cannot_be_made_safe_is_a_fault_and_tried_again(rig):
    rig.pins.output("heater").on()
    rig.heater.broken = True
    rig.pins.stop()
    with pytest.raises(Refused, match="refused") as error:
        rig.pins.output("fan").off()
    assert "heater cannot be made safe" in error.value.why
    rig.heater.broken = False
    rig.run_s(0.2)
    assert rig.heater.written[-1] == 0
    rig.pins.clear()
    rig.pins.output("fan").off()
    assert rig.fan.written[-1] == 0


def test_closing_makes_all_safe_and_twice_is_harmless(rig):
    rig.pins.output("heater").on()
    rig.pins.close()
    rig.pins.close()
    assert rig.heater.written[-1] == 0
    with pytest.raises(BridgeClosed):
        rig.pins.output("heater").on()
    with pytest.raises(BridgeClosed):
        rig.pins.sensor("temperature").read()
    assert "closed" in repr(rig.pins)


def test_a_bus_that_hangs_keeps_no_output_from_being_safe(rig):
    begun, let_go = threading.Event(), threading.Event()
    rig.sensor.read = lambda: begun.set() or (let_go.wait(30) and 1.0)
    reader = threading.Thread(target=rig.pins.sensor("temperature").read)
    rig.pins.output("heater").on()
    reader.start()
    assert begun.wait(10)
    rig.run_s(1.1, keeping=False)
    assert rig.heater.written[-1] == 0
    let_go.set()
    reader.join()


def test_a_reading_is_of_when_it_was_read(rig):
    reading = rig.pins.sensor("temperature").read()
    assert (reading.value, reading.unit) == (21.5, "degC")
    assert reading.time_s == pytest.approx(1000, abs=1e-5)


def test_a_reading_is_of_when_its_chip_measured(rig, monkeypatch):
    monkeypatch.setattr(rig.sensor, "age", lambda: (400_000, 100_000))
    sensor = rig.pins.sensor("temperature")
    for reading in (sensor.read(), next(sensor.stream(0.1))):
        assert reading.time_s == pytest.approx(999.6, abs=1e-5)
        assert reading.uncertainty_s == pytest.approx(0.1, abs=1e-5)
    with pytest.raises(StaleReading, match=r"of the last 0\.3 s"):
        sensor.latest(0.3)


def test_an_old_reading_is_not_passed_off_as_new(rig):
    sensor = rig.pins.sensor("temperature")
    sensor.read()
    rig.now_s += 10
    rig.sensor.broken = True
    with pytest.raises(StaleReading, match="no reading of temperature of the last 2 s"):
        sensor.latest(2.0)


def test_one_that_does_not_answer_says_what_its_driver_says(rig):
    rig.sensor.broken = True
    with pytest.raises(BridgeError, match="temperature cannot be read") as error:
        rig.pins.sensor("temperature").read()
    assert error.value.why == "the chip at 0x76 does not answer."
    rig.sensor.broken, rig.sensor.value = False, None
    with pytest.raises(BridgeError, match="has no value just now"):
        rig.pins.sensor("temperature").read()


def test_a_stream_marks_what_failed_and_what_came_too_late(rig):
    stream = rig.pins.sensor("temperature").stream(0.1)
    assert next(stream).missed == 0
    rig.now_s += 0.35
    assert next(stream).missed == 2
    rig.now_s += 0.05
    rig.sensor.broken = True  # at the next, and not at the one after it

    def sleep(seconds: float) -> bool:
        rig.sensor.broken, rig.now_s = False, rig.now_s + seconds
        return False

    rig.pins._sampler._sleep = sleep
    assert next(stream).missed == 1


def test_names_that_are_not_there_are_told(rig):
    assert rig.pins.bus("adc") == "a bus"
    for kind in ("sensor", "output", "bus"):
        with pytest.raises(UnknownName, match=f"have no {kind} 'wind'"):
            getattr(rig.pins, kind)("wind")


def test_a_sensor_without_edges_says_how_it_gets_them(rig):
    with pytest.raises(BridgeError) as error:
        rig.pins.edges("temperature")
    assert '"edges": true' in error.value.fix
