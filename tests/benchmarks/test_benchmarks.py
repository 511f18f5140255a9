"""Every benchmark runs, in its short form; what it measures is not judged here."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "micropython"))

from interpreter import HOW, found

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def run(name: str, out: Path, *more: str | Path) -> dict[str, Any]:
    command = [sys.executable, str(FOLDER / name), "--json", str(out), "--short", *map(str, more)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(out.read_text())
    return result


def test_the_overhead_of_counting(tmp_path: Path) -> None:
    result = run("overhead.py", tmp_path / "out.json")
    assert result["frames"] == 20
    assert result["ratio"]["median"] > 0.5


def test_the_first_word_of_an_answer(tmp_path: Path) -> None:
    result = run("first_word.py", tmp_path / "out.json")
    assert set(result["ratio"]) == set(result["bars"])
    assert result["ratio"]["first_to_bare"]["median"] > 0.5
    assert sum(result["runs"].values()) >= 3  # encoder, adapter, and the prompt with its scores, in one run or two


def test_fewer_visual_tokens(tmp_path: Path, material: Path) -> None:
    result = run("visual_tokens.py", tmp_path / "out.json", "--bundle", material / "bundles/tiny-vision.litertlm")
    assert [row["tokens"] for row in result["rungs"]] == [65, 16, 4]
    assert result["rungs"][0]["sooner"]["median"] == 1
    assert result["rungs"][0]["prompt_tokens"] - result["rungs"][2]["prompt_tokens"] == 61


def test_a_camera_that_is_counted_and_asked_about(tmp_path: Path) -> None:
    result = run("camera.py", tmp_path / "out.json")
    for name in ("count", "count_and_questions", "watch", "watch_still"):
        assert result[name]["given"] >= result[name]["seen"] > 0
        assert result[name]["latency_ms"]["median"] > 0
    assert result["watch_still"]["kept"] > 0
    assert result["count"]["kept"] == 0


def test_prompts_and_guesses(tmp_path: Path, material: Path) -> None:
    result = run("prompt.py", tmp_path / "out.json", "--bundle", material / "bundles/tiny-text-two-caches.litertlm")
    assert [row["tokens"] for row in result["chunks"]] == [20, 40]
    assert result["begins_alike"]["first_s"] > 0
    assert result["step"]["engine_s"] < result["step"]["step_s"]
    assert "skipped" in result["guesses"]


def test_raw_frames(tmp_path: Path) -> None:
    rows: Any = run("raw_frame.py", tmp_path / "out.json")
    assert {row["format"] for row in rows} == {"yuyv", "yuv420"}
    assert all(row["ratio"] > 0 for row in rows)


def test_the_soak(tmp_path: Path) -> None:
    result = run("soak.py", tmp_path / "out.json")
    assert result["growth_bytes"] == result["rss_at_end_bytes"] - result["rss_after_100_bytes"]


@pytest.mark.skipif(importlib.util.find_spec("litert_lm") is None, reason="litert-lm-api is not installed")
def test_decoding_beside_litert_lm(tmp_path: Path, material: Path) -> None:
    result = run("decode.py", tmp_path / "out.json", "--bundle", material / "bundles/tiny-text.litertlm")
    assert set(result["ratio"]) == {"decode", "prefill", "peak_rss", "first_token"}


def test_the_telemetry(tmp_path: Path) -> None:
    result = run("telemetry.py", tmp_path / "out.json")
    assert result["readings"] == 20
    assert result["files"] > 150
    assert result["large_board_kept_open"]["median_ms"] > 0


def test_what_a_plan_tells_of_memory(tmp_path: Path) -> None:
    found: Any = run("footprint.py", tmp_path / "out.json")
    assert [row["engine"] for row in found] == ["litert", "interpreter"]
    for row in found:
        assert set(row["error"]) == {"headers", "measured"}
        assert row["seen"]["private_bytes"] < row["seen"]["total_bytes"]


def test_real_memory_limits(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    result = run("memory.py", tmp_path / "out.json", "--table", page)
    if result["skipped"]:
        pytest.skip(result["skipped"][0])
    assert [row["limit_mb"] for row in result["rows"]] == [64, 128]
    for row in result["rows"]:
        assert row["outcome"] in ("answered", "refused")
        assert row["oom_kills"] == 0
        assert row["peak_bytes"] <= row["limit_mb"] * 1_000_000
    assert "Killed by the kernel: 0 of ours" in page.read_text()


def test_the_next_start_after_a_kill(tmp_path: Path) -> None:
    result = run("kill.py", tmp_path / "out.json")
    assert result["failed"] == 0
    assert len(result["moments"]) == 6


def test_sharing_between_processes(tmp_path: Path, material: Path) -> None:
    bundle = material / "bundles/tiny-text.litertlm"
    result = run("sharing.py", tmp_path / "out.json", "--bundle", bundle)
    assert 1 < result["ours"]["ratio"] <= 2


def test_streaming_of_weights_that_are_too_few_for_it(tmp_path: Path, material: Path) -> None:
    result = run("streaming.py", tmp_path / "out.json", "--bundle", material / "bundles/tiny-text.litertlm")
    assert "too few" in result["skipped"][0] or "no control group" in result["skipped"][0]


def test_an_echo_over_the_bridge(tmp_path: Path) -> None:
    result = run("bridge_echo.py", tmp_path / "out.json")
    assert result["echoes"] == 100
    assert result["ratio"]["of_medians"] > 0.5


def test_what_importing_the_bridge_takes(tmp_path: Path) -> None:
    result = run("bridge_import.py", tmp_path / "out.json")
    assert set(result) == {"import firmware_bridge", "open_bridge from it"}
    assert all(row["ms"] > 0 for row in result.values())


def test_the_wire_code_of_the_bridge_under_dice(tmp_path: Path) -> None:
    result = run("bridge_fuzz.py", tmp_path / "out.json")
    assert (result["crashes"], result["differences"]) == (0, 0)
    assert result["counts"]["refused"] > 500
    assert {row["inputs"] for row in result["interpreters"].values()} == {2000}


def test_no_benchmark_is_left_out_of_this_file() -> None:
    # make_bundles needs PyTorch, which no device has; what it makes is stood in for by the tiny bundle above, which is
    # too small to be streamed: tests/edge_sdk/memory/test_stream.py shows that. test_floor.py and test_four_bit.py need
    # PyTorch too.
    # bare is a part of first_word, control_group one of memory; peer_files needs PyTorch too; test_peers.py runs peers.
    # firmware_heap needs a Unix port of MicroPython, which not every machine has.
    assert {path.name for path in FOLDER.glob("*.py")} == {
        "bare.py",
        "bridge_echo.py",
        "bridge_faults.py",
        "bridge_fuzz.py",
        "bridge_import.py",
        "bridge_telemetry.py",
        "camera.py",
        "control_group.py",
        "decode.py",
        "firmware_heap.py",
        "first_word.py",
        "floor.py",
        "footprint.py",
        "four_bit.py",
        "kill.py",
        "make_bundles.py",
        "memory.py",
        "overhead.py",
        "peer_files.py",
        "peers.py",
        "prompt.py",
        "raw_frame.py",
        "sharing.py",
        "soak.py",
        "streaming.py",
        "telemetry.py",
        "visual_tokens.py",
    }


@pytest.fixture
def with_micropython() -> None:
    """Skip where there is no MicroPython."""
    if not found():
        pytest.skip(HOW)


@pytest.mark.usefixtures("with_micropython")
def test_faults_of_the_bridges_line(tmp_path: Path) -> None:
    result = run("bridge_faults.py", tmp_path / "out.json", "--only", "flip", "cut", "update")
    assert result["broken"] == []
    assert result["rounds"]["flip"]["faults"]["flip"] >= 100
    assert result["rounds"]["flip"]["done"] > 0


@pytest.mark.usefixtures("with_micropython")
def test_telemetry_of_the_bridge(tmp_path: Path) -> None:
    result = run("bridge_telemetry.py", tmp_path / "out.json")
    assert result["flat"]
    assert result["missed_unseen"] == 0
    assert result["readings"] > 200
    assert result["device_looks"] > 10


@pytest.mark.parametrize(
    ("side", "outcome", "kills", "bad"),
    [
        ("ours", "answered", 0, False),
        ("first", "refused", 0, False),
        ("ours", "answered", 1, True),
        ("streamed", "cut", 0, True),
        ("ours", "failed", 0, True),
        ("first", "timed out", 0, True),
        ("litert_lm", "killed", 1, False),
    ],
)
def test_real_memory_limits_end_badly_for_all_but_an_answer_or_a_refusal(
    tmp_path: Path, side: str, outcome: str, kills: int, bad: bool
) -> None:
    row = {"place": "lab", "bundle": "x", "side": side, "limit_mb": 64, "outcome": outcome, "oom_kills": kills}
    (tmp_path / "found.json").write_text(json.dumps({"limits_mb": [64], "tokens": 1, "rows": [row], "skipped": []}))
    command = [sys.executable, str(FOLDER / "memory.py"), "--from", str(tmp_path / "found.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == int(bad)
    assert (f"x {side} at 64 MB (lab): {outcome}" in done.stderr) == bad
