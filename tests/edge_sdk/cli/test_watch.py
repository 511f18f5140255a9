from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from edge_sdk.cli.main import edge
from edge_sdk.errors import ProcessNotFound, UnitError


def run(*arguments: str) -> Result:
    return CliRunner().invoke(edge, ["watch", *arguments], catch_exceptions=False)


def test_a_still_text_is_printed_once_and_steers_no_terminal() -> None:
    done = run("--once")
    assert done.exit_code == 0
    assert "memory " in done.stdout
    assert "\x1b" not in done.stdout


def test_a_process_is_shown_against_the_budget_that_is_said() -> None:
    text = run("--once", "--pid", str(os.getpid()), "--budget", "64GB").stdout
    assert f"process {os.getpid()}" in text
    assert "of 64 GB" in text


def test_lines_of_json_come_one_after_the_other_until_it_is_stopped() -> None:
    command = [sys.executable, "-m", "edge_sdk", "watch", "--json", "--interval", "0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        lines = [json.loads(watching.stdout.readline()) for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        _, said = watching.communicate(timeout=60)
    assert lines[0]["time"] < lines[1]["time"]
    assert lines[0]["memory_total_bytes"] == lines[1]["memory_total_bytes"] > 0
    assert watching.returncode == 130
    assert "Traceback" not in said


def test_a_process_that_is_not_there_is_said() -> None:
    with pytest.raises(ProcessNotFound):
        run("--once", "--pid", "4194304")


def test_a_budget_that_is_none_is_refused() -> None:
    with pytest.raises(UnitError):
        run("--once", "--budget", "lots")
