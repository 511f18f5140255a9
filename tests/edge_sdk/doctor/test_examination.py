from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk.doctor import CHECKS, GROUPS, Check, examine, exit_status, find_checks
from edge_sdk.doctor.finding import failure, nothing, ok, warning
from edge_sdk.doctor.reference import reference
from edge_sdk.errors import UnknownCheck

PAGE = Path(__file__).resolve().parents[3] / "docs/reference/doctor.md"
# What checks may do to the process that does them.
CASES = """
import os, pathlib, signal, subprocess, sys, time
from edge_sdk.doctor.finding import ok
from edge_sdk.errors import EdgeError

def fine(here):
    yield ok(f"seen in {here.root} by {os.getpid()}")

def noisy(here):
    print("a library's words")
    os.write(1, b"and native ones")
    yield ok("said")

def broken(here):
    yield ok("before")
    raise ValueError("after")

def silent(here):
    return iter(())

def refused(here):
    raise EdgeError("What.", why="Why.", fix="Fix.")
    yield

def crashes(here):
    yield ok("before")
    os.kill(os.getpid(), signal.SIGSEGV)

def illegal(here):
    os.kill(os.getpid(), signal.SIGILL)
    yield

def hangs(here):
    child = subprocess.Popen(["sleep", "600"])
    pathlib.Path(here.root, "child").write_text(str(child.pid))
    yield ok("before")
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
    while True:
        time.sleep(600)
"""


@pytest.fixture
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "doctor_cases.py").write_text(CASES)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def case(name: str, limit_s: float = 60.0) -> Check:
    return Check(f"case.{name}", "?", f"doctor_cases:{name}", limit_s)


def ends(pid: int) -> bool:
    """Say whether a process is over within moments: it was killed, and the kernel takes its time."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 20)[0])
    finally:
        os.close(watched)


class TestEachCheckRunsApart:
    def test_quick_ones_share_a_process_and_an_own_one_gets_its_own(self, cases: Path) -> None:
        own = Check("case.own", "?", "doctor_cases:fine", 60.0, apart=True)
        found = list(examine([case("fine"), case("fine"), own, case("fine")], root=cases))
        assert [finding.mark for finding in found] == ["ok"] * 4
        pids = [finding.what.rpartition(" ")[2] for finding in found]
        assert pids[0] == pids[1]
        assert len(set(pids)) == 3
        assert str(os.getpid()) not in pids
        assert all(f"seen in {cases} by" in finding.what for finding in found)

    def test_what_a_library_prints_is_not_taken_for_a_finding(self, cases: Path) -> None:
        assert [(f.id, f.what) for f in examine([case("noisy")], root=cases)] == [("case.noisy", "said")]

    def test_an_exception_is_a_finding_and_the_next_check_is_done(self, cases: Path) -> None:
        found = list(examine([case("broken"), case("fine")], root=cases))
        assert [(f.id, f.mark) for f in found] == [
            ("case.broken", "ok"), ("case.broken", "failure"), ("case.fine", "ok")
        ]  # fmt: skip
        assert "ValueError: after" in found[1].what

    def test_a_check_that_finds_nothing_says_so(self, cases: Path) -> None:
        assert [(f.id, f.mark) for f in examine([case("silent")], root=cases)] == [("case.silent", "nothing")]

    def test_an_error_for_the_user_keeps_its_words(self, cases: Path) -> None:
        (found,) = examine([case("refused")], root=cases)
        assert (found.mark, found.what, found.fix) == ("failure", "What. Why.", "Fix.")

    def test_a_crash_is_a_finding_and_the_next_check_is_done(self, cases: Path) -> None:
        found = list(examine([case("crashes"), case("illegal"), case("fine")], root=cases))
        assert [(f.id, f.mark) for f in found] == [
            ("case.crashes", "ok"), ("case.crashes", "failure"), ("case.illegal", "failure"), ("case.fine", "ok")
        ]  # fmt: skip
        assert "SIGSEGV" in found[1].what
        assert "edge doctor --only case.crashes" in found[1].fix
        assert "instructions that this processor lacks" in found[2].what

    def test_one_that_hangs_is_killed_with_what_it_started(self, cases: Path) -> None:
        found = list(examine([case("hangs", 1.0), case("fine")], root=cases))
        assert [(f.id, f.mark) for f in found] == [
            ("case.hangs", "ok"), ("case.hangs", "failure"), ("case.fine", "ok")
        ]  # fmt: skip
        assert found[1].what == "It hung: no answer within 1 s."
        assert ends(int((cases / "child").read_text()))

    def test_a_check_that_is_not_there_is_a_finding(self, cases: Path) -> None:
        (found,) = examine([case("no_such_function")], root=cases)
        assert found.mark == "failure"
        assert "no_such_function" in found.what

    def test_where_no_process_can_be_started_each_check_says_so(
        self, cases: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object, **__: object) -> None:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        monkeypatch.setattr(subprocess, "Popen", full)
        found = list(examine([case("fine"), case("noisy")], root=cases))
        assert [(f.id, f.mark) for f in found] == [("case.fine", "failure"), ("case.noisy", "failure")]

    def test_giving_up_halfway_leaves_no_process(self, cases: Path) -> None:
        findings = examine([case("hangs", 600.0)], root=cases)
        next(findings)
        findings.close()
        assert ends(int((cases / "child").read_text()))


class TestTheTable:
    def test_ids_are_their_own_and_every_group_has_a_heading(self) -> None:
        assert len({check.id for check in CHECKS}) == len(CHECKS)
        assert {check.group for check in CHECKS} == {group for groups in GROUPS.values() for group in groups}

    def test_checks_stand_in_the_order_of_their_headings(self) -> None:
        order = [group for groups in GROUPS.values() for group in groups]
        places = [order.index(check.group) for check in CHECKS]
        assert places == sorted(places)

    def test_every_check_is_there(self) -> None:
        for check in CHECKS:
            module, _, name = check.home.partition(":")
            assert callable(getattr(__import__(f"edge_sdk.doctor{module}", fromlist=[name]), name)), check.id

    def test_a_group_stands_for_its_checks(self) -> None:
        assert [check.id for check in find_checks(["serial"])] == [
            "serial.ports", "serial.permission", "serial.modemmanager"
        ]  # fmt: skip

    def test_a_wrong_id_names_those_that_look_alike(self) -> None:
        with pytest.raises(UnknownCheck, match=r"camera\.frame") as caught:
            find_checks(["camera.frame"])
        assert "camera.frames" in (caught.value.why or "")
        assert "throttle" in (caught.value.fix or "")

    def test_the_page_is_what_the_table_says(self) -> None:
        assert PAGE.read_text() == reference(), "run: make docs"

    def test_the_how_to_names_only_checks_that_there_are(self) -> None:
        page = (PAGE.parents[1] / "how-to/find-what-is-wrong.md").read_text()
        named = re.findall(r"--only ([a-z.]+)", page)
        assert len(named) > 15
        assert find_checks(named)
        assert not {check.group for check in CHECKS} - {name.partition(".")[0] for name in named} - {
            "board", "os", "python"
        }  # fmt: skip


class TestExitStatus:
    def test_the_worst_finding_decides(self) -> None:
        assert exit_status([]) == 0
        assert exit_status([ok("a"), nothing("b")]) == 0
        assert exit_status([ok("a"), warning("b", "c")]) == 1
        assert exit_status([warning("b", "c"), failure("d", "e"), ok("a")]) == 2


def test_neither_numpy_nor_an_engine_is_loaded_to_start_examining() -> None:
    code = (
        "import sys, edge_sdk.doctor, edge_sdk.cli.doctor, edge_sdk.cli.watch, edge_sdk.cli.board; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "cv2", "ai_edge_litert"} & set(done.stdout.split())
