"""What the caller is told of a command is what became of it, whatever came between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from stand import Stand

from firmware_bridge.error import BridgeTimeout, OutcomeUnknown, PortBusy, Restarted
from firmware_bridge.link.lane import Answer
from firmware_bridge.wire import number
from firmware_bridge.wire.line import LineReader
from firmware_bridge.wire.message import decode_message


@pytest.fixture
def stand() -> Iterator[Stand]:
    stand = Stand("sim://stage", allow=("x", "lamp")).open()
    yield stand
    stand.close()


@pytest.fixture
def incubator() -> Iterator[Stand]:
    stand = Stand("sim://incubator", allow=("heater", "lamp")).open()
    yield stand
    stand.close()


def answering(stand: Stand, command: int, say: Callable[[], dict[str, Any]]) -> Callable[..., Answer]:
    """Give a `Link.request` that answers one command by itself."""
    request = stand.bridge._link.request

    def ask(op: int, group: int, which: int, body: dict[str, Any], **how: Any) -> Answer:
        if (group, which) == (number.EDGE, command):
            return Answer(say(), stand.time.now_s, stand.time.now_s, 1)
        return request(op, group, which, body, **how)

    return ask


@pytest.mark.parametrize("rc", [1, 2, 7])
def test_a_microcontroller_that_broke_down_at_a_command_may_have_run_it(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, rc: int
) -> None:
    monkeypatch.setattr(stand.bridge._link, "request", answering(stand, number.SET, lambda: {"rc": rc}))
    with pytest.raises(OutcomeUnknown, match="Setting lamp to 1: whether that ran is not known"):
        stand.bridge.output("lamp").on()


@pytest.mark.parametrize("told", [{"rc": 2}, {}, {"err": {"group": number.EDGE, "rc": number.OLD}}, {"ran": True}])
def test_what_cannot_be_settled_is_not_told_to_have_been_refused(
    stand: Stand, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]
) -> None:
    def silence() -> dict[str, Any]:
        error = BridgeTimeout("no answer")
        error.sends = 3
        raise error

    monkeypatch.setattr(stand.bridge._link, "request", answering(stand, number.SET, silence))
    monkeypatch.setattr(stand.bridge._link, "request", answering(stand, number.SETTLE, lambda: told))
    with pytest.raises(OutcomeUnknown):
        stand.bridge.output("lamp").on()


def test_a_command_whose_session_is_gone_with_a_microcontroller_that_says_no_more_may_have_run(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silence() -> dict[str, Any]:
        raise BridgeTimeout("no answer")

    gone = {"err": {"group": number.EDGE, "rc": number.NO_SESSION}}
    monkeypatch.setattr(stand.bridge._link, "request", answering(stand, number.SET, lambda: gone))
    monkeypatch.setattr(stand.bridge._link, "request", answering(stand, number.HELLO, silence))
    with pytest.raises(OutcomeUnknown):
        stand.bridge.output("lamp").on()


def test_a_job_of_an_earlier_session_is_not_taken_for_one_of_the_same_number(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def renewed() -> dict[str, Any]:
        stand.bridge._session.look_again(stand.bridge._session.epoch)
        return {"state": "done", "at": 0}

    job = stand.bridge.axis("x").home()
    stand.bridge.lease._ask(0)
    monkeypatch.setattr(stand.bridge._link, "request", answering(stand, number.JOB, renewed))
    with pytest.raises(Restarted):
        _ = job.state


def test_frames_that_a_line_held_back_through_a_restart_run_nothing(stand: Stand) -> None:
    lamp, sent = stand.bridge.output("lamp"), []
    lamp.set(0.25)
    stand.device.restart()
    stand.run(0.31, renew=False)
    write = stand.ports[-1].write
    stand.ports[-1].write = lambda data: (sent.append(data), write(data))  # type: ignore[method-assign,assignment,func-returns-value]
    stand.bridge.look()
    lamp.set(0.5)
    stand.device.restart()
    stand.run(0.31, renew=False)
    assert number.OPEN in [decode_message(one).command for data in sent for one in LineReader(4096).feed(data)]
    for data in sent:
        stand.device.put(data)
    stand.run(0.01, renew=False)
    server = stand.device._server
    assert server is not None
    assert server.session.number == -1
    assert server.machine.read("lamp") == 0


def test_closing_opens_no_session_where_the_microcontroller_has_restarted(stand: Stand) -> None:
    stand.device.restart()
    stand.run(0.31, renew=False)
    stand.bridge.close()
    server = stand.device._server
    assert server is not None
    assert server.session.number == -1


def test_a_reset_that_is_sent_twice_restarts_once(stand: Stand) -> None:
    boot = stand.bridge.info.boot
    stand.bridge._maintenance._reset(boot)
    stand.run(0.5, renew=False)
    stand.bridge._maintenance._reset(boot)
    stand.run(0.5, renew=False)
    assert stand.device.restarts == 1


def test_outcome_unknown_is_told_when_the_line_dies_after_a_command(incubator: Stand) -> None:
    faults = incubator.device.faults
    port = incubator.ports[-1]
    port.write = lambda data: None  # type: ignore[method-assign]
    with pytest.raises(OutcomeUnknown, match="Setting heater to 1: whether that ran is not known"):
        incubator.bridge.output("heater").on()
    del port.write
    incubator.run(0.2)
    assert incubator.bridge.output("heater").value == 0
    assert faults is incubator.device.faults


def test_a_command_that_was_never_sent_surely_did_not_run(incubator: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    incubator.unplug()
    incubator.bridge.look_after()
    up = incubator.bridge._link._connection.up
    monkeypatch.setattr(up, "wait", incubator.time.sleep)
    before_s = incubator.time.now_s
    with pytest.raises(BridgeTimeout, match="port has not come back"):
        incubator.bridge.output("heater").on()
    assert incubator.time.now_s - before_s == pytest.approx(10, abs=0.1)


def taken_over(stand: Stand) -> None:
    """Have another process open a session and hold the lease."""
    server = stand.device._server
    assert server is not None
    server.session.open(0xFFFF)
    server.lease.begin(5000)


def test_a_command_that_ran_before_another_process_came_is_not_told_to_be_refused_for_it(
    incubator: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = incubator.device._server
    assert server is not None
    heater = server.machine.parts.outputs["heater"]
    set_heater = heater.write

    def write(value: float) -> None:
        set_heater(value)
        taken_over(incubator)

    monkeypatch.setattr(heater, "write", write)
    incubator.device.faults.to_host.meet(("drop", 0))  # the answer to the first copy
    with pytest.raises(OutcomeUnknown, match=r"Setting heater to 0\.5: whether that ran is not known") as told:
        incubator.bridge.output("heater").set(0.5)
    assert isinstance(told.value.__cause__, PortBusy)


def test_a_command_that_was_sent_once_after_another_process_came_did_not_run_and_says_who_has_it(
    incubator: Stand,
) -> None:
    taken_over(incubator)
    with pytest.raises(PortBusy):
        incubator.bridge.output("heater").set(0.5)
