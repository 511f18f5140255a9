"""Packed weights between runs: made once, whole or not at all, within a quota, and never in the way."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_sdk.errors import ModelError, StorageError
from edge_sdk.runtime import WeightCache, open_model, packing
from edge_sdk.runtime.region import Region

HEADER = struct.Struct("<QQQB")
LARGE = "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite"  # worth caching; the small ones are not


@pytest.fixture
def library(tmp_path: Path) -> Path:
    file = tmp_path / "libLiteRt.so"
    file.write_bytes(b"a build of the engine")
    return file


@pytest.fixture
def region(tmp_path: Path) -> Region:
    file = tmp_path / "model.tflite"
    file.write_bytes(bytes(1000))
    return Region.of(file)


def packer(size: int = 1000) -> Callable[[Path], None]:
    """Give something that writes a file as the engine does."""

    def pack(file: Path) -> None:
        file.write_bytes(HEADER.pack(4, size - 8, 8, 0) + bytes(size - HEADER.size))

    return pack


def never(file: Path) -> None:
    pytest.fail(f"packed again: {file}")


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.weights"))


def test_weights_are_packed_once(tmp_path: Path, region: Region, library: Path) -> None:
    cache = WeightCache(tmp_path / "cache")
    first = cache.ready(region, library, packer())
    assert first is not None
    assert cache.ready(region, library, never) == first
    assert WeightCache(tmp_path / "cache").ready(region, library, never) == first
    assert cache.problem is None
    assert cache.size_bytes() == 1000
    assert "0 of 2048 MiB" in repr(cache)


def test_changed_content_gets_a_file_of_its_own_even_under_the_same_size_and_time(
    tmp_path: Path, region: Region, library: Path
) -> None:
    cache = WeightCache(tmp_path / "cache")
    before = cache.ready(region, library, packer())
    facts = region.path.stat()
    region.path.write_bytes(bytes(999) + b"x")
    os.utime(region.path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    after = cache.ready(region, library, packer())
    assert after != before
    assert len(files(cache.folder)) == 2


def test_two_parts_of_one_file_are_two_models(tmp_path: Path, region: Region, library: Path) -> None:
    region.path.write_bytes(bytes(500) + b"y" * 500)
    cache = WeightCache(tmp_path / "cache")
    parts = [cache.ready(Region.of(region.path, at, 500), library, packer()) for at in (0, 500)]
    assert len(set(parts)) == 2


def test_another_build_of_the_engine_packs_anew(tmp_path: Path, region: Region, library: Path) -> None:
    cache = WeightCache(tmp_path / "cache")
    before = cache.ready(region, library, packer())
    library.write_bytes(b"a newer build of the engine")
    assert cache.ready(region, library, packer()) != before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"something else",
        HEADER.pack(4, 992, 8, 0) + bytes(900),
        HEADER.pack(4, 992, 8, 0) + bytes(2000),
        HEADER.pack(0, 992, 8, 0) + bytes(1000 - HEADER.size),
        HEADER.pack(4, 992, 8, 1) + bytes(1000 - HEADER.size),
    ],
    ids=["empty", "foreign", "cut off", "longer", "unfinished", "stale"],
)
def test_a_damaged_file_is_made_again(tmp_path: Path, region: Region, library: Path, content: bytes) -> None:
    cache = WeightCache(tmp_path / "cache")
    file = cache.ready(region, library, packer())
    assert file is not None
    file.write_bytes(content)
    assert cache.ready(region, library, packer()) == file
    assert file.stat().st_size == 1000


def test_a_packing_that_stops_midway_leaves_nothing(
    tmp_path: Path, region: Region, library: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = WeightCache(tmp_path / "cache")

    def stops(file: Path) -> None:
        file.write_bytes(HEADER.pack(0, 992, 8, 0))

    with caplog.at_level(logging.WARNING, "edge_sdk.runtime"):
        assert cache.ready(region, library, stops) is None
    assert isinstance(cache.problem, StorageError)
    assert "loaded without it" in caplog.text
    assert not files(cache.folder)
    assert not list(cache.folder.glob("*.unfinished"))


def test_the_least_recently_used_go_first(tmp_path: Path, library: Path) -> None:
    cache = WeightCache(tmp_path / "cache", quota_bytes=3500)
    made = []
    for number in range(3):
        file = tmp_path / f"model-{number}"
        file.write_bytes(bytes([number]) * 900)
        made.append(cache.ready(Region.of(file), library, packer()))
        assert made[-1] is not None
        os.utime(made[-1], (number, number))
    cache.ready(Region.of(tmp_path / "model-0"), library, never)  # used again: now the newest
    (tmp_path / "model-3").write_bytes(bytes([3]) * 900)
    made.append(cache.ready(Region.of(tmp_path / "model-3"), library, packer()))
    assert [file in files(cache.folder) for file in made] == [True, False, True, True]
    assert cache.size_bytes() <= 3500


def test_what_a_power_cut_left_behind_is_swept_up(tmp_path: Path, region: Region, library: Path) -> None:
    cache = WeightCache(tmp_path / "cache")
    cache.folder.mkdir()
    old, new = (cache.folder / f"{name}.unfinished" for name in ("old", "new"))
    for file in (old, new):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    cache.ready(region, library, packer())
    assert not old.exists()
    assert new.exists()  # another process may be writing it


def test_a_model_above_the_quota_is_not_packed(tmp_path: Path, region: Region, library: Path) -> None:
    cache = WeightCache(tmp_path / "cache", quota_bytes=999)
    assert cache.ready(region, library, never) is None
    assert cache.problem is None
    assert not cache.folder.exists()


def test_a_folder_that_cannot_be_made_is_reported_and_done_without(
    tmp_path: Path, region: Region, library: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = WeightCache(tmp_path / "file" / "cache")
    assert cache.ready(region, library, never) is None
    assert cache.problem is not None
    assert str(cache.folder) in cache.problem.what
    assert "choose another folder" in (cache.problem.fix or "")


def test_an_index_full_of_nonsense_costs_only_time(tmp_path: Path, region: Region, library: Path) -> None:
    cache = WeightCache(tmp_path / "cache")
    file = cache.ready(region, library, packer())
    for nonsense in (b"[1, 2]", b"{", b"\xff"):
        (cache.folder / "contents.json").write_bytes(nonsense)
        assert cache.ready(region, library, never) == file


def test_a_disk_about_to_fill_up_is_left_alone(
    tmp_path: Path, region: Region, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs(tmp_path)
    full = os.statvfs_result((real.f_bsize, real.f_frsize, real.f_blocks, 0, 0, *tuple(real)[5:]))
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    cache = WeightCache(tmp_path / "cache")
    assert cache.ready(region, library, never) is None
    assert "0 MiB are free" in ((cache.problem and cache.problem.why) or "")


# From here on with the engine itself.


@pytest.fixture
def large(material: Path) -> Path:
    return material / "models" / LARGE


def run_once(file: Path, cache: WeightCache) -> list[bytes]:
    with open_model(file, engine="litert", threads=1, weight_cache=cache) as model:
        run = model.bind()
        run.inputs["normalized_input_image_tensor"][...] = 77
        run()
        return [array.tobytes() for array in run.outputs.values()]


def test_a_model_gives_the_same_with_and_without(tmp_path: Path, large: Path) -> None:
    cache = WeightCache(tmp_path / "cache")
    first, second = run_once(large, cache), run_once(large, cache)
    assert len(files(cache.folder)) == 1
    assert first == second == run_once(large, WeightCache(tmp_path / "none", quota_bytes=0))
    assert cache.problem is None


def test_a_cache_with_a_damaged_list_is_refused_by_the_engine_and_made_again(
    tmp_path: Path, large: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = WeightCache(tmp_path / "cache")
    expected = run_once(large, cache)
    (file,) = files(cache.folder)
    content = bytearray(file.read_bytes())
    at = HEADER.unpack(content[: HEADER.size])[1]
    content[at : at + 64] = bytes(b"\xff" * 64)
    file.write_bytes(content)
    assert run_once(large, cache) == expected
    assert run_once(large, cache) == expected
    assert cache.problem is None
    assert file.read_bytes() != bytes(content)


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
from edge_sdk.runtime import WeightCache, open_model
cache = WeightCache(sys.argv[2])
with open_model(sys.argv[1], engine="litert", threads=1, weight_cache=cache) as model:
    model.bind()()
print(cache.problem)
"""


def test_writes_that_fail_midway_are_reported_and_the_model_runs(tmp_path: Path, large: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(large), str(tmp_path / "cache")], capture_output=True, text=True, check=True
    )
    assert "cannot be used" in ended.stdout
    assert "it cannot write on" in ended.stdout
    assert not list((tmp_path / "cache").glob("*.weights"))


FULL = """
import os, sys
from edge_sdk.runtime import WeightCache, open_model
enough = os.statvfs(".")
os.statvfs = lambda path: enough  # as if the disk filled up only after it was looked at
cache = WeightCache(sys.argv[2])
with open_model(sys.argv[1], engine="litert", threads=1, weight_cache=cache) as model:
    model.bind()()
print(cache.problem)
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", bytes(folder), b"tmpfs", 0, b"size=3000k"):
        pytest.skip(f"a small file system cannot be mounted here: {os.strerror(ctypes.get_errno())}")
    yield folder
    libc.umount(bytes(folder))


def test_a_disk_that_fills_up_midway_is_reported_and_the_model_runs(small_disk: Path, large: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FULL, str(large), str(small_disk)], capture_output=True, text=True, check=True
    )
    assert "cannot be used" in ended.stdout
    assert not list(small_disk.glob("*.weights"))


def test_two_processes_at_once_both_work(tmp_path: Path, large: Path) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-c", FULL, str(large), str(tmp_path / "cache")], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    assert [process.communicate()[0] for process in both] == ["None\n", "None\n"]
    assert [process.returncode for process in both] == [0, 0]
    assert len(files(tmp_path / "cache")) == 1


def test_a_model_that_crashes_the_engine_is_refused_when_it_is_first_packed(
    tmp_path: Path, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crashes(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], -signal.SIGSEGV, b"", b"")

    monkeypatch.setattr(subprocess, "run", crashes)
    with pytest.raises(ModelError, match=r"makes the engine crash") as caught:
        run_once(large, WeightCache(tmp_path / "cache"))
    assert "SIGSEGV" in (caught.value.why or "")


def test_a_packing_that_the_kernel_kills_is_not_held_against_the_model(
    tmp_path: Path, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = subprocess.CompletedProcess([], -signal.SIGKILL, b"", b"")
    monkeypatch.setattr(packing, "_run", lambda *_: killed)
    cache = WeightCache(tmp_path / "cache")
    with open_model(large, engine="litert", threads=1, weight_cache=cache) as model:
        model.bind()()
    assert isinstance(cache.problem, StorageError)
    assert "memory runs short" in str(cache.problem)


def test_nothing_is_left_open(tmp_path: Path, large: Path) -> None:
    cache = WeightCache(tmp_path / "cache")
    run_once(large, cache)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        run_once(large, cache)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_module_in_the_folder_one_stands_in_is_not_run(
    tmp_path: Path, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("open('ran', 'w')")
    monkeypatch.chdir(tmp_path)
    cache = WeightCache(tmp_path / "cache")
    with open_model(large, engine="litert", threads=1, weight_cache=cache):
        assert cache.problem is None
        assert cache.size_bytes() > 0
    assert not (tmp_path / "ran").exists()
