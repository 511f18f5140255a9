from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import pytest
from stand import Stand

from firmware_bridge.bridge import open_bridge
from firmware_bridge.error import (
    BridgeClosed,
    BridgeError,
    NoDevice,
    NotAllowed,
    Refused,
    Restarted,
    UnknownName,
)
from firmware_bridge.link.lane import Lane
from firmware_bridge.part.job import JobFailed
from firmware_bridge.session.hello import Hello
from firmware_bridge.wire import number
from firmware_bridge.wire.message import decode_message


@pytest.fixture
def incubator() -> Iterator[Stand]:
    stand = Stand("sim://incubator", allow=("heater", "lamp")).open()
    yield stand
    stand.close()


@pytest.fixture
def stage() -> Iterator[Stand]:
    stand = Stand("sim://stage", allow=("x", "z")).open()
    yield stand
    stand.close()


def test_a_bridge_says_what_is_there(incubator: Stand) -> None:
    bridge = incubator.bridge
    assert bridge.info.board == "simulation"
    assert {"heater", "lamp"} <= set(bridge.dictionary.outputs)
    assert bridge.sensor("temperature").unit == "degC"
    assert "simulation, firmware" in repr(bridge)


def test_what_is_longer_than_the_microcontroller_takes_is_refused_at_once(incubator: Stand) -> None:
    before_s, text = incubator.time.now_s, "x" * 1100
    with pytest.raises(Refused, match=r"A request of 11\d\d bytes was not sent(.|\n)*takes 1024 at most"):
        incubator.bridge.echo(text)
    assert incubator.time.now_s == before_s
    assert incubator.bridge.echo(text[:1000]) == text[:1000]


def test_an_output_holds_what_it_was_set_to_while_the_lease_is_renewed(incubator: Stand) -> None:
    heater = incubator.bridge.output("heater")
    heater.set(0.5)
    incubator.run(10)
    assert heater.value == 0.5
    heater.off()
    assert heater.value == 0


@pytest.mark.parametrize("for_s", [0, -1, float("nan"), float("inf")])
def test_a_time_that_is_none_sets_nothing(incubator: Stand, for_s: float) -> None:
    heater = incubator.bridge.output("heater")
    asked = incubator.bridge.statistics.requests
    with pytest.raises(Refused, match="heater cannot be set for"):
        heater.set(1, for_s=for_s)
    assert incubator.bridge.statistics.requests == asked


def test_an_output_goes_safe_when_nobody_renews_the_lease(incubator: Stand) -> None:
    heater = incubator.bridge.output("heater")
    heater.on()
    incubator.run(1.05, renew=False)
    assert heater.value == 0
    with pytest.raises(Refused, match="no lease runs") as refused:
        heater.on()
    assert refused.value.rc == number.NO_LEASE
    incubator.bridge.lease.tick()
    heater.on()
    assert heater.value == 1


def test_a_stalled_model_makes_everything_safe_and_goes_on_when_it_does(incubator: Stand) -> None:
    heater, beat = incubator.bridge.output("heater"), incubator.heartbeat
    heater.on()
    with beat.working():
        incubator.run(0.9)
        assert heater.value == 1
        incubator.run(0.35)
        assert heater.value == 0
        beat.beat()
        incubator.run(0.2)
        heater.on()
        beat.expect(4)
        incubator.run(3.9)
        assert heater.value == 1
        incubator.run(0.4)
        assert heater.value == 0
    assert incubator.bridge.lease.lapses == incubator.bridge.statistics.lapses == 2


def test_what_was_set_for_a_while_goes_back_by_itself(incubator: Stand) -> None:
    lamp = incubator.bridge.output("lamp")
    lamp.set(1, for_s=0.5)
    incubator.run(0.4)
    assert lamp.value == 1
    incubator.run(0.2)
    assert lamp.value == 0


def test_nothing_acts_that_was_not_allowed_by_name(stage: Stand) -> None:
    with pytest.raises(NotAllowed, match=r"allow=\('x', 'y', 'z',\)"):
        stage.bridge.axis("y").move_by_um(10)
    with pytest.raises(PermissionError):
        stage.bridge.axis("y").home()


@pytest.mark.parametrize("value", [1.5, -0.1, "on", None, (1, 2, 3), float("nan")])
def test_a_value_out_of_range_is_not_even_sent(incubator: Stand, value: object) -> None:
    before = incubator.bridge.statistics.requests
    with pytest.raises(Refused, match="heater cannot be set to"):
        incubator.bridge.output("heater").set(value)  # type: ignore[arg-type]
    assert incubator.bridge.statistics.requests == before


def test_a_dry_run_records_and_sends_nothing() -> None:
    stand = Stand("sim://stage", allow=("x",), dry_run=True).open()
    before = stand.bridge.statistics.requests
    job = stand.bridge.axis("x").move_by_um(100)
    assert job.wait() is None
    assert stand.bridge.axis("x").home().state == "done"
    assert stand.bridge.statistics.requests == before
    assert [(one.name, one.what, one.value) for one in stand.bridge.actions] == [
        ("x", "move_by_um", 100),
        ("x", "home", None),
    ]
    with pytest.raises(NotAllowed):
        stand.bridge.axis("y").home()
    stand.close()


def test_an_axis_is_homed_and_moved(stage: Stand) -> None:
    axis = stage.bridge.axis("x")
    assert axis.position_um is None
    with pytest.raises(Refused, match="Home it first"):
        axis.move_to_um(0)
    axis.home().wait()
    assert axis.move_to_um(100).wait() == pytest.approx(100, abs=0.5)
    assert axis.move_by_um(-30).wait() == pytest.approx(70, abs=0.5)
    assert axis.position_um == pytest.approx(70, abs=0.5)
    with pytest.raises(Refused, match="cannot go to 1e"):
        axis.move_to_um(1e6)


def test_stop_ends_a_move_and_the_job_says_so(stage: Stand) -> None:
    axis = stage.bridge.axis("x")
    axis.home().wait()
    job = axis.move_by_um(2000)
    stage.run(0.1)
    assert job.state == "running"
    job.stop()
    with pytest.raises(JobFailed, match="Moving x by 2000 um: stopped"):
        job.wait()
    stage.bridge.stop()
    assert stage.bridge.look().state == "live"


def test_a_restart_during_a_move_is_noticed_at_once_and_the_position_is_unknown(stage: Stand) -> None:
    axis = stage.bridge.axis("x")
    axis.home().wait()
    job = axis.move_by_um(2000)
    stage.run(0.1)
    boot = stage.bridge.info.boot
    stage.device.restart()
    stage.run(0.31, renew=False)
    with pytest.raises(Restarted, match="Moving x by 2000 um"):
        _ = job.state
    assert stage.bridge.info.boot != boot
    assert axis.position_um is None
    assert stage.bridge.statistics.restarts == 1
    axis.home().wait()
    assert axis.move_to_um(0).wait() == 0


def test_a_restart_is_noticed_by_the_next_renewal_of_the_lease(incubator: Stand) -> None:
    incubator.bridge.output("heater").on()
    incubator.device.restart()
    incubator.run(0.31, renew=False)
    sends = incubator.bridge.statistics.requests
    incubator.bridge.lease.tick()
    assert incubator.bridge.statistics.restarts == 1
    assert incubator.bridge.statistics.requests - sends <= 3 + len(incubator.ports)  # renewal, hello, session
    assert incubator.bridge.output("heater").value == 0
    incubator.bridge.output("heater").on()


def test_a_restart_between_hello_and_session_is_not_taken_for_another_owner_of_the_lease(
    incubator: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, before = incubator.bridge._session, incubator.bridge.info.boot
    hello, boots = session._hello, []

    def restart_after(lane: Lane) -> Hello:
        told = hello(lane)
        boots.append(told.boot)
        if len(boots) == 1:
            incubator.device.restart()
        return told

    monkeypatch.setattr(session, "_hello", restart_after)
    incubator.device.restart()
    incubator.bridge.look()
    assert len({before, *boots}) == 3
    assert incubator.bridge.info.boot == incubator.bridge.look().boot == boots[1]


def test_a_command_under_way_while_it_restarts_is_an_error_and_the_frames_are_kept(
    incubator: Stand, tmp_path: Path
) -> None:
    incubator.device.restart()
    with pytest.raises(Restarted) as restarted:
        incubator.bridge.output("heater").on()
    kept = list((tmp_path / "state/edge/bridge").glob("*.frames"))
    assert len(kept) == 1
    assert str(kept[0]) in str(restarted.value)
    incubator.bridge.output("heater").on()


def test_unplugging_keeps_the_session_and_what_was_set(incubator: Stand) -> None:
    heater = incubator.bridge.output("heater")
    heater.on()
    incubator.unplug()
    incubator.bridge.look_after()
    assert incubator.bridge.statistics.disconnects == 1
    incubator.bridge.look_after()
    assert len(incubator.ports) == 2
    assert incubator.ports[0].closed
    assert heater.value == 1


def test_another_board_on_the_same_port_is_not_taken_for_the_first(incubator: Stand) -> None:
    other = Stand("sim://incubator?seed=5")
    first, incubator.device = incubator.device, other.device
    incubator.unplug()
    incubator.bridge.look_after()
    incubator.bridge.look_after()
    assert not incubator.bridge._link.is_up
    why = incubator.bridge._link._connection.why_gone
    assert isinstance(why, NoDevice)
    assert "Another board" in str(why)
    incubator.device = first
    incubator.bridge.look_after()
    assert incubator.bridge._link.is_up
    other.device.close()


def test_a_reading_has_a_time_on_our_line(incubator: Stand) -> None:
    reading = incubator.bridge.sensor("temperature").read()
    assert reading.unit == "degC"
    assert abs(reading.time_s - incubator.time.now_s) <= reading.uncertainty_s + 0.002
    assert reading.uncertainty_s < 0.01
    assert str(reading).endswith("degC")


def test_a_stream_gives_every_reading_and_marks_a_gap(incubator: Stand) -> None:
    stream = incubator.bridge.sensor("temperature").stream(0.1)
    readings = list(islice(stream, 5))
    assert [reading.missed for reading in readings] == [0] * 5
    spans = [after.time_s - before.time_s for before, after in pairwise(readings)]
    assert spans == pytest.approx([0.1] * 4, abs=0.003)
    incubator.run(60)  # the ring holds 512 of them
    later = next(stream)
    assert later.missed > 0
    assert next(stream).missed == 0
    stream.close()  # type: ignore[attr-defined]


def test_a_stream_goes_on_after_a_restart_with_a_gap(incubator: Stand) -> None:
    stream = incubator.bridge.sensor("temperature").stream(0.1)
    before = next(stream)
    incubator.device.restart()
    incubator.run(0.31, renew=False)
    incubator.bridge.lease.tick()
    after = next(stream)
    assert after.missed > 0
    assert after.time_s > before.time_s


def test_two_streams_share_the_ring(incubator: Stand) -> None:
    temperature = incubator.bridge.sensor("temperature").stream(0.1)
    humidity = incubator.bridge.sensor("humidity").stream(0.1)
    for _ in range(5):
        one, other = next(temperature), next(humidity)
        assert (one.name, other.name) == ("temperature", "humidity")
        assert abs(one.time_s - other.time_s) < 0.11


def test_an_unknown_name_lists_what_there_is(incubator: Stand) -> None:
    with pytest.raises(UnknownName, match="It has door, humidity, temperature"):
        incubator.bridge.sensor("pressure")
    with pytest.raises(UnknownName, match="no axis at all"):
        incubator.bridge.axis("x")


def test_an_echo_is_checked(incubator: Stand) -> None:
    assert incubator.bridge.echo("hä?") == "hä?"


def test_frames_of_both_ways_can_be_read(incubator: Stand) -> None:
    incubator.bridge.echo("hello")
    frames = [(one.direction, decode_message(one.message).body) for one in incubator.bridge.frames]
    assert (">", {"d": "hello"}) in frames
    assert ("<", {"r": "hello"}) in frames


def test_closing_gives_the_lease_back_and_twice_is_harmless(incubator: Stand) -> None:
    incubator.bridge.output("heater").on()
    bridge = incubator.bridge
    bridge.close()
    bridge.close()
    sent = [decode_message(one.message) for one in bridge.frames if one.direction == ">"]
    assert (sent[-1].command, sent[-1].body["ms"]) == (number.LEASE, 0)
    with pytest.raises(BridgeClosed, match="was closed"):
        bridge.echo("x")


def test_a_bridge_that_was_not_opened_says_so() -> None:
    stand = Stand()
    with pytest.raises(BridgeError, match="not opened yet"):
        _ = stand.bridge.info
    with pytest.raises(BridgeError, match="not opened yet"):
        stand.bridge.sensor("temperature")
    stand.device.close()


def test_a_simulated_device_is_used_only_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("firmware_bridge.port.port.BY_ID", tmp_path)
    with pytest.raises(NoDevice, match="no kind of port"):
        open_bridge("incubator")
    with pytest.raises(NoDevice, match="no kind of port"):
        open_bridge("sim:")
