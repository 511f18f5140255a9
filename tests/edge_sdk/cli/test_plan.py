from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sdk.cli.main import edge
from edge_sdk.errors import BundleError, EdgeError, OverBudget, UnitError


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(edge, ["plan", *map(str, arguments)], catch_exceptions=False)


def test_a_plan_is_printed_as_tables() -> None:
    lines = run("smear", "--budget", "512MB", "--board", "rpi-zero-2w").stdout.splitlines()
    assert lines[0].startswith("smear within 512 MB (as asked for Raspberry Pi Zero 2 W)")
    assert "4 threads" in lines[1]
    assert any(line.split()[:2] == ["tf_lite_prefill_decode", "resident"] for line in lines)
    assert lines[-1] == "+ everything resident: Nothing is given up."


def test_a_plan_is_printed_as_json() -> None:
    told = json.loads(run("smear", "--budget", "512MB", "--threads", "1", "--json").stdout)
    assert told["budget"]["total_bytes"] == 512_000_000
    assert told["threads"] == 1
    assert [moment["name"] for moment in told["moments"]] == ["load", "encode", "prefill", "decode"]
    assert told["needed_bytes"] <= 512_000_000


def test_without_a_budget_the_machine_is_asked() -> None:
    told = json.loads(run("smear", "--json").stdout)
    assert 0 < told["needed_bytes"] <= told["budget"]["total_bytes"]
    assert told["budget"]["parts"]


def test_a_board_that_is_not_here_is_planned_for_with_its_ram_and_its_big_cores() -> None:
    told = json.loads(run("smear", "--board", "rpi-4b", "--ram", "4GiB", "--json").stdout)
    assert told["budget"]["board"] == "Raspberry Pi 4 Model B"
    assert told["budget"]["total_bytes"] > 2_000_000_000
    assert told["threads"] == 4


def test_what_does_not_fit_is_refused_with_what_would() -> None:
    with pytest.raises(OverBudget, match="smear does not fit into 20 MB") as caught:
        run("smear", "--budget", "20MB")
    assert "--budget" in (caught.value.fix or "")


def test_counting_alone_takes_less_than_everything() -> None:
    needs = [json.loads(run("smear", "--budget", "1GB", "--task", task, "--json").stdout) for task in ("count", "all")]
    assert needs[0]["needed_bytes"] < needs[1]["needed_bytes"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("nothing-like-it",), BundleError),
        (("smear", "--budget", "lots"), UnitError),
        (("smear", "--board", "no-such-board"), EdgeError),
        (("smear", "--board", "rpi-4b", "--ram", "much"), UnitError),
    ],
)
def test_nonsense_is_refused_by_name(arguments: tuple[str, ...], error: type[EdgeError]) -> None:
    with pytest.raises(error) as caught:
        run(*arguments)
    assert arguments[-1] in str(caught.value)


def test_a_bundle_is_measured_before_it_is_planned_where_that_is_asked_for(material: Path) -> None:
    path = material / "models/mlperf_tiny_vww_96_int8.tflite"
    options = ("--budget", "300MB", "--threads", "1")
    assert "worked out from its headers" in run(path, *options).output
    assert "): measured\n" in run(path, *options, "--measure").output
    assert "): measured\n" in run(path, *options).output


def test_a_board_that_is_not_here_cannot_be_measured() -> None:
    done = run("smear", "--board", "rpi-4b", "--measure")
    assert done.exit_code == 2
    assert "this machine" in done.output


def test_ram_without_a_board_is_told_to_say_nothing() -> None:
    done = run("smear", "--ram", "4GiB")
    assert done.exit_code == 2
    assert "--board" in done.output


def test_the_budget_of_the_environment_is_planned_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_BUDGET", "500MB")
    assert run("smear").stdout.startswith("smear within 500 MB (as asked in EDGE_BUDGET")
