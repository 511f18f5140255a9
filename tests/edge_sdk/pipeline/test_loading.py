"""Loading by a plan: the same answers with less in memory, and an end in good order where memory runs short."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import edge_sdk as edge
from boards.telemetry import Memory
from edge_sdk.errors import EdgeError, OverBudget, StorageError
from edge_sdk.memory import DECODER, LANGUAGE, SIGHT, Guard, Loader, Plan, bundle_parts, stream
from edge_sdk.pipeline import VisionLanguageModel, loading
from edge_sdk.runtime import WeightCache, engine

PHOTOS = sorted((Path(edge.__file__).parent / "data/photos").glob("*.jpg"))[:2]
PLENTY = "10GB"
QUESTIONS = ("How many white blood cells are there?", "Is the field crowded?")


def plan_in_turns(engine: str) -> Plan:
    """Make a plan in which seeing and answering take turns; the process that runs all these tests holds more."""
    whole = edge.plan("smear", budget=PLENTY, threads=1, engine=engine)
    plan = edge.plan("smear", budget=whole.needed_bytes - 1, threads=1, engine=engine)
    assert plan.sequential
    assert not whole.sequential
    return replace(plan, budget=whole.budget)


@pytest.fixture(scope="module")
def in_turns() -> Plan:
    return plan_in_turns("litert")


@pytest.fixture
def sequential(in_turns: Plan) -> Iterator[VisionLanguageModel]:
    with edge.load(in_turns) as model:
        yield model


@pytest.fixture
def resident() -> Iterator[VisionLanguageModel]:
    with edge.load("smear", threads=1) as model:
        yield model


def test_answers_counts_and_embeddings_are_the_same_in_turns(
    sequential: VisionLanguageModel, resident: VisionLanguageModel
) -> None:
    for photo in map(edge.Frame.open, PHOTOS):
        assert sequential.count(photo) == resident.count(photo)
        for question in QUESTIONS:
            assert sequential.ask(question, photo).text == resident.ask(question, photo).text
        assert sequential.embed(photo).tobytes() == resident.embed(photo).tobytes()


def test_the_other_engine_takes_turns_as_well() -> None:
    whole = edge.plan("smear", budget=PLENTY, threads=1, engine="interpreter")
    told = []
    for plan in (whole, plan_in_turns("interpreter")):
        with edge.load(plan) as model:
            told.append((model.count(PHOTOS[0]), model.ask(QUESTIONS[0], PHOTOS[0]).text, model.count(PHOTOS[1])))
    assert told[0] == told[1]


def test_a_conversation_goes_on_after_its_models_were_away(
    sequential: VisionLanguageModel, resident: VisionLanguageModel
) -> None:
    told = []
    for model in (sequential, resident):
        with model.conversation() as talk:
            told.append([talk.ask(QUESTIONS[0], PHOTOS[0]).text])
            model.count(PHOTOS[1])
            told[-1].append(talk.ask(QUESTIONS[1]).text)
    assert told[0] == told[1]
    assert all(told[0])


def test_a_frame_may_be_counted_in_the_midst_of_an_answer(
    sequential: VisionLanguageModel, resident: VisionLanguageModel
) -> None:
    answer = sequential.ask(QUESTIONS[0], PHOTOS[0])
    pieces = [next(answer)]
    count = sequential.count(PHOTOS[1])
    pieces += list(answer)
    assert "".join(pieces) == resident.ask(QUESTIONS[0], PHOTOS[0]).text
    assert count == resident.count(PHOTOS[1])


def test_what_sees_and_what_answers_are_never_there_together(in_turns: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[set[str]] = []
    taken = Loader._used

    def watched(loader: Loader, *arguments: object) -> object:
        there.append({"sees" if name in SIGHT else "answers" for name in loader.open_parts})
        return taken(loader, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Loader, "_used", watched)
    with edge.load(in_turns) as model:
        assert model.ask(QUESTIONS[0], PHOTOS[0]).text
        model.count(PHOTOS[1])
    assert {"sees"} in there
    assert {"answers"} in there
    assert {"sees", "answers"} not in there


def test_threads_that_count_and_ask_in_turns_get_what_one_alone_gets(
    sequential: VisionLanguageModel, resident: VisionLanguageModel
) -> None:
    found: dict[str, object] = {}
    frames = [edge.Frame.open(photo) for photo in PHOTOS]
    threads = [
        threading.Thread(target=lambda: found.update(count=[sequential.count(frame) for frame in frames * 2])),
        threading.Thread(target=lambda: found.update(ask=[sequential.ask(QUESTIONS[0], f).text for f in frames])),
        threading.Thread(target=lambda: found.update(talk=sequential.ask(QUESTIONS[0]).text)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == {
        "count": [resident.count(frame) for frame in frames * 2],
        "ask": [resident.ask(QUESTIONS[0], frame).text for frame in frames],
        "talk": resident.ask(QUESTIONS[0]).text,
    }


def test_a_plan_for_counting_alone_refuses_to_answer_and_says_why() -> None:
    with edge.load("smear", budget=PLENTY, task="count") as model:
        assert model.count(PHOTOS[0]).cells
        with pytest.raises(OverBudget, match="runs without"):
            model.ask(QUESTIONS[0])


def test_what_does_not_fit_is_refused_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "Loader", None)
    with pytest.raises(OverBudget, match="are missing"):
        edge.load("smear", budget="30MB")


def test_what_the_program_holds_besides_counts_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = edge.plan("smear", budget="200MB", threads=1)
    reading = Reading(20_000_000)
    guard = Guard(plan.peak_private_bytes, "the test", read=reading)
    guard.check_start(plan)
    reading.private_bytes = 500_000_000
    with pytest.raises(OverBudget, match="beside what this program holds"):
        guard.check_start(plan)
    monkeypatch.setattr(Guard, "of", lambda _: guard)
    monkeypatch.setattr(loading, "open_bundle", None)
    with pytest.raises(OverBudget, match="beside what this program holds"):
        edge.load(plan)


def test_the_budget_of_the_environment_holds_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_BUDGET", "25GB")
    with edge.load("smear") as model:
        assert model.plan is not None
        assert model.plan.budget.total_bytes == 25_000_000_000
    with edge.load("smear", budget="30GB") as model:
        assert model.plan is not None
        assert model.plan.budget.total_bytes == 30_000_000_000


@pytest.mark.parametrize(("available_mb", "planned"), [(120, True), (4000, False)])
def test_it_is_planned_unasked_where_memory_is_scarce(
    available_mb: int, planned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory(8 << 30, available_mb * 1_000_000, 0, 0, 0, (), ())
    monkeypatch.setattr(loading, "read_memory", lambda: memory)
    with edge.load("smear") as model:
        assert (model.plan is not None) == planned


@pytest.mark.parametrize("kept", [True, False], ids=["to be written", "without"])
def test_weights_are_packed_before_anything_is_loaded_or_not_at_all(kept: bool, material: Path, tmp_path: Path) -> None:
    cache = WeightCache(tmp_path / "weights")
    bundle = material / "models" / "tf2_mobilenet_v2_1.0_224_ptq.tflite"
    plan = edge.plan(bundle, budget=PLENTY, threads=1, engine="litert", weight_cache=cache)
    assert plan.to_pack == ("tflite",)
    with edge.load(replace(plan, weight_cache=kept), weight_cache=cache) as model:
        assert model._loader.open_parts == ()
        assert bool(cache.size_bytes()) == kept
        assert model.embed(PHOTOS[0]).size
        assert bool(cache.size_bytes()) == kept


def test_streamed_weights_get_the_room_that_the_plan_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = edge.plan("smear", budget=PLENTY, threads=1)
    sections = tuple(replace(item, mode="streamed") if item.name == DECODER else item for item in plan.sections)
    rooms: list[int] = []
    monkeypatch.setattr(stream, "open_stream", lambda model, room_bytes: rooms.append(room_bytes))
    with edge.load(replace(plan, sections=sections)) as model:
        assert model.ask(QUESTIONS[0], PHOTOS[0]).text
    left_bytes = plan.budget.total_bytes - plan.moments[-1].needed_bytes
    assert rooms == [left_bytes + 4_000_000]  # and what the plan counted for them at the least


def test_beside_a_plan_nothing_else_can_be_said(in_turns: Plan) -> None:
    with pytest.raises(EdgeError, match="Make another plan"):
        edge.load(in_turns, budget=PLENTY)


def test_no_cache_longer_than_the_planned_one_is_used(material: Path) -> None:
    bundle = material / "bundles" / "tiny-text-two-caches.litertlm"
    plan = replace(edge.plan(bundle, budget=PLENTY, threads=1), cache_length=128)
    with edge.load(plan) as model, edge.load(bundle, threads=1) as free:
        short, long = (one.ask("count the cells") for one in (model, free))
        assert long.text.startswith(short.text)
        assert (short.finish, len(short.tokens) < 128) == ("length", True)
        assert len(long.tokens) > len(short.tokens)


@dataclass
class Reading:
    """What the guard is told, and whether it always may look."""

    private_bytes: int = 0
    looks: int = 0
    rises_after: int | None = None

    def __call__(self) -> int:
        self.looks += 1
        return 200 if self.rises_after is not None and self.looks > self.rises_after else self.private_bytes


@pytest.fixture
def reading() -> Reading:
    return Reading()


@pytest.fixture
def guarded(in_turns: Plan, reading: Reading) -> Iterator[VisionLanguageModel]:
    """Give a model with everything resident, whose guard reads what the test says, against a limit of 100 bytes."""
    clock = iter(range(1_000_000))
    guard = Guard(100, "the test", read=reading, clock=lambda: float(next(clock)))
    bundle = edge.open_bundle(in_turns.path)
    plan = edge.plan("smear", budget=PLENTY, threads=1)
    with VisionLanguageModel(bundle, Loader(bundle_parts(bundle, plan)), plan, guard) as model:
        yield model


def test_an_answer_ends_in_good_order_where_memory_runs_short(guarded: VisionLanguageModel, reading: Reading) -> None:
    whole = guarded.ask(QUESTIONS[0], PHOTOS[0])
    assert (whole.text != "", whole.finish) == (True, "stop")
    reading.rises_after = reading.looks + 4
    cut = guarded.ask(QUESTIONS[0], PHOTOS[0])
    assert cut.finish == ""
    assert whole.text.startswith(cut.text)
    assert cut.finish == "memory"
    assert 0 < len(cut.tokens) < len(whole.tokens)


def test_a_question_is_refused_while_memory_is_short_and_answered_again_after(
    guarded: VisionLanguageModel, reading: Reading
) -> None:
    whole = guarded.ask(QUESTIONS[0], PHOTOS[0]).text
    reading.private_bytes = 200
    for work in (lambda: guarded.ask(QUESTIONS[0], PHOTOS[0]).text, lambda: guarded.count(PHOTOS[0])):
        with pytest.raises(OverBudget, match="nothing more can be given up"):
            work()
    reading.private_bytes = 50
    assert guarded.ask(QUESTIONS[0], PHOTOS[0]).text == whole


def test_before_it_refuses_it_gives_up_what_can_be_had_again(guarded: VisionLanguageModel, reading: Reading) -> None:
    whole = guarded.ask(QUESTIONS[0], PHOTOS[0]).text
    assert set(guarded._loader.open_parts) & set(SIGHT)
    before = reading.looks
    reading.private_bytes = 200
    with pytest.raises(OverBudget):
        list(guarded.conversation().ask(QUESTIONS[1]))
    assert reading.looks - before == 5  # at the first look, and after each of four steps
    assert guarded._rest.take() is None
    assert set(guarded._loader.open_parts) <= set(LANGUAGE)
    reading.private_bytes = 50
    assert guarded.ask(QUESTIONS[0], PHOTOS[0]).text == whole


MOBILE = "models/tf2_mobilenet_v2_1.0_224_ptq.tflite"


def unwritable(region: object, threads: int, file: Path) -> None:
    raise StorageError(f"{file} could not be written.", why="What wrote it was killed.")


def test_weights_that_turn_out_not_to_be_kept_are_planned_anew_without_a_cache(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "pack", unwritable)
    cache = WeightCache(tmp_path / "weights")
    settings = {"threads": 1, "engine": "litert", "weight_cache": cache}
    with edge.load(material / MOBILE, budget=PLENTY, **settings) as model:  # type: ignore[arg-type]
        assert model.plan is not None
        assert not model.plan.weight_cache
        assert "What wrote it was killed." in model.plan.steps[-1].cost
        assert model.embed(PHOTOS[0]).size


def test_a_plan_that_counts_on_packed_weights_is_not_run_without_them(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "pack", unwritable)
    cache = WeightCache(tmp_path / "weights")
    plan = edge.plan(material / MOBILE, budget=PLENTY, threads=1, engine="litert", weight_cache=cache)
    opened = edge.open_bundle(plan.path)
    monkeypatch.setattr(loading, "open_bundle", lambda _: opened)
    with pytest.raises(OverBudget, match="could not be kept") as caught:
        edge.load(plan, weight_cache=cache)
    assert caught.value.why == "What wrote it was killed."
    assert "closed" in repr(opened)


def test_packed_weights_that_are_gone_since_a_plan_was_made_are_packed_again_before_anything_is_opened(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = WeightCache(tmp_path / "weights")
    settings: dict[str, Any] = {"threads": 1, "engine": "litert", "weight_cache": cache}
    edge.load(edge.plan(material / MOBILE, budget=PLENTY, **settings), weight_cache=cache).close()
    plan = edge.plan(material / MOBILE, budget=PLENTY, **settings)
    assert plan.to_pack == ()
    for file in cache.folder.glob("*.weights"):
        file.unlink()
    edge.load(plan, weight_cache=cache).close()
    assert list(cache.folder.glob("*.weights"))
    for file in cache.folder.glob("*.weights"):
        file.unlink()
    monkeypatch.setattr(engine, "pack", unwritable)
    with pytest.raises(OverBudget, match="could not be kept"):
        edge.load(plan, weight_cache=cache)
