"""The comparison with others: what is said of what was measured, and files that others read."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def peer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that imports a module of the comparison."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return lambda name: importlib.import_module(f"peer.{name}")


def measured(**more: float) -> dict[str, float]:
    return {"decode_tokens_per_s": 100.0, "prefill_tokens_per_s": 1000.0, "question_s": 0.1, "open_s": 0.2} | more


def of_shape(peer: Any, shape: str = "135m") -> Any:
    return peer("material").Material(shape, Path("x"), Path("y"))


def test_the_short_form_runs_who_is_installed_and_names_who_is_not(tmp_path: Path, material: Path) -> None:
    out, docs = tmp_path / "out.json", tmp_path / "docs"
    for folder in ("images", "reference"):
        (docs / folder).mkdir(parents=True)
    command = [sys.executable, str(FOLDER / "peers.py"), "--short", "--json", str(out), "--docs", str(docs)]
    command += ["--bundle", str(material / "bundles/tiny-text.litertlm")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shapes = json.loads(out.read_text())["shapes"]
    assert set(shapes) == {"tiny", "smear"}
    for found in shapes.values():
        assert not found["failed"]
        assert {"ours", "interpreter", "compiled_model"} <= set(found["sides"])
    if importlib.util.find_spec("llama_cpp") is None:
        assert "pip install llama-cpp-python" in shapes["tiny"]["missing"]["llama_q8_0"]
        assert "llama.cpp Q8_0: pip install" in (docs / "reference/peers.md").read_text()
    # The same weights by the same kernels: what the bare engine chooses is what we choose.
    assert shapes["tiny"]["same_choice"]["interpreter"] == 1
    assert "</svg>" in (docs / "images/peers-smear.svg").read_text()


def test_a_goal_against_two_is_held_against_the_better_of_each_turn(peer: Any) -> None:
    runs = {
        "ours": [
            measured(question_s=0.6) for _ in range(3)
        ],  # who asks at once waits longer, and is not what is judged here
        "ours_prepared": [measured(question_s=0.3), measured(question_s=0.3), measured(question_s=0.3)],
        "litert_lm": [measured(question_s=0.5), measured(question_s=1.0), measured(question_s=1.0)],
        "llama_q8_0": [measured(question_s=1.0), measured(question_s=0.6), measured(question_s=1.5)],
    }
    for taken in runs.values():
        for run in taken:
            run |= {"peak_rss_bytes": 1.0, "private_bytes": 1.0}
    goals = peer("result").summarise(of_shape(peer), runs, [], (128, 128))["goals"]
    loaded = next(goal for goal in goals if goal["what"] == "time to first token, loaded")
    assert loaded["found"] == 0.5  # of 0.6, 0.5 and 0.3
    assert loaded["reached"]
    decode = next(goal for goal in goals if goal["what"] == "decode" and goal["against"] == ["litert_lm"])
    assert not decode["reached"]


def test_ratios_are_taken_within_turns(peer: Any) -> None:
    runs = {
        "ours": [measured(open_s=1.0), measured(open_s=4.0), measured(open_s=9.0)],
        "interpreter": [measured(open_s=2.0), measured(open_s=4.0), measured(open_s=3.0)],
    }
    ratio = peer("result").summarise(of_shape(peer, "tiny"), runs, [], (128, 16))["ratio"]
    assert ratio["interpreter"]["open_s"] == 1.0
    assert set(ratio) == {"interpreter"}


def test_a_goal_whose_peer_did_not_run_is_not_judged(peer: Any) -> None:
    runs = {"ours": [measured()], "litert_lm": [measured()]}
    for run in (*runs["ours"], *runs["litert_lm"]):
        run["peak_rss_bytes"] = 1.0
    goals = peer("result").summarise(of_shape(peer), runs, [], (128, 128))["goals"]
    assert {tuple(goal["against"]) for goal in goals} == {("litert_lm",)}


def test_the_share_of_the_limit_counts_weights_and_caches(peer: Any) -> None:
    config = {
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 1000,
    }
    limit = peer("limit")
    weights = 2 * (64 * 64 * 2 + 2 * 64 * 32 + 3 * 64 * 160) + 1000 * 64
    assert limit.weight_bytes(config, "ours") == weights
    assert limit.weight_bytes(config, "llama_q8_0") == weights * 34 // 32
    row = 2 * 2 * 32 * 4  # keys and values of two layers, 32 numbers each
    assert limit.cache_bytes(config, "ours", (256, 1024), 128, 128) == 256 * row / 2  # float16
    assert limit.cache_bytes(config, "ours", (256,), 128, 128) == 256 * row  # the longest is not
    assert limit.cache_bytes(config, "litert_lm", (256, 1024), 128, 128) == 1024 * row
    assert limit.cache_bytes(config, "ours", (192, 256), 128, 128) == pytest.approx(
        row * (65 * 192 / 2 + 63 * 256) / 128, 1e-3
    )
    run = measured(decode_tokens_per_s=10.0)
    known = replace(of_shape(peer), config=config, lengths=(256,))
    found = peer("result").summarise(known, {"ours": [run]}, [1e6], (128, 128))
    share = (weights + 256 * row) * 10 / 1e6
    assert found["sides"]["ours"]["share_of_limit"]["median"] == pytest.approx(share, 1e-4)


def test_rows_that_turn_together_stand_together_in_a_gguf_file(peer: Any) -> None:
    rows = np.arange(8, dtype=np.float32).reshape(8, 1)  # two heads, four wide
    assert peer("gguf_file").interleave(rows, 2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_weights_go_by_other_names_in_a_gguf_file(peer: Any) -> None:
    name = peer("gguf_file").gguf_name
    assert name("model.layers.3.mlp.up_proj.weight") == "blk.3.ffn_up.weight"
    assert name("model.embed_tokens.weight") == "token_embd.weight"


def test_a_chart_shows_each_side_with_its_spread(peer: Any) -> None:
    chart = peer("chart")
    bars = [chart.Bar("ours", "Edge SDK", 150.0, 140.0, 160.0), chart.Bar("x", "A & B", 75.0, 70.0, 80.0)]
    drawn = chart.draw([chart.Panel("Decode", "tokens/s", "more", bars)], "a chart")
    assert "A &amp; B" in drawn
    widths = [
        float(part.split('"')[0]) for part in drawn.split('<rect x="168" ')[1:] for part in part.split('width="')[1:2]
    ]
    assert widths == [pytest.approx(238 * share / 160, abs=0.1) for share in (150, 75)]
    assert "150" in drawn


def test_a_bar_far_beyond_the_others_is_cut_and_says_its_value(peer: Any) -> None:
    chart = peer("chart")
    bars = [chart.Bar(name, name, value, value, value) for name, value in (("a", 1.0), ("b", 1.2), ("c", 50.0))]
    drawn = chart.draw([chart.Panel("Load", "ms", "less", bars)], "a chart")
    assert drawn.count('stroke="#FFFFFF"') == 1
    assert ">50<" in drawn
    assert 'width="238.0"' in drawn


def test_work_of_others_is_told_from_our_own(peer: Any) -> None:
    quiet = peer("quiet").Quiet()
    subprocess.run([sys.executable, "-c", "sum(range(10**6))"], check=True)
    assert 0 <= quiet.others_share() <= 1.05


@pytest.mark.parametrize(("reached", "word"), [(True, "| reached |"), (False, "| **missed** |")])
@pytest.mark.parametrize(("share", "quiet"), [(0.01, True), (0.4, False)])
def test_the_page_says_of_each_goal_whether_it_was_reached_and_whether_the_machine_was_quiet(
    peer: Any, tmp_path: Path, reached: bool, word: str, share: float, quiet: bool
) -> None:
    for folder in ("images", "reference"):
        (tmp_path / folder).mkdir()
    spread = {"median": 1.0, "least": 1.0, "most": 1.0}
    goal = {"what": "decode", "against": ["litert_lm"], "found": 2.3, "bar": 2.2, "at_least": True, "reached": reached}
    found = {
        "sides": {"ours": {"decode_tokens_per_s": spread}},
        "ratio": {},
        "goals": [goal],
        "missing": {"onnx_runtime": "pip install onnxruntime"},
        "failed": {},
        "same_choice": {},
        "versions": {"ours": "1"},
        "turns": 7,
        "threads": 2,
        "prompt": 128,
        "answer": 128,
        "others_share": share,
    }
    machine = {"cpu": "x", "cores": 2, "memory_gb": 4.0, "kernel": "6", "python": "3.11"}
    peer("page").write_page({"command": "python", "machine": machine, "shapes": {"135m": found}}, tmp_path)
    page = (tmp_path / "reference/peers.md").read_text()
    assert word in page
    assert ("not to be relied on" in page) != quiet
    assert "ONNX Runtime: pip install onnxruntime" in page
