from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.error import Refused, UnknownName
from firmware_bridge.selftest import Result


def test_a_selftest_of_a_good_link_passes(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firmware_bridge.selftest._LATE_S", 5.0)  # in real time, and this machine may be busy
    done = run("selftest", "sim://", "--output", "lamp")
    assert done.stdout.splitlines()[-1] == "Everything works."
    assert done.exit_code == 0
    assert "(lamp was on); all 3 outputs are safe." in done.stdout


def test_a_test_that_failed_is_told_with_what_to_do(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    results = [Result("hello", True, "here."), Result("frames", False, "lost.", "Try another cable.")]
    monkeypatch.setattr("edge_sdk.cli.bridge.upkeep.run_selftest", lambda *_, **__: iter(results))
    done = run("selftest", "sim://")
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1:] == [
        "FAIL  frames      lost.", "                  -> Try another cable.", "", "FAILED: frames."
    ]  # fmt: skip
    told = json.loads(run("selftest", "sim://", "--json").stdout)
    assert told["passed"] is False
    assert [each["name"] for each in told["results"]] == ["hello", "frames"]


def test_an_output_that_is_not_there_is_told_before_anything_is_tried(run: Callable[..., Any]) -> None:
    with pytest.raises(UnknownName):
        run("selftest", "sim://", "--output", "oven")


def test_a_configuration_is_taken_and_what_it_offers_told(run: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "small.json"
    path.write_text(json.dumps({"v": 1, "name": "small", "sensors": {"door": {}}, "outputs": {"fan": {"safe": 1}}}))
    lines = run("configure", path, "--port", "sim://").stdout.splitlines()
    assert lines[0].startswith("small.json is in use, CRC ")
    assert lines[1] == "It offers door, fan."


def test_a_configuration_that_is_wrong_is_refused_with_the_place(run: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps({"v": 1, "sensors": {"oven": {}}}))
    with pytest.raises(Refused, match=r"sensors\.oven"):
        run("configure", path, "--port", "sim://")


def test_a_file_that_is_not_there_is_refused(run: Callable[..., Any], tmp_path: Path) -> None:
    assert run("configure", tmp_path / "none.json", "--port", "sim://").exit_code == 2
