from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sdk.cli.main import edge
from edge_sdk.errors import StorageError

FAIL = {"proc/device-tree/compatible": "rockchip,rv1103g-38x38-ipc-v10\0rockchip,rv1103\0",
        "proc/device-tree/model": "Luckfox Pico Mini A\0"}  # fmt: skip
WARN = {"proc/700/comm": "ModemManager\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a machine without anything."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def grow(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(edge, ["doctor", *map(str, arguments)], catch_exceptions=False)


class TestExitStatus:
    def test_0_where_nothing_is_wrong(self, root: Path) -> None:
        done = run("--root", root, "--only", "serial")
        assert done.exit_code == 0
        assert done.stdout.splitlines()[-1] == "Nothing is wrong; 1 fine."

    def test_1_with_a_warning_and_its_command(self, root: Path) -> None:
        grow(root, WARN)
        done = run("--root", root, "--only", "serial.modemmanager")
        assert done.exit_code == 1
        lines = done.stdout.splitlines()
        assert lines[0] == "Serial ports and pins"
        assert lines[1].split()[:2] == ["WARN", "serial.modemmanager"]
        assert lines[2].strip() == "-> sudo systemctl disable --now ModemManager"
        assert lines[-1] == "1 warning; 0 fine."

    def test_2_with_a_failure(self, root: Path) -> None:
        grow(root, {**WARN, **FAIL})
        done = run("--root", root, "--only", "serial,board")
        assert done.exit_code == 2
        assert done.stdout.splitlines()[-1] == "1 failure, 1 warning; 0 fine."

    def test_the_real_command_ends_with_it_too(self, root: Path) -> None:
        grow(root, FAIL)
        command = [sys.executable, "-m", "edge_sdk", "doctor", "--root", str(root), "--only", "board"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (2, "")


class TestJson:
    def test_every_finding_is_an_object(self, root: Path) -> None:
        grow(root, WARN)
        done = run("--root", root, "--only", "serial", "--json")
        told = json.loads(done.stdout)
        assert told["status"] == done.exit_code == 1
        assert [(each["id"], each["mark"]) for each in told["findings"]] == [
            ("serial.ports", "nothing"), ("serial.permission", "nothing"), ("serial.modemmanager", "warning")
        ]  # fmt: skip


class TestOnly:
    def test_a_wrong_id_is_wrong_usage_and_names_those_that_look_alike(self) -> None:
        done = run("--only", "camra")
        assert done.exit_code == 2
        assert "There is no check 'camra'" in done.stderr
        assert "camera" in done.stderr.partition("Did you mean")[2]


class TestReport:
    def test_it_holds_what_was_found(self, root: Path, tmp_path: Path) -> None:
        grow(root, WARN)
        done = run("--root", root, "--only", "serial", "--report", tmp_path / "r.zip")
        assert done.exit_code == 1
        assert f"Report: {tmp_path / 'r.zip'}" in done.stderr
        with zipfile.ZipFile(tmp_path / "r.zip") as archive:
            assert len(json.loads(archive.read("findings.json"))) == 3

    def test_another_ending_is_refused_before_anything_is_done(self, tmp_path: Path) -> None:
        done = run("--report", tmp_path / "photo.jpg")
        assert done.exit_code == 2
        assert "end it with .zip" in done.stderr

    def test_one_that_cannot_be_written_is_told_before_anything_is_done(self, root: Path, tmp_path: Path) -> None:
        done = run("--root", root, "--only", "serial", "--report", tmp_path / "no/r.zip")
        assert (done.exit_code, done.stdout) == (2, "")
        assert "was not written" in done.stderr

    def test_one_that_cannot_be_written_after_all_is_told_and_no_warning(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object, **__: object) -> None:
            raise StorageError("The disk is full.")

        monkeypatch.setattr("edge_sdk.cli.doctor.write_report", full)
        done = run("--root", root, "--only", "serial", "--report", tmp_path / "r.zip")
        assert done.exit_code == 2
        assert "Nothing is wrong" in done.stdout
        assert "The disk is full." in done.stderr
        assert list(tmp_path.iterdir()) == [root]


def test_what_a_device_calls_itself_cannot_steer_the_terminal(root: Path) -> None:
    grow(root, {"proc/device-tree/compatible": "x,y\0", "proc/device-tree/model": "\x1b[2JBad\a\0"})
    done = run("--root", root, "--only", "board")
    assert "\x1b[2J" not in done.stdout
    assert "\a" not in done.stdout
