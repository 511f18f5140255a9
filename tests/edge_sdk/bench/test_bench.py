from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from edge_sdk.bench import Bench, run
from edge_sdk.bench import bench as module
from edge_sdk.bench.job import Job
from edge_sdk.bench.work import Work
from edge_sdk.bundle import find_bundle
from edge_sdk.errors import BundleError, EdgeError, ModelError, UnitError
from edge_sdk.runtime import WeightCache

BOUND = 1_500_000


class Worker:
    """Stands for the processes: gives each job the next of its values, and notes what it was asked."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def __call__(self, job: Job) -> dict[str, float]:
        self.jobs.append(job)
        number = float(sum(each.kind == job.kind for each in self.jobs))
        if job.kind == "load":
            Path(job.cache).mkdir(exist_ok=True)
            Path(job.cache, "packed.weights").write_bytes(bytes(2_000_000))
            return {"load": number, "process_start": 0.5}
        found = {
            "use": {"first_token": number / 100, "encode": 0.01},
            "decode": {"decode@256": 100 * number, "prefill@32": 1000.0},
            "memory": {"peak_total": 1e8},
            "limit": {f"read@{size}": 1e9 for size in job.sets} | {"int8@1": 1e10, "int8@128": 1e11},
        }
        return found[job.kind] | {"process_start": 9.0}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGE_BUDGET", raising=False)
    return tmp_path / "cache"


def test_cold_loads_come_first_and_each_turn_does_every_job() -> None:
    worker = Worker()
    bench = Bench("smear", turns=2, do=worker)
    steps = list(bench.steps())
    turn = ["load", "use", "decode", "memory", "limit"]
    assert [job.kind for job in worker.jobs] == ["load", "load", *turn, *turn]
    assert len(steps) == bench.count == 12
    assert (steps[0], steps[2], steps[-1]) == ("load, cold 1/2", "load, warm 1/2", "what the machine could do 2/2")


def test_each_cold_load_has_an_empty_cache_and_the_turns_a_full_one() -> None:
    worker = Worker()
    for _ in Bench("smear", turns=5, do=worker).steps():
        assert all(
            Path(job.cache, "packed.weights").exists() for job in worker.jobs[-1:] if job.cache.endswith("cold-0")
        )
    cold, rest = worker.jobs[:3], worker.jobs[3:]
    assert len({job.cache for job in cold}) == 3
    assert {job.cache for job in rest} == {cold[0].cache}


def test_values_of_the_turns_become_measures() -> None:
    report = run("smear", turns=3, threads=1, do=Worker())
    decode, load = report.measure("decode@256"), report.measure("load_cold")
    assert decode is not None
    assert load is not None
    assert (decode.least, decode.median, decode.most, decode.turns) == (100, 200, 300, 3)
    assert (load.least, load.most) == (1, 3)
    assert [report.measure(name).median for name in ("load_warm", "process_start")] == [5, 0.5]  # type: ignore[union-attr]
    assert {each.name.partition("@")[0] for each in report.limits} == {"read", "int8"}
    assert decode.share is not None
    assert decode.share == pytest.approx(200 * BOUND / 1e9, rel=0.3)
    assert (report.subject.bundle, report.subject.threads, len(report.subject.sha256)) == ("smear", 1, 64)


def test_what_was_reached_before_it_was_broken_off_is_reported_and_nothing_is_left(cache: Path) -> None:
    worker = Worker()

    def broken_off(job: Job) -> dict[str, float]:
        if job.kind == "decode":
            raise KeyboardInterrupt
        return worker(job)

    bench = Bench("smear", turns=2, do=broken_off)
    steps = bench.steps()
    with pytest.raises(KeyboardInterrupt):
        list(steps)
    assert worker.jobs
    assert list(cache.iterdir()) == []
    assert bench.report.measure("first_token") is not None
    assert bench.report.measure("decode@256") is None


def test_a_report_may_be_had_before_anything_was_measured() -> None:
    assert Bench("smear", do=Worker()).report.measures == ()


def test_what_a_killed_benchmark_left_is_taken_away(cache: Path) -> None:
    gone = cache / f"edge-bench-{2**22 + 1}-x"  # beyond the kernel's largest number of a process
    alive = cache / f"edge-bench-{os.getpid()}-x"
    for folder in (gone, alive):
        folder.mkdir(parents=True)
        (folder / "packed.weights").write_bytes(b"x")
    run("smear", turns=1, do=Worker())
    assert (gone.exists(), alive.exists()) == (False, True)


def test_packed_weights_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Packed weights take 2 MB of the disk." in run("smear", turns=1, do=Worker()).notes
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", lambda *_: 0)
        notes = run("smear", turns=1, do=Worker()).notes
    assert any(note.startswith("No packed weights are kept") for note in notes)


def test_that_the_file_stayed_in_memory_once_is_told_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter(["", "The kernel kept the bundle.", ""])
    monkeypatch.setattr(module, "drop_pages", lambda _: next(told))
    (note,) = [note for note in run("smear", turns=3, do=Worker()).notes if note.startswith("Cold is")]
    assert "The kernel kept the bundle." in note
    assert "read from its disk" not in note


def test_a_folder_that_cannot_be_written_to_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(WeightCache, "usual", lambda: WeightCache(tmp_path / "file" / "cache"))
    assert module._place() == Path(tempfile.gettempdir())


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({}, "Frames a second were not measured"),
        ({"camera": "sim://smear"}, "The camera is simulated"),
        ({"short": True}, "One short turn"),
    ],
)
def test_what_is_not_measured_or_not_real_is_said(settings: dict[str, object], note: str) -> None:
    assert any(each.startswith(note) for each in run("smear", turns=1, do=Worker(), **settings).notes)


def test_a_camera_is_of_no_use_to_a_bundle_without_eyes(material: Path) -> None:
    bundle = material / "bundles" / "tiny-text.litertlm"
    notes = run(bundle, turns=1, camera="sim://smear", do=Worker()).notes
    assert "The camera was not used: this bundle sees no frames." in notes


def test_memory_that_is_not_there_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.Bench, "_fitting", lambda self, sets: ())
    worker = Worker()
    report = run("smear", turns=1, do=worker)
    assert worker.jobs[-1].sets == ()
    assert any("that much is not free" in note for note in report.notes)
    assert report.measure("decode@256").share is None  # type: ignore[union-attr]


def test_caches_that_differ_by_little_share_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work({256: 1_523_100_000, 512: 1_523_200_000}, None, None, {})
    monkeypatch.setattr(module, "work_of", lambda _: work)
    monkeypatch.setattr(module.Bench, "_fitting", lambda self, sets: tuple(sets))
    report = run("smear", turns=2, do=Worker())
    assert [each.name for each in report.limits if each.name.startswith("read")] == ["read@1523"]
    assert report.measure("decode@256").share is not None  # type: ignore[union-attr]
    assert not any("that much is not free" in note for note in report.notes)


def test_settings_reach_every_job_and_the_budget_comes_from_the_environment_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDGE_BUDGET", "128MB")
    worker = Worker()
    report = run("smear", turns=1, engine="litert", threads=3, camera="sim://smear", do=worker)
    assert {(job.engine, job.threads, job.budget, job.camera) for job in worker.jobs} == {
        ("litert", 3, "128MB", "sim://smear")
    }
    assert report.subject.budget == "128MB"


def test_what_cannot_be_measured_is_refused_before_anything_is_run() -> None:
    with pytest.raises(BundleError):
        Bench("no such bundle")
    with pytest.raises(EdgeError, match="no engine"):
        Bench("smear", engine="gpu")
    with pytest.raises(EdgeError, match="0 turns"):
        Bench("smear", turns=0)
    with pytest.raises(UnitError):
        Bench("smear", budget="plenty")


def test_an_error_of_a_job_ends_it_and_nothing_is_left(cache: Path) -> None:
    def fails(job: Job) -> dict[str, float]:
        raise ModelError("The engine crashed.")

    with pytest.raises(ModelError):
        run("smear", turns=1, do=fails)
    assert list(cache.iterdir()) == []


def test_a_short_run_of_the_shipped_bundle_measures_everything(cache: Path) -> None:
    report = run(find_bundle("smear"), short=True, threads=1, camera="sim://smear?rate_hz=200")
    names = {each.name for each in (*report.measures, *report.limits)}
    assert names >= {
        "load_cold",
        "load_warm",
        "process_start",
        "first_answer",
        "first_token",
        "first_token_again",
        "encode",
        "count",
        "prefill@16",
        "decode@256",
        "frames",
        "frames_camera",
        "frame_median",
        "frame_p99",
        "peak_private",
        "peak_total",
        "int8@1",
        "int8@128",
    }
    shares = {each.name: each.share for each in report.measures}
    assert all(shares[name] is not None for name in ("encode", "prefill@16", "decode@256"))
    assert list(cache.iterdir()) == []


def test_a_plain_model_that_takes_no_pictures_is_run_as_it_is(material: Path) -> None:
    report = run(material / "models" / "keras_lstm_mnist_ptq.tflite", short=True, threads=1)
    assert [each.name for each in report.measures if each.name.startswith(("run@", "encode"))] == [
        "run@serving_default"
    ]
