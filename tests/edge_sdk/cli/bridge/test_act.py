from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge_sdk.cli.main import edge
from firmware_bridge.bridge import Bridge
from firmware_bridge.error import BridgeError, PortBusy, Refused, UnknownName
from firmware_bridge.part.job import Job
from firmware_bridge.part.output import Output


@pytest.fixture
def fallen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Give what outputs are at when a bridge is about to be closed, and after its lease was given back."""
    seen: list[Any] = []
    close = Bridge.close

    def look_and_close(bridge: Bridge) -> None:
        if not bridge._ended.is_set():
            outputs = {name: bridge.output(name) for name in bridge.dictionary.outputs}
            seen.append({name: output.value for name, output in outputs.items()})
            bridge.lease.close()
            bridge._renew(0)
            seen.append({name: output.value for name, output in outputs.items()})
        close(bridge)

    monkeypatch.setattr(Bridge, "close", look_and_close)
    return seen


def test_an_output_is_set_for_a_while_and_then_safe(run: Callable[..., Any], fallen: list[Any]) -> None:
    done = run("set", "heater", "0.5", "--for", "50ms", "--port", "sim://")
    assert done.exit_code == 0
    first, last = done.stdout.splitlines()
    assert first.startswith("heater is at 0.5. It goes back to 0 in 0.05 s, or, should this command die, 1 s later")
    assert last == "heater goes back to 0."
    assert fallen[-1] == {"fan": 0, "heater": 0, "lamp": 0}


def test_it_lives_on_the_lease_and_goes_safe_with_it(
    run: Callable[..., Any], fallen: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_sdk.cli.bridge.act._hold", lambda *_: None)  # ends at once: the lease still runs
    run("set", "lamp", "on", "--hold", "--port", "sim://")
    assert [each["lamp"] for each in fallen] == [1, 0]


def test_what_went_safe_before_its_time_is_told(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_sdk.cli.bridge.act._LOOK_S", 0.02)
    values = iter([1, 1, 0])  # at first, when it is looked at, and when it is looked at again
    monkeypatch.setattr(Output, "value", property(lambda output: next(values)))
    with pytest.raises(BridgeError, match="lamp is at 0 before its time"):
        run("set", "lamp", "on", "--for", "20s", "--port", "sim://")


def test_ctrl_c_ends_a_hold_and_says_what_becomes_of_the_output(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "edge_sdk", "bridge", "set", "fan", "on", "--hold", "--port", "sim://"]
    home = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=home) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline().startswith("fan is at 1. It goes back to 0 at Ctrl-C")
        holding.send_signal(signal.SIGINT)
        said, error = holding.communicate(timeout=60)
    assert said == "fan goes back to 0.\n"
    assert holding.returncode == 130
    assert "Traceback" not in error


def test_only_what_is_named_may_act(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def opened(address: str, *, allow: list[str]) -> Any:
        asked.append((address, allow))
        raise BridgeError("enough")

    monkeypatch.setattr("edge_sdk.cli.bridge.act.open_bridge", opened)
    for arguments in (("set", "heater", "1"), ("move", "x", "1"), ("home", "x")):
        with pytest.raises(BridgeError, match="enough"):
            run(*arguments)
    assert asked == [("auto", ["heater"]), ("auto", ["x"]), ("auto", ["x"])]


@pytest.mark.parametrize(
    ("value", "said"), [("2", "it takes 0 to 1"), ("-1", "it takes 0 to 1"), ("1,2,3", "a number")]
)
def test_a_value_out_of_range_is_refused(run: Callable[..., Any], value: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        run("set", "heater", value, "--port", "sim://")


@pytest.mark.parametrize("value", ["warm", "1,x,3", ""])
def test_a_value_that_is_none_says_what_there_is(run: Callable[..., Any], value: str) -> None:
    done = run("set", "heater", value, "--port", "sim://")
    assert done.exit_code == 2
    assert "give a number, on, off or safe" in done.output


@pytest.mark.parametrize("time", ["0s", "2h", "soon", "5 parsecs"])
def test_a_time_that_is_none_is_refused(run: Callable[..., Any], time: str) -> None:
    assert run("set", "heater", "1", "--for", time, "--port", "sim://").exit_code == 2


def test_an_axis_is_homed_and_goes_to_a_place_that_may_be_negative(run: Callable[..., Any]) -> None:
    done = run("move", "z", "-497.5", "--to", "--home", "--port", "sim://stage")
    assert done.stdout.splitlines() == [
        "Homing z: done; it is at -500 um.",
        "Moving z to -497.5 um: done; it is at -497.5 um.",
    ]


def test_what_ends_the_wait_stops_the_axis(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []

    def interrupted(job: Job, timeout_s: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Job, "wait", interrupted)
    monkeypatch.setattr(Bridge, "stop", lambda bridge, axis=None: stopped.append(axis))
    CliRunner().invoke(edge, ["bridge", "home", "z", "--port", "sim://stage"])
    assert stopped == ["z"]


def test_a_place_needs_a_homed_axis(run: Callable[..., Any]) -> None:
    with pytest.raises(Refused, match="Moving x to 0 um was refused"):
        run("move", "x", "0", "--to", "--port", "sim://stage")


def test_an_axis_that_is_not_there_lists_those_that_are(run: Callable[..., Any]) -> None:
    with pytest.raises(UnknownName, match="x, y, z"):
        run("move", "a", "1", "--port", "sim://stage")


def test_stop_needs_no_session(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Bridge, "open")
    assert run("stop", "sim://stage").stdout == "All is stopped and safe; state: idle.\n"
    assert run("stop", "--axis", "x", "--port", "sim://stage").stdout == "x stops.\n"


def test_stopping_an_axis_that_is_not_there_is_told(run: Callable[..., Any]) -> None:
    with pytest.raises(Refused, match="there is no axis"):
        run("stop", "sim://incubator", "--axis", "x")


def test_clear_tells_the_state(run: Callable[..., Any]) -> None:
    assert run("clear", "sim://").stdout == "State: live.\n"


def test_stopping_through_a_port_that_is_in_use_says_what_to_do(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(address: str) -> None:
        raise PortBusy(f"{address} is in use by another process.", why="It is held by run (pid 412).", fix="Wait.")

    monkeypatch.setattr("edge_sdk.cli.bridge.act.open_port", busy)
    with pytest.raises(PortBusy, match="everything goes safe") as error:
        run("stop", "/dev/ttyACM0")
    assert "pid 412" in str(error.value)
