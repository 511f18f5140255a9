from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_sdk.bench import process
from edge_sdk.bench.cold import drop_pages
from edge_sdk.bench.job import Job
from edge_sdk.bench.process import do_job
from edge_sdk.errors import EdgeError, ModelError


def started(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Have a piece of Python run instead of the worker."""
    monkeypatch.setattr(process, "worker_command", lambda *_: [sys.executable, "-c", code])


JOB = Job("limit", "x.litertlm", "", "auto", 1)


def test_a_job_is_done_in_a_process_of_its_own() -> None:
    found = do_job(Job("limit", "", "", "auto", 1, short=True, sets=(4096,)))
    assert found.keys() == {"read@4096", "int8@1", "int8@128", "process_start"}
    assert all(value > 0 for value in found.values())


def test_an_error_in_it_is_raised_here_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="There is no bundle") as caught:
        do_job(Job("load", str(tmp_path / "none.litertlm"), str(tmp_path), "auto", 1))
    assert "edge bundle add" in (caught.value.fix or "")


def test_a_process_that_is_killed_is_told_by_its_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(ModelError, match=r"x\.litertlm ended with SIGKILL \(limit\)") as caught:
        do_job(JOB)
    assert "--budget" in (caught.value.fix or "")


def test_a_process_that_fails_tells_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, "raise SystemExit('no more\\ndisk is gone')")
    with pytest.raises(ModelError) as caught:
        do_job(JOB)
    assert caught.value.why == "disk is gone"


def test_one_that_takes_too_long_is_ended_with_all_that_it_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    started(
        monkeypatch,
        "import os, pathlib, subprocess, time\nos.setpgrp()\n"
        f"pathlib.Path({str(note)!r}).write_text(str(subprocess.Popen(['sleep', '600']).pid))\ntime.sleep(600)",
    )
    monkeypatch.setattr(process, "_LIMIT_S", 1.0)
    with pytest.raises(ModelError, match="was not measured within 1 s"):
        do_job(JOB)
    child = int(note.read_text())
    deadline = time.monotonic() + 10
    while alive(child) and time.monotonic() < deadline:
        os.sched_yield()
    assert not alive(child)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_file_is_read_from_its_disk_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(1 << 20))
    told = drop_pages(tmp_path / "file")
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(tmp_path)], capture_output=True, text=True, check=True).stdout
    if "tmpfs" in kind:
        assert "it lies in memory" in told
    else:
        assert told == "" or "The kernel kept the bundle" in told


def test_a_file_in_memory_cannot_be_dropped_and_that_is_told() -> None:
    descriptor = os.memfd_create("file")
    try:
        os.write(descriptor, bytes(1 << 20))
        assert "it lies in memory" in drop_pages(Path(f"/proc/self/fd/{descriptor}"))
    finally:
        os.close(descriptor)


def test_a_file_that_is_not_there_tells_why(tmp_path: Path) -> None:
    assert drop_pages(tmp_path / "none").endswith(": No such file or directory.")


def test_an_interrupt_ends_the_process_too(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen):  # type: ignore[type-arg]
        def communicate(self, *_: object, **__: object) -> tuple[bytes, bytes]:
            seen.append(self)
            raise KeyboardInterrupt

    started(monkeypatch, "import time; time.sleep(600)")
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        do_job(JOB)
    assert seen[0].returncode == -signal.SIGKILL
    for stream in (seen[0].stdout, seen[0].stderr):
        assert stream is not None
        assert stream.closed
