from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import edge_sdk as edge

PHOTO = str(Path(edge.__file__).parent / "data/photos/smear-1.jpg")
QUESTION = "How many white blood cells are there?"


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_sdk", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


def test_the_answer_alone_goes_to_standard_output() -> None:
    done = run("ask", PHOTO, QUESTION)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "white blood cell" in done.stdout
    assert done.stderr == ""


def test_json_holds_the_answer_its_frame_and_its_timings() -> None:
    report = json.loads(run("ask", PHOTO, QUESTION, "--json").stdout)
    assert report["bundle"] == "smear"
    assert report["finish"] == "stop"
    assert "smear-1.jpg" in report["frames"][0]
    assert report["timings"]["tokens"] > 3
    assert run("ask", PHOTO, QUESTION).stdout.strip() == report["answer"]


def test_a_question_that_is_no_text_is_refused() -> None:
    command = [sys.executable, "-m", "edge_sdk", "ask", PHOTO, "-"]
    done = subprocess.run(command, input=b"a\xffb", capture_output=True, check=False)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_the_question_may_come_through_a_pipe() -> None:
    assert run("ask", PHOTO, "-", stdin=QUESTION + "\n").stdout == run("ask", PHOTO, QUESTION).stdout


def test_a_question_without_a_frame_is_answered() -> None:
    done = run("ask", QUESTION)
    assert done.returncode == 0
    assert "frame" in done.stdout


def test_max_tokens_ends_the_answer() -> None:
    report = json.loads(run("ask", PHOTO, QUESTION, "--max-tokens", "2", "--json").stdout)
    assert report["finish"] == "length"
    assert report["timings"]["tokens"] == 2


def test_the_overlay_is_written(tmp_path: Path) -> None:
    out = tmp_path / "marked.png"
    done = run("ask", PHOTO, QUESTION, "--overlay", str(out))
    assert done.returncode == 0
    assert str(out) in done.stderr
    assert edge.Frame.open(out).pixels.shape[0] >= edge.Frame.open(PHOTO).pixels.shape[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask", "no/such.jpg", "How many?"], "no/such.jpg"),
        (["ask", PHOTO, ""], "empty"),
        (["ask", PHOTO, QUESTION, "--bundle", "nothing"], "nothing"),
        (["ask", PHOTO, QUESTION, "--visual-tokens", "36"], "no ladder of visual tokens"),
        (["ask", PHOTO, QUESTION, "--deadline-ms", "200"], "no ladder of visual tokens"),
        (["ask", PHOTO, QUESTION, "--deadline-ms", "200", "--visual-tokens", "36"], "Give one of them"),
        (["ask", str(Path(PHOTO).parent), "How many?"], "is a folder"),
    ],
)
def test_a_failure_says_what_and_exits_with_1_without_a_traceback(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in run("--debug", *arguments).stderr


def test_wrong_usage_exits_with_2() -> None:
    assert run("ask", PHOTO, QUESTION, "--no-such-option").returncode == 2
    assert run("ask", QUESTION, "--overlay", "x.png").returncode == 2
    assert run("ask", PHOTO, QUESTION, "--overlay", "x.xyz").returncode == 2
    assert run("ask", PHOTO).returncode == 2
    assert run("ask", "", QUESTION).returncode == 2
    assert run("nothing").returncode == 2


def test_the_version_is_told() -> None:
    assert edge.__version__ in run("--version").stdout


def test_ctrl_c_in_the_middle_of_an_answer_stops_it_and_says_so(material: Path) -> None:
    bundle = str(material / "bundles/tiny-text.litertlm")
    command = [sys.executable, "-m", "edge_sdk", "ask", "What is this?", "--bundle", bundle]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    first = child.stdout.read(1)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert first == "2"
    assert child.returncode == 130
    assert "Stopped" in said
    assert "Traceback" not in said


INTERRUPTED_IMPORT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)

wanted = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupt())
from edge_sdk.cli.entry import main
main()
"""


@pytest.mark.parametrize("module", ["click", "edge_sdk.errors", "edge_sdk.cli.ask", "numpy", "cv2", "edge_sdk.runtime"])
def test_ctrl_c_while_it_starts_leaves_no_traceback(module: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED_IMPORT, module, "ask", PHOTO, QUESTION]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (130, -signal.SIGINT)
    assert done.stdout == ""
    assert done.stderr.strip() in ("", "Stopped.")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_closed_stream_is_no_crash(closed: str) -> None:
    command = f"{sys.executable} -m edge_sdk ask {PHOTO} '{QUESTION}' {closed}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


def test_the_frame_may_come_through_a_pipe() -> None:
    command = [sys.executable, "-m", "edge_sdk", "ask", "-", QUESTION]
    done = subprocess.run(command, input=Path(PHOTO).read_bytes(), capture_output=True, check=False)
    assert done.stdout.decode() == run("ask", PHOTO, QUESTION).stdout


def test_the_overlay_never_takes_the_place_of_its_picture(tmp_path: Path) -> None:
    mine = tmp_path / "mine.png"
    edge.Frame.open(PHOTO).save(mine)
    before = mine.read_bytes()
    assert run("ask", str(mine), QUESTION, "--overlay", str(mine)).returncode == 2
    assert run("count", str(mine), "--overlay", str(tmp_path)).returncode == 2
    assert mine.read_bytes() == before


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m edge_sdk ask {PHOTO} '{QUESTION}' | head -c 3"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert len(done.stdout) == 3
    assert done.stderr == ""


def test_a_region_is_asked_about_and_the_frame_is_named() -> None:
    report = json.loads(run("ask", PHOTO, QUESTION, "--region", "0.0,0.0,0.5,0.5", "--json").stdout)
    assert report["seen"][0]["source"] == PHOTO
    assert report["seen"][0]["encoded_sequence"] == report["seen"][0]["sequence"]
    beyond = run("ask", PHOTO, QUESTION, "--region", "300,300,100,100")
    assert beyond.returncode == 1
    assert "360x363" in beyond.stderr
