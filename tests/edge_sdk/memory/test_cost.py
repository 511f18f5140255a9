"""Plans for real bundles: what the planner asks of headers, weight cache and boards."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boards import Profile, find_profile, profiles
from edge_sdk.bundle import Bundle, find_bundle, open_bundle
from edge_sdk.errors import EdgeError, ModelError, OverBudget
from edge_sdk.memory import Plan, engine_threads, measurement, plan_for
from edge_sdk.memory.cost import BundleCosts
from edge_sdk.memory.family import open_family
from edge_sdk.memory.footprint import predict_words, used_graphs
from edge_sdk.memory.workload import workload
from edge_sdk.runtime import WeightCache, open_model, weight_cache

NARROW = Profile(
    id="small", name="Small", soc="x", architecture="armv7l", ram_options_bytes=(1 << 30,), accelerators=()
)


def test_the_shipped_bundle_is_planned_with_all_its_parts() -> None:
    found = plan_for("smear", budget="512MB", threads=1)
    assert {section.mode for section in found.sections} == {"resident"}
    assert found.sections[0].name == "tokenizer"
    assert found.peak_private_bytes < found.needed_bytes < 200_000_000
    assert found.section("tf_lite_pixel_encoder").footprint.private_bytes > 1_000_000


def test_no_engine_and_no_weight_is_touched_for_a_plan() -> None:
    code = (
        "from edge_sdk import plan; plan('smear', budget='512MB');"
        "maps = open('/proc/self/maps').read(); print('libLiteRt' in maps, '_pywrap' in maps)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_weights_that_are_packed_already_need_not_be_packed_again(material: Path, tmp_path: Path) -> None:
    path = material / "models/mobilenet_v2_1.0_224_quant.tflite"
    cache = WeightCache(tmp_path)
    cold = plan_for(path, budget="512MB", threads=1, engine="litert", weight_cache=cache)
    assert cold.to_pack == ("tflite",)
    open_model(path, engine="litert", threads=1, weight_cache=cache).close()
    warm = plan_for(path, budget="512MB", threads=1, engine="litert", weight_cache=cache)
    assert warm.to_pack == ()
    assert warm.moments[0].private_bytes < cold.moments[0].private_bytes


def test_a_changed_file_is_not_taken_for_the_one_that_was_packed(material: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes((material / "models/mobilenet_v2_1.0_224_quant.tflite").read_bytes())
    cache = WeightCache(tmp_path / "cache")
    open_model(path, engine="litert", threads=1, weight_cache=cache).close()
    path.write_bytes(path.read_bytes() + bytes(16))
    assert plan_for(path, budget="512MB", threads=1, engine="litert", weight_cache=cache).to_pack == ("tflite",)


def test_the_older_engine_is_planned_without_a_weight_cache() -> None:
    found = plan_for("smear", budget="1GB", engine="interpreter", task="count", threads=1)
    assert (found.engine, found.weight_cache, found.to_pack) == ("interpreter", False, ())


def test_a_32_bit_board_gets_the_older_engine() -> None:
    assert plan_for("smear", board=NARROW, task="count").engine == "interpreter"
    with open_family("smear") as members, pytest.raises(EdgeError, match="litert is not there"):
        BundleCosts(members, 1, None, NARROW).engines("litert")


@pytest.mark.parametrize("task", ["ask", "text"])
def test_what_the_older_engine_would_answer_wrongly_is_not_planned(task: str) -> None:
    with pytest.raises(ModelError, match="smear does not run here") as caught:
        plan_for("smear", board=NARROW, budget="1GB", task=task)
    assert "tflite-runtime gives 0" in (caught.value.why or "")
    assert "64-bit system" in (caught.value.fix or "")


def test_where_the_older_engine_is_all_there_is_a_bundle_is_planned_to_count() -> None:
    found = plan_for("smear", board=NARROW, budget="1GB")
    assert {section.name for section in found.sections if section.mode == "resident"} == {
        "tf_lite_pixel_encoder",
        "tf_lite_aux",
    }
    assert [step.name for step in found.steps if step.taken] == ["parts left out"]
    assert all("does not take all" in step.cost for step in found.steps if not step.taken)
    with pytest.raises(ModelError, match="runs without tf_lite_prefill_decode") as caught:
        found.section("tf_lite_prefill_decode")
    assert "64-bit system" in (caught.value.fix or "")
    with pytest.raises(OverBudget):
        plan_for("smear", board=NARROW, budget="20MB")


def test_the_engine_that_is_installed_decides_what_is_planned_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan() -> Plan:
        return plan_for("smear", budget="1GB", engine="interpreter", task="ask", threads=1)

    assert plan().engine == "interpreter"
    monkeypatch.setattr("edge_sdk.memory.cost.is_old", lambda: True)
    with pytest.raises(ModelError, match="does not run here"):
        plan()
    assert plan_for("smear", budget="1GB", task="ask", threads=1).engine == "litert"


def test_a_board_that_does_not_run_the_sdk_says_why() -> None:
    board = next(item for item in profiles().values() if item.unsupported)
    with pytest.raises(EdgeError, match="does not run this SDK") as caught:
        plan_for("smear", board=board)
    assert caught.value.why == board.unsupported


def test_threads_are_the_boards_big_cores_and_four_at_most() -> None:
    assert engine_threads(find_profile("rock-5b")) == 4
    assert engine_threads(find_profile("jetson-agx-orin")) == 4
    assert engine_threads(find_profile("rpi-zero-2w")) == 4
    one = Profile(id="one", name="One", soc="x", architecture="aarch64")
    assert 1 <= engine_threads(one) <= 4
    assert 1 <= engine_threads() <= 4


def test_two_cache_lengths_give_room_to_come_down(material: Path) -> None:
    path = material / "bundles/tiny-text-two-caches.litertlm"
    whole = plan_for(path, budget="512MB", threads=1)
    assert not whole.steps[1:]
    shorter = plan_for(path, budget=whole.needed_bytes - 1, threads=1)
    assert shorter.cache_length is not None
    assert whole.cache_length is not None
    assert shorter.cache_length < whole.cache_length
    assert shorter.needed_bytes < whole.needed_bytes


def test_a_smaller_variant_beside_it_is_taken_where_the_plain_one_does_not_fit(material: Path, tmp_path: Path) -> None:
    for source, name in (("tiny-vision", "film"), ("tiny-text", "film@text")):
        (tmp_path / f"{name}.litertlm").symlink_to(material / f"bundles/{source}.litertlm")
    plain = plan_for(tmp_path / "film.litertlm", budget="512MB", task="text", threads=1)
    text = plan_for(tmp_path / "film@text.litertlm", budget="512MB", task="text", threads=1)
    assert (plain.variant, text.variant) == ("", "text")
    assert text.needed_bytes < plain.needed_bytes
    found = plan_for(tmp_path / "film.litertlm", budget=text.needed_bytes, task="text", threads=1)
    assert found.bundle == "film@text"
    assert found.steps[-1].name == "smaller variant"


def test_a_refusal_names_a_budget_that_is_then_enough() -> None:
    with pytest.raises(OverBudget) as caught:
        plan_for("smear", budget="20MB", threads=1, task="ask")
    least = (caught.value.fix or "").split("--budget ")[1].split(")")[0]
    assert plan_for("smear", budget=least, threads=1, task="ask").needed_bytes <= int(least.removesuffix("MB")) * 10**6


def test_a_tokenizer_is_counted_and_the_process_of_a_template_that_takes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_bundle(find_bundle("smear")) as bundle:
        plain = predict_words(bundle)
        told = replace(bundle.metadata, jinja_template="{{ messages | length }}")
        monkeypatch.setattr(bundle, "metadata", told)
        jinja = predict_words(bundle)
    assert 1_000_000 < plain.private_bytes < 10_000_000
    assert 10_000_000 < jinja.private_bytes - plain.private_bytes < 15_000_000


def test_a_folder_that_cannot_be_written_to_is_not_counted_on(material: Path, tmp_path: Path) -> None:
    path = material / "models/mobilenet_v2_1.0_224_quant.tflite"
    (tmp_path / "file").touch()
    cache = WeightCache(tmp_path / "file" / "weights")
    found = plan_for(path, budget="512MB", threads=1, engine="litert", weight_cache=cache)
    assert (found.weight_cache, found.to_pack) == (False, ())
    assert "no folder that may be written to" in found.steps[-1].cost


def test_a_quota_that_all_parts_together_go_beyond_is_not_counted_on(material: Path, tmp_path: Path) -> None:
    path = material / "models/mobilenet_v2_1.0_224_quant.tflite"
    settings = {"budget": "512MB", "threads": 1, "engine": "litert"}
    small, large = WeightCache(tmp_path, quota_bytes=2_000_000), WeightCache(tmp_path, quota_bytes=20_000_000)
    assert not plan_for(path, **settings, weight_cache=small).weight_cache  # type: ignore[arg-type]
    assert plan_for(path, **settings, weight_cache=large).weight_cache  # type: ignore[arg-type]


def test_a_full_disk_is_not_counted_on(material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = material / "models/mobilenet_v2_1.0_224_quant.tflite"
    monkeypatch.setattr(weight_cache, "_free_bytes", lambda _: 1_000_000)
    found = plan_for(path, budget="512MB", threads=1, engine="litert", weight_cache=WeightCache(tmp_path))
    assert not found.weight_cache
    assert "1 MB are free" in found.steps[-1].cost


@pytest.mark.parametrize(
    "settings",
    [{"threads": 0}, {"threads": -3}, {"read_rate_bytes_per_s": 0}, {"engine": "x"}, {"task": "nonsense"}],
)
def test_settings_that_make_no_sense_are_refused_by_name(settings: dict[str, Any]) -> None:
    with pytest.raises(EdgeError, match=str(next(iter(settings.values())))):
        plan_for("smear", budget="512MB", **settings)


def test_what_a_bundle_says_of_itself_is_believed_down_to_half_of_its_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = plan_for("smear", budget="512MB", threads=3, engine="interpreter")
    with open_bundle(find_bundle("smear")) as bundle:
        names = [section.name for section in bundle.sections if section.is_model]
        nothing = {"load_private": 0, "private": 0, "file": 0, "left_private": 0}
        sections = {
            name: nothing
            | {"signatures": {load.signature: [0, 0] for load in used_graphs(workload(bundle, name), None)}}
            for name in names
        }
        circumstances = measurement.describe_circumstances("interpreter", 3, cached=False)
    item = {"format": measurement._FORMAT, "circumstances": circumstances, "base": [0, 0], "sections": sections}
    monkeypatch.setattr(Bundle, "generic", lambda *_: json.dumps([item]).encode())
    found = plan_for("smear", budget="512MB", threads=3, engine="interpreter")
    assert (found.measured, found.carried) == (True, True)
    for one, told in zip(found.sections[1:], headers.sections[1:], strict=True):
        assert one.footprint.private_bytes >= told.footprint.private_bytes // 2 > 0
    assert found.needed_bytes > headers.needed_bytes / 2
