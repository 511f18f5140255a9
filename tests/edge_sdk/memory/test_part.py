"""What a loader opens, for real: files and sections, and memory that goes back when they are closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.bundle import find_bundle, open_bundle
from edge_sdk.errors import EdgeError
from edge_sdk.memory import Loader, bundle_parts, part_files, private_bytes, trim


def test_a_folder_of_experts_is_paged_in_and_out_within_its_room(material: Path) -> None:
    folder = material / "models"
    experts = [str(folder / name) for name in ("mnist_quantized.tflite", "mlperf_tiny_vww_96_int8.tflite")]
    find = part_files(threads=1)
    sizes = [find(expert).size_bytes for expert in experts]
    assert all(sizes)
    with Loader(find, max(sizes)) as loader:
        for expert in experts * 2:
            with loader.acquire(expert) as model:
                model.bind()()
            assert loader.open_parts == (expert,)


def test_a_file_that_is_not_there_is_an_error_of_ours(tmp_path: Path) -> None:
    with Loader(part_files(), 1 << 30) as loader, pytest.raises(EdgeError, match=r"none\.tflite"):
        loader.acquire(str(tmp_path / "none.tflite")).__enter__()


def test_freed_memory_goes_back_to_the_system() -> None:
    trim()  # else what follows would first fill what earlier tests left free
    before = private_bytes()
    kept = [bytes(2000) for _ in range(20_000)]
    with_it = private_bytes()
    pins = kept[::1000]  # an allocator that only cuts off its end gives nothing back below these
    del kept
    trim()
    assert with_it - before > 30_000_000
    assert private_bytes() - before < 10_000_000
    assert len(pins) == 20


def test_what_a_section_took_goes_back_when_it_is_dropped() -> None:
    with open_bundle(find_bundle("smear")) as bundle, Loader(bundle_parts(bundle, threads=1)) as loader:
        seen = []
        for _ in range(2):  # the first one wakes the engine's library, which stays
            before = private_bytes()
            with loader.acquire("tf_lite_vision_adapter") as model:
                model.bind()()
                taken = private_bytes() - before
            loader.drop_idle()
            seen.append((taken, private_bytes() - before))
        assert seen[1][0] > 8_000_000
        assert seen[1][1] < 2_000_000
