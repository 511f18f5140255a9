"""Where tests find what lies beside the project, and a home of their own."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
MATERIAL = Path(os.environ.get("EDGE_MATERIAL", ROOT.parent / "shared"))
HOME = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the user's bundles out of the tests, and the tests' packed weights out of the user's cache."""
    home = config.stash[HOME] = tempfile.TemporaryDirectory()
    os.environ["EDGE_BUNDLES"] = f"{home.name}/bundles"
    os.environ["EDGE_CACHE"] = f"{home.name}/weights"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take that home away again."""
    config.stash[HOME].cleanup()


@pytest.fixture(scope="session")
def material() -> Path:
    """Give the folder of test material, or skip with the reason."""
    if not MATERIAL.is_dir():
        pytest.skip(f"no test material at {MATERIAL} (set EDGE_MATERIAL)")
    return MATERIAL


@pytest.fixture(scope="session")
def in_lab(material: Path) -> Callable[..., dict[str, Any]]:
    """Give a function that runs a program in the small Linux and gives the JSON that it ends with; or skip.

    With ``log`` there is all that it wrote, too, under that name.
    """
    lab = material / "lab" / "lab"
    if not lab.exists():
        pytest.skip(f"no small Linux at {lab}")
    if os.uname().machine != "x86_64":
        pytest.skip("the small Linux is of x86-64")

    def run(guest: Path, *arguments: str, memory: str = "256M", time_s: int = 120, log: bool = False) -> dict[str, Any]:
        options = ["--mem", memory, "--time", str(time_s), "--"]
        command = [str(lab), *options, sys.executable, str(guest), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=time_s + 60)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        assert done.returncode == 0, done.stdout + done.stderr
        assert lines, done.stdout + done.stderr
        told: dict[str, Any] = json.loads(lines[-1])
        return told | ({"log": done.stdout} if log else {})  # the guest's console carries both of its outputs

    return run


@pytest.fixture
def put_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Give a function that puts a program of tests/programs on the path, under its name or another."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def put(program: str, name: str = "") -> Path:
        text = (ROOT / "tests" / "programs" / program).read_text()
        path = folder / (name or program)
        path.write_text(text.replace("#!/usr/bin/env python3", f"#!{sys.executable} -S", 1))
        path.chmod(0o755)
        return path

    return put


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ffmpeg on the path, the system's or that of a wheel, or skip with the reason."""
    if shutil.which("ffmpeg"):
        return
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        pytest.skip("there is neither ffmpeg nor imageio-ffmpeg (sudo apt install ffmpeg)")
    import imageio_ffmpeg

    (tmp_path / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


@pytest.fixture
def gstreamer() -> None:
    """Skip where GStreamer is not installed."""
    if shutil.which("gst-launch-1.0") is None:
        pytest.skip("there is no gst-launch-1.0 (sudo apt install gstreamer1.0-tools gstreamer1.0-plugins-base)")
