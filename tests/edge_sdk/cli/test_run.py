from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sdk.cli.main import edge
from edge_sdk.cli.run_view import PlainView
from edge_sdk.errors import RuleError
from edge_sdk.sensors import read_journal
from edge_sdk.sensors.record import EVENT, READING, Record
from firmware_bridge.error import NoDevice

EXAMPLE = Path(__file__).resolve().parents[3] / "examples/incubator.toml"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(edge, ["run", *map(str, arguments)], catch_exceptions=False)


def test_the_example_runs_dry_on_a_simulated_incubator_and_says_what_it_would_set() -> None:
    done = run(EXAMPLE, "--bridge", "sim://", "--for", "300ms", "--no-ask")
    assert done.exit_code == 0
    assert "dry run: nothing is set, only told; --act does it" in done.stdout
    assert "cold: would set heater to 0.8 for 6 s" in done.stdout
    assert "temperature 2" in done.stdout
    assert "\x1b" not in done.stdout
    assert "Ended: actions cold 1; nothing was set" in done.stdout


def test_with_act_it_says_that_it_was_set_and_what_may_act() -> None:
    text = run(EXAMPLE, "--bridge", "sim://", "--for", "300ms", "--no-ask", "--act").stdout
    assert "acting: heater, fan, lamp may act" in text
    assert "cold: set heater to 0.8 for 6 s" in text
    assert "all outputs are safe" in text


def test_each_line_of_json_is_one_thing_that_happened() -> None:
    lines = run(EXAMPLE, "--bridge", "sim://", "--for", "300ms", "--no-ask", "--json").stdout.splitlines()
    told = [json.loads(line) for line in lines]
    kinds = [each["kind"] for each in told]
    assert kinds[:3] == ["note", "event", "action"]
    assert (told[2]["output"], told[2]["value"], told[2]["dry"]) == ("heater", 0.8, True)
    assert {each["sensor"] for each in told[kinds.index("reading")]["readings"]} == {"temperature", "humidity", "door"}


def test_the_journal_holds_what_was_shown(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    shown = run(EXAMPLE, "--bridge", "sim://", "--for", "300ms", "--no-ask", "--log", log, "--json").stdout
    assert [entry.record.text for entry in read_journal(log)] == [
        json.loads(line)["text"] for line in shown.splitlines()
    ]


def test_a_file_is_checked_and_nothing_is_started() -> None:
    done = run(EXAMPLE, "--bridge", "sim://", "--check")
    assert done.stdout == f"{EXAMPLE}: 6 rules, all of them can run on sim://incubator?pace=40&seed=150.\n"


PWM = {"v": 1, "outputs": {"blower": {"kind": "pwm", "chip": 250, "channel": 0}}}
BREEZE = """
pins = "pins.json"
[allow]
outputs = ["blower"]
[rule.breeze]
every_s = 60
set = { blower = 0.5 }
"""


@pytest.fixture
def breeze(tmp_path: Path) -> Path:
    (tmp_path / "pins.json").write_text(json.dumps(PWM))
    (tmp_path / "rules.toml").write_text(BREEZE)
    return tmp_path / "rules.toml"


def test_rules_on_the_boards_own_pins_run_dry_and_touch_no_pin(breeze: Path) -> None:
    done = run(breeze, "--for", "300ms")
    assert f"1 rules on the pins of {breeze.with_name('pins.json')}, dry run: nothing is set" in done.stdout
    assert "breeze: would set blower to 0.5" in done.stdout  # there is no pwmchip250 that could have been claimed


def test_pins_that_are_not_there_are_told_when_rules_are_to_act(breeze: Path) -> None:
    pytest.importorskip("periphery", reason="python-periphery is not installed (pip install python-periphery)")
    with pytest.raises(NoDevice, match="There is no /sys/class/pwm/pwmchip250, on which blower is to hang"):
        run(breeze, "--act", "--for", "1s")


def test_pins_and_a_microcontroller_can_be_named_together(breeze: Path) -> None:
    with breeze.open("a") as file:
        file.write('[rule.cold]\nwhen = { sensor = "temperature", below = 50 }\nset = { blower = 0 }\n')
    pins = breeze.with_name("pins.json")
    checked = run(breeze, "--bridge", "sim://", "--pins", pins, "--check").stdout
    assert checked == f"{breeze}: 2 rules, all of them can run on the pins of {pins} and sim://.\n"
    with pytest.raises(RuleError, match="there is no sensor 'temperature'"):
        run(breeze, "--check")
    with pytest.raises(RuleError, match="there is no output 'blower': there is fan, heater, lamp"):
        run(breeze, "--check", "--bridge", "sim://")


def test_what_is_wrong_with_a_file_ends_it_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(EXAMPLE.read_text().replace('sensor = "humidity"', 'sensor = "moisture"'))
    with pytest.raises(RuleError, match="no sensor 'moisture'"):
        run(path, "--bridge", "sim://")


def test_a_device_that_is_not_there_is_never_replaced_by_a_simulated_one() -> None:
    with pytest.raises(NoDevice):
        run(EXAMPLE, "--bridge", "/dev/ttyNOWHERE", "--for", "1s")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_ends_in_order_when_it_is_told_to(number: signal.Signals, status: int) -> None:
    command = [
        sys.executable,
        "-m",
        "edge_sdk",
        "run",
        str(EXAMPLE),
        "--bridge",
        "sim://",
        "--act",
        "--no-ask",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        while json.loads(running.stdout.readline())["kind"] != "action":
            pass
        running.send_signal(number)
        shown, said = running.communicate(timeout=60)
    assert running.returncode == status
    assert "Traceback" not in said
    if number == signal.SIGTERM:
        assert "all outputs are safe" in shown.splitlines()[-1]


def test_a_question_is_answered_from_a_simulated_camera_with_its_readings(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(
        'camera = "sim://smear"\n[rule.look]\nevery_s = 1\n'
        'ask = { prompt = "How many white blood cells are there?", sensors = ["temperature"] }\n'
    )
    command = [sys.executable, "-m", "edge_sdk", "run", str(path), "--bridge", "sim://", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            told = json.loads(line)
            if told["kind"] == "answer":
                break
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
    assert "white blood cell" in told["answer"]
    assert told["frames"][0].startswith("sim://smear#")
    assert told["readings"][0]["name"] == "temperature"
    assert (running.returncode, said) == (0, "")


def test_on_a_terminal_the_readings_stay_on_the_last_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    view = PlainView(100.0, live=True, blocks=True)
    for value in (20.0, 30.0):
        data = {"readings": [{"sensor": "temperature", "value": value, "unit": "degC"}], "missing": ["door"]}
        view.show(Record(READING, 101.0, "sensors", "", data))
    view.show(Record(EVENT, 102.0, "warm", "warm: it is"))
    view.close()
    bottom = "   1.0 s  temperature 30 degC ▁█   door unknown"
    # click leaves steering codes out here, where nobody looks
    assert capsys.readouterr().out.endswith(f"\r{bottom}\r   2.0 s  warm: it is\n{bottom}\n")


def test_what_a_microcontroller_calls_its_sensors_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainView(100.0, live=False, blocks=False)
    told = {"sensor": "t\x1b[2J\n", "value": 20.0, "unit": "\x07C"}
    view.show(Record(READING, 101.0, "sensors", "", {"readings": [told], "missing": ["d\roor"]}))
    view.show(Record(EVENT, 102.0, "warm", "warm: t\x9b2J 20 \x07C, above 3"))
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["   1.0 s  t [2J  20  C   d oor unknown", "   2.0 s  warm: t 2J 20  C, above 3"]


@pytest.mark.parametrize(("wish", "coloured"), [("1", False), ("", True)])
def test_who_wants_no_colour_gets_none(wish: str, coloured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", wish)
    arguments = ["run", str(EXAMPLE), "--bridge", "sim://", "--for", "200ms", "--no-ask"]
    assert ("\x1b[33m" in CliRunner().invoke(edge, arguments, color=True).stdout) is coloured
