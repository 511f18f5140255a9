"""The planner with made-up costs: everything in MB, and nothing of the machine in it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from boards import profiles
from edge_sdk.bundle import VisualLadder, VisualRung
from edge_sdk.errors import EdgeError, OverBudget
from edge_sdk.memory.budget import Budget
from edge_sdk.memory.choice import STEPS
from edge_sdk.memory.footprint import Footprint
from edge_sdk.memory.ladder import Process, Rung
from edge_sdk.memory.outline import Outline
from edge_sdk.memory.plan import Plan
from edge_sdk.memory.planner import plan_of

MB = 1_000_000
EYES = ("tf_lite_vision_encoder", "tf_lite_vision_adapter", "tf_lite_aux")
MOUTH = ("tf_lite_embedder", "tf_lite_prefill_decode")
BOTH = Outline("pair", "", Path("pair.litertlm"), EYES, MOUTH, (1024, 256), 14)
INT4 = Outline("pair", "int4", Path("pair@int4.litertlm"), EYES, MOUTH, (1024, 256), 14)
TEXT = Outline("talk", "", Path("talk.litertlm"), (), MOUTH, (1024, 256))
LADDER = VisualLadder(
    16, 16, (VisualRung(256, "all", 91.0), VisualRung(64, "pool", 90.4), VisualRung(16, "pool")), "counts right"
)
PLACES = replace(BOTH, visual_tokens=256, visual_ladder=LADDER)
LITERT = (("litert", True), ("litert", False))


@dataclass
class Made:
    """Costs: the process 20 MB, each eye 10 MB, the decoder 30 MB, its cache and 100 MB of weights in a file."""

    weights: int = 100
    packing: int = 0
    frames: int = 0
    full: str = ""
    source: str = ""
    seen: list[str] = field(default_factory=list)

    @property
    def frame_bytes(self) -> int:
        return self.frames * MB

    def process(self, rung: Rung) -> Process:
        return Process(20 * MB, 30 * MB, 5 * MB)

    def words(self, rung: Rung) -> Footprint:
        return Footprint(2 * MB, MB, 0)

    def section(self, rung: Rung, name: str) -> Footprint:
        if name in EYES:
            return Footprint(10 * MB, 10 * MB, 0)
        if name == "tf_lite_embedder":
            return Footprint(MB, MB, 0)
        share = 0.5 if rung.outline.variant == "int4" else 1.0
        files = int(self.weights * share) * MB
        private = 30 * MB + self.caches_bytes(rung)
        return Footprint(30 * MB, private, files) if rung.weight_cache else Footprint(private, private + files, 0)

    def caches_bytes(self, rung: Rung) -> int:
        return (rung.cache_length or 0) * 20_000

    def packing_bytes(self, rung: Rung, name: str) -> int:
        return self.packing * MB if rung.weight_cache and name == "tf_lite_prefill_decode" else 0

    def obstacle(self, rung: Rung) -> str:
        return self.full if rung.weight_cache else ""

    def refusal(self, rung: Rung) -> str:
        return ""

    def measured(self, rung: Rung) -> bool:
        return bool(self.source)

    def carried(self, rung: Rung) -> bool:
        return self.source == "bundle"


def plan(
    limit: float,
    *outlines: Outline,
    costs: Made | None = None,
    stream: bool = False,
    task: str = "all",
    engines: tuple[tuple[str, bool], ...] = LITERT[:1],
) -> Plan:
    given = outlines or (BOTH,), Budget(int(limit * MB), "as asked"), costs or Made()
    return plan_of(*given, engines=engines, stream=stream, task=task, boards=tuple(profiles().values()))


def modes(found: Plan) -> dict[str, str]:
    return {section.name: section.mode for section in found.sections}


def taken(found: Plan) -> list[str]:
    return [step.name for step in found.steps if step.taken]


# 20 process, 1 tokenizer, 30 eyes, 1 embedder, 30 decoder, 20.48 cache, 100 weights, 5 of libraries in use
WHOLE = 20 + 1 + 30 + 1 + 30 + 20.48 + 100 + 5
IN_TURNS = WHOLE - 30
SHORT = IN_TURNS - 20.48 + 5.12


def test_everything_stays_resident_where_there_is_room() -> None:
    found = plan(WHOLE)
    assert set(modes(found).values()) == {"resident"}
    assert taken(found) == ["everything resident"]
    assert found.needed_bytes == pytest.approx(WHOLE * MB)
    assert (found.cache_length, found.visual_tokens, found.weight_cache) == (1024, 14, True)


def test_first_the_eyes_make_room_for_the_decoder() -> None:
    found = plan(WHOLE - 0.01)
    assert modes(found) == {"tokenizer": "resident", **dict.fromkeys(EYES + MOUTH, "sequential")}
    assert found.sequential
    assert taken(found) == ["vision dropped before the decoder is loaded"]
    assert found.steps[0].needed_bytes == pytest.approx(WHOLE * MB)
    assert "milliseconds" in found.steps[1].cost
    assert found.cache_length == 1024


def test_then_the_cache_gets_shorter() -> None:
    found = plan(IN_TURNS - 0.01)
    assert found.cache_length == 256
    assert taken(found) == ["vision dropped before the decoder is loaded", "shorter cache"]
    assert "256 tokens" in found.steps[2].cost


def test_where_the_shorter_cache_has_no_room_for_a_frame_it_gets_fewer_tokens_and_the_loss_is_told() -> None:
    assert plan(WHOLE, PLACES).visual_tokens == 256
    found = plan(IN_TURNS - 0.01, PLACES)
    assert (found.cache_length, found.visual_tokens) == (256, 64)
    assert taken(found)[1:] == ["shorter cache", "fewer visual tokens"]
    step = next(step for step in found.steps if step.name == "fewer visual tokens")
    assert "64 tokens in place of 256: 90.4 % right in place of 91 (counts right)" in step.cost


def test_a_loss_that_nobody_measured_is_told_as_such() -> None:
    found = plan(IN_TURNS - 0.01, replace(PLACES, cache_lengths=(1024, 100)))
    assert (found.cache_length, found.visual_tokens) == (100, 16)
    assert "nobody measured" in next(step.cost for step in found.steps if step.name == "fewer visual tokens")


def test_fewer_tokens_are_no_step_where_all_have_room_in_each_cache() -> None:
    found = plan(SHORT - 0.01, replace(PLACES, cache_lengths=(1024, 512)), stream=True)
    assert found.visual_tokens == 256
    assert "have room in each of its caches" in next(s.cost for s in found.steps if s.name == "fewer visual tokens")


def test_then_a_smaller_variant_answers_and_gives_up_nothing_that_it_need_not() -> None:
    found = plan(SHORT - 0.01, BOTH, INT4)
    assert (found.variant, found.bundle, found.path.name) == ("int4", "pair@int4", "pair@int4.litertlm")
    assert set(modes(found).values()) == {"resident"}
    assert found.cache_length == 1024
    assert taken(found)[-1] == "smaller variant"
    assert [step.name for step in found.steps] == list(STEPS[:5])
    assert found.steps[3].cost == "It offers 14 a frame and no other number."
    assert "pair@int4" in found.steps[4].cost


def test_the_best_variant_is_taken_where_it_fits() -> None:
    assert plan(WHOLE, BOTH, INT4).variant == ""


def test_weights_are_streamed_only_when_that_is_asked_for() -> None:
    with pytest.raises(OverBudget) as caught:
        plan(SHORT - 1, task="ask")
    assert "--stream" in (caught.value.fix or "")
    found = plan(SHORT - 10 - 1, task="ask", stream=True)
    assert modes(found)["tf_lite_prefill_decode"] == "streamed"
    assert taken(found)[-1] == "weights streamed from flash"


def test_the_speed_of_streaming_is_told_beforehand() -> None:
    # The whole needs 157 MB then, the short cache included: at 117 MB 40 MB of weights are beyond, at 20 MB/s.
    found = plan(SHORT - 40, task="ask", stream=True)
    assert found.tokens_per_s == pytest.approx(20 / 40)
    decode = found.moments[-1]
    assert decode.private_bytes + decode.file_bytes - (30 - 5) * MB == found.budget.total_bytes
    assert "0.5 tokens/s at the best, from a flash that delivers 20 MB/s, which is assumed." in str(found)


def test_the_speed_of_streaming_follows_from_the_flash() -> None:
    budget = Budget(int((SHORT - 40) * MB), "as asked")
    found = plan_of([BOTH], budget, Made(), stream=True, task="ask", read_rate_bytes_per_s=80 * MB)
    assert found.tokens_per_s == pytest.approx(80 / 40)
    assert "delivers 80 MB/s." in str(found)


def test_streaming_takes_the_variant_that_reads_least() -> None:
    assert plan(SHORT - 60, BOTH, INT4, task="ask", stream=True).variant == "int4"


def test_in_the_end_what_does_not_fit_is_left_out_and_the_rest_works() -> None:
    found = plan(60)
    assert [name for name, mode in modes(found).items() if mode == "refused"] == [EYES[1], *MOUTH]
    assert found.section("tf_lite_aux").mode == "resident"
    with pytest.raises(OverBudget, match="runs without tf_lite_prefill_decode here"):
        found.section("tf_lite_prefill_decode")
    assert taken(found) == ["parts left out"]


def test_what_must_work_is_never_left_out() -> None:
    with pytest.raises(OverBudget) as caught:
        plan(60, task="ask")
    assert "--task count" in (caught.value.fix or "")


def test_questions_about_frames_are_not_left_to_a_variant_that_sees_none() -> None:
    blind = Outline("pair", "int4", Path("pair@int4.litertlm"), (), MOUTH, (256,))
    assert plan(140, BOTH, blind).variant == "int4"
    with pytest.raises(OverBudget):
        plan(140, BOTH, blind, task="ask")
    assert plan(200, TEXT, task="ask").name == "talk"


def test_what_a_task_does_without_is_no_want_of_memory() -> None:
    with pytest.raises(OverBudget) as caught:
        plan(300, task="count").section("tf_lite_prefill_decode")
    assert caught.value.why == "It was planned for the task 'count', which does without."


def test_a_task_does_without_what_it_does_not_need() -> None:
    assert [name for name, mode in modes(plan(60, task="count")).items() if mode == "resident"] == [EYES[0], EYES[2]]
    assert set(modes(plan(200, task="text"))) == {"tokenizer", *EYES, *MOUTH}
    assert {modes(plan(200, task="text"))[name] for name in EYES} == {"refused"}
    assert modes(plan(200, task="ask"))["tf_lite_aux"] == "refused"


def test_a_bundle_for_text_is_asked_in_vain_to_count() -> None:
    with pytest.raises(EdgeError, match="cannot do what the task 'count' wants"):
        plan(200, TEXT, task="count")


def test_a_refusal_says_how_much_is_missing_and_what_would_fit() -> None:
    with pytest.raises(OverBudget) as caught:
        plan(30)
    error = caught.value
    assert isinstance(error, MemoryError)
    assert error.what == "pair does not fit into 30 MB: 15 MB are missing."
    assert "At the least it needs 45 MB" in (error.why or "")
    assert "as asked" in (error.why or "")
    assert "--budget 45MB" in (error.fix or "")
    assert "Raspberry Pi Zero 2 W (512 MiB)" in (error.fix or "")


def test_what_a_refusal_says_would_fit_fits() -> None:
    with pytest.raises(OverBudget):
        plan(44)
    assert plan(45).needed_bytes <= 45 * MB


def test_frames_count_while_they_are_looked_at() -> None:
    assert plan(300, costs=Made(frames=7)).needed_bytes - plan(300).needed_bytes == 7 * MB
    assert plan(300, TEXT, costs=Made(frames=7)).needed_bytes == plan(300, TEXT).needed_bytes


def test_in_turns_the_caches_stay_while_the_eyes_look() -> None:
    moments = {moment.name: moment for moment in plan(WHOLE - 0.01).moments}
    assert list(moments) == ["load", "encode", "prefill", "decode"]
    assert moments["encode"].private_bytes == pytest.approx((20 + 1 + 30 + 20.48) * MB)
    assert moments["decode"].private_bytes == pytest.approx((20 + 1 + 1 + 30 + 20.48) * MB)
    assert moments["decode"].file_bytes == (30 + 100) * MB


def test_without_packed_weights_the_packing_must_fit_first() -> None:
    found = plan(300, costs=Made(packing=150), engines=LITERT)
    assert found.weight_cache
    assert found.to_pack == ("tf_lite_prefill_decode",)
    assert found.moments[0].private_bytes == 170 * MB


def test_where_packing_does_not_fit_weights_stay_private() -> None:
    found = plan(WHOLE + 1, costs=Made(packing=250), engines=LITERT)
    assert not found.weight_cache
    assert found.to_pack == ()
    assert "no weight cache" in taken(found)
    assert "250 MB" in found.steps[-1].cost
    with pytest.raises(OverBudget, match="does not fit"):
        plan(WHOLE + 1, costs=Made(packing=250), task="ask")


def test_weights_without_a_file_are_not_streamed() -> None:
    with pytest.raises(OverBudget):
        plan(100, costs=Made(packing=250), engines=LITERT, stream=True, task="ask")


def test_the_same_costs_give_the_same_plan() -> None:
    assert plan(150, BOTH, INT4) == plan(150, BOTH, INT4)


def test_less_memory_never_gives_a_plan_that_needs_more() -> None:
    needs = [plan(limit, BOTH, INT4, stream=True).needed_bytes for limit in range(50, 220, 3)]
    assert all(need <= limit * MB for need, limit in zip(needs, range(50, 220, 3), strict=True))


def test_a_plan_prints_as_a_table_and_as_json() -> None:
    found = plan(IN_TURNS - 0.01)
    lines = str(found).splitlines()
    assert lines[0] == "pair within 177 MB (as asked): worked out from its headers"
    assert lines[1] == "litert, 1 thread; cache of 256 tokens; 14 visual tokens a frame; weight cache"
    assert any(line.split() == ["tf_lite_aux", "sequential", "10", "MB"] for line in lines)
    assert lines[-1].startswith("+ shorter cache: ")
    told = json.loads(json.dumps(found.as_json()))
    assert (
        told["peak_private_bytes"] == found.peak_private_bytes == max(item["private_bytes"] for item in told["moments"])
    )
    assert told["sections"][-1]["footprint"]["file_bytes"] == 100 * MB
    assert told["budget"]["reason"] == "as asked"
    assert [step["taken"] for step in told["steps"]] == [False, True, True]


def test_what_cannot_be_kept_is_planned_without_and_the_plan_says_why() -> None:
    found = plan(1000, costs=Made(full="The disk is full."), engines=LITERT)
    assert (found.weight_cache, found.to_pack) == (False, ())
    assert found.steps[-1].name == "no weight cache"
    assert "The disk is full." in found.steps[-1].cost
    assert plan(1000, engines=LITERT).weight_cache


def test_a_refusal_says_that_packed_weights_could_not_be_kept() -> None:
    with pytest.raises(OverBudget) as caught:
        plan(SHORT - 20, costs=Made(full="The disk is full."), engines=LITERT, stream=True, task="ask")
    assert "Packed weights cannot be kept, which would take less: The disk is full." in (caught.value.why or "")


def test_where_packing_alone_lacks_room_the_refusal_says_where_else_it_may_be_done() -> None:
    with pytest.raises(OverBudget) as caught:
        plan(WHOLE, costs=Made(packing=400), task="ask")
    assert "load it once with 425 MB, which packs its weights" in (caught.value.fix or "")
    with pytest.raises(OverBudget) as caught:
        plan(30, costs=Made(packing=400), task="ask")
    assert "packs its weights" not in (caught.value.fix or "")


def test_what_was_measured_elsewhere_is_not_told_as_measured_here() -> None:
    heads = [str(plan(1000, costs=Made(source=source))).splitlines()[0] for source in ("", "here", "bundle")]
    ends = [head.rpartition(": ")[2] for head in heads]
    assert ends == ["worked out from its headers", "measured", "measured where it was packed"]
    told = plan(1000, costs=Made(source="bundle")).as_json()
    assert (told["measured"], told["carried"]) == (True, True)
