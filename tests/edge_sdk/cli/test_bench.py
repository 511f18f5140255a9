from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sdk.bench import Bench, Condition, Measure, Report, Subject, read_report, write_report
from edge_sdk.cli import bench as module
from edge_sdk.cli.main import run

SUBJECT = Subject("smear", "ab" * 32, "pc", "a processor", "auto", 2, "", "")


def report(rate: float) -> Report:
    decode = Measure("decode@256", "tokens/s", rate, rate - 1, rate + 1, 7, 0.5)
    return Report("0.1", SUBJECT, False, (decode,), (), Condition(), Condition(40.0), ("A note.",))


class Done:
    """Stands for a benchmark: its report is there after two steps."""

    count = 2
    settings: dict[str, object]
    broken = False

    def __init__(self, bundle: str, **settings: object) -> None:
        type(self).settings = {"bundle": bundle, **settings}
        self._report = replace(report(100), measures=())

    @property
    def report(self) -> Report:
        return self._report

    def steps(self) -> Generator[str, None, None]:
        yield "load, cold 1/1"
        self._report = report(100)
        if self.broken:
            raise KeyboardInterrupt
        yield "memory 1/1"


@pytest.fixture(autouse=True)
def done(monkeypatch: pytest.MonkeyPatch) -> type[Done]:
    monkeypatch.setattr(module, "Bench", Done)
    monkeypatch.setattr(Done, "broken", False)
    return Done


def ends(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        run(["bench", *arguments])
    return int(caught.value.code or 0)


def test_a_table_with_a_bar_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends("smear") == 0
    told = capsys.readouterr()
    assert "decode, cache of 256  100 tokens/s" in told.out
    assert "█" * 10 in told.out
    assert told.out.rstrip().endswith("A note.")
    assert told.err == ""


def test_settings_are_handed_on(done: type[Done]) -> None:
    assert (
        ends("x.litertlm", "--turns", "3", "--threads", "2", "--budget", "64MB", "--camera", "sim://smear", "--short")
        == 0
    )
    assert done.settings == {
        "bundle": "x.litertlm",
        "turns": 3,
        "threads": 2,
        "budget": "64MB",
        "camera": "sim://smear",
        "short": True,
        "engine": "auto",
    }


def test_json_goes_to_a_file_beside_the_table_or_stands_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends("smear", "--json", str(tmp_path / "a.json")) == 0
    assert read_report(tmp_path / "a.json") == report(100)
    assert "decode, cache of 256" in capsys.readouterr().out
    assert ends("smear", "--json") == 0
    assert json.loads(capsys.readouterr().out)["measures"][0]["median"] == 100


@pytest.mark.parametrize(
    ("old", "limit", "status", "verdict"),
    [(150, "0.9", 1, "WORSE"), (80, "0.9", 0, "better"), (150, "0.5", 0, "WORSE"), (100, "0.9", 0, "the same")],
)
def test_what_became_worse_beyond_noise_can_fail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: float, limit: str, status: int, verdict: str
) -> None:
    write_report(report(old), tmp_path / "old.json")
    assert ends("smear", "--against", str(tmp_path / "old.json"), "--fail-below", limit) == status
    told = capsys.readouterr()
    assert told.out.rstrip().endswith(verdict)
    assert ("below 0.9: decode, cache of 256" in told.err) == bool(status)


def test_without_a_limit_a_comparison_only_tells(tmp_path: Path) -> None:
    write_report(report(1000), tmp_path / "old.json")
    assert ends("--against", str(tmp_path / "old.json")) == 0


def test_another_board_is_refused_unless_that_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = replace(report(100), subject=replace(SUBJECT, board="rpi-5"))
    write_report(other, tmp_path / "old.json")
    assert ends("--against", str(tmp_path / "old.json")) == 1
    told = capsys.readouterr()
    assert "board: rpi-5 then, pc now" in told.err
    assert "--anyway" in told.err
    assert told.out == ""  # before anything is measured
    assert ends("--against", str(tmp_path / "old.json"), "--anyway") == 0


def test_a_file_that_is_no_report_is_told_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "old.json").write_text("{}")
    assert ends("--against", str(tmp_path / "old.json")) == 1
    told = capsys.readouterr()
    assert (told.out, "is no report" in told.err) == ("", True)


@pytest.mark.parametrize("option", [["--fail-below", "0.9"], ["--anyway"]])
def test_options_of_a_comparison_want_one(option: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(*option) == 2
    assert "--against" in capsys.readouterr().err


def test_a_place_for_the_report_is_looked_at_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], done: type[Done]
) -> None:
    done.broken = True  # would end with 130
    assert ends("--json", "smear") == 2
    assert "end it with .json" in capsys.readouterr().err
    assert ends("smear", "--json", str(tmp_path / "nowhere" / "a.json")) == 1
    assert "is no folder that may be written to" in capsys.readouterr().err
    (tmp_path / "b.json").mkdir()
    assert ends("smear", "--json", str(tmp_path / "b.json")) == 1


@pytest.mark.parametrize("form", ["table", "json"])
def test_an_interrupt_shows_what_there_is_and_writes_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], done: type[Done], form: str
) -> None:
    done.broken = True
    target = tmp_path / "a.json"
    assert ends("smear", "--json", *([str(target)] if form == "table" else [])) == 130
    assert "100" in capsys.readouterr().out
    assert not target.exists()


def test_progress_is_told_to_who_looks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert ends("smear") == 0
    assert "memory 1/1" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_real_run_that_is_stopped_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored by whoever started the tests, as under nohup, and so by what they start")
    environ = {**os.environ, "EDGE_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "edge_sdk", "bench", "smear", "--threads", "1", "--turns", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, text=True) as process:
        while not list((tmp_path / "cache").glob("edge-bench-*")):
            assert process.poll() is None
            os.sched_yield()
        process.send_signal(number)
        output, errors = process.communicate()
    assert process.returncode == 130
    assert "smear on" in output
    assert "Traceback" not in errors
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_hangup_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with module._interrupted_by_all():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_command_measures_what_the_library_does() -> None:
    assert {"turns", "engine", "threads", "budget", "camera", "short"} <= set(Bench.__init__.__annotations__)
