"""Bundles cut off and with bits flipped: always an error that names the file, never anything else."""

from __future__ import annotations

import random
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sdk.bundle import open_bundle
from edge_sdk.bundle.container import read_header
from edge_sdk.errors import BundleError

HEADER_BYTES = 16 * 1024
Survives = Callable[[Path], bool]


def read_everything(path: Path) -> None:
    with open_bundle(path) as bundle:
        for section in bundle.sections:
            # Whether the header leads to a large model or to a small one makes no difference.
            if section.kind == "TFLiteModel" and section.size < 800_000:
                bundle.model(section.name)
        bundle.packed()
        kinds = {section.kind: section.size for section in bundle.sections}
        # A tokenizer of 49 152 words takes 0.2 s to load; the small ones take the same way.
        if 0 < kinds.get("SP_Tokenizer", 0) + kinds.get("HF_Tokenizer_Zlib", 0) < 100_000:
            bundle.tokenizer().encode("What is this? é")


@pytest.fixture
def survives(refusal: Callable[[Callable[[], object]], str]) -> Callable[[Path], bool]:
    """Give a function that reads a file through and through, and says whether it was fine.

    Any error but ours goes on and fails the test; ours must name the file.
    """

    def reads(path: Path) -> bool:
        error = refusal(lambda: read_everything(path))
        assert not error or str(path) in error, f"an error that does not name the file: {error}"
        return not error

    return reads


def test_every_bundle_cut_off_at_two_hundred_places_is_refused(bundles: list[Path], tmp_path: Path) -> None:
    for place, path in enumerate(bundles):
        data = path.read_bytes()
        with open_bundle(path) as bundle:
            end = max(section.offset + section.size for section in bundle.sections)  # padding may follow
        choose = random.Random(place)
        cuts = {1, 8, 31, 32, 33, HEADER_BYTES - 1, HEADER_BYTES, end - 1}
        while len(cuts) < 200:
            cuts.add(choose.randrange(end))
        cut_off = tmp_path / path.name
        cut_off.write_bytes(data)
        for size in sorted(cuts, reverse=True):
            with cut_off.open("r+b") as file:
                file.truncate(size)
            with pytest.raises(BundleError, match=path.stem):
                open_bundle(cut_off)


def test_every_model_cut_off_at_two_hundred_places_is_refused(
    tflites: list[Path], tmp_path: Path, survives: Survives
) -> None:
    for place, path in enumerate(tflites):
        data = path.read_bytes()
        choose = random.Random(place)
        cut_off = tmp_path / path.name
        cut_off.write_bytes(data)
        # Files packed behind the model are another matter, and its last bytes may be padding.
        end = data.find(b"PK\x03\x04") if b"PK\x03\x04" in data else len(data)
        for size in sorted((choose.randrange(8, end - 64) for _ in range(200)), reverse=True):
            with cut_off.open("r+b") as file:
                file.truncate(size)
            assert not survives(cut_off)


@pytest.mark.parametrize("seed", range(3))
def test_bits_flipped_in_the_header_give_an_error_or_the_bundle(
    bundles: list[Path], tmp_path: Path, survives: Survives, seed: int
) -> None:
    choose = random.Random(seed)
    refused = 0
    for path in bundles:
        data = path.read_bytes()
        header_end = int.from_bytes(data[24:32], "little")
        flipped = tmp_path / path.name
        flipped.write_bytes(data)
        for _ in range(60):
            changed = bytearray(data[:HEADER_BYTES])
            for _ in range(choose.choice((1, 1, 2, 8))):
                # Most of the block behind the header is zeros that mean nothing.
                reach = header_end if choose.random() < 0.8 else HEADER_BYTES
                changed[choose.randrange(reach)] ^= 1 << choose.randrange(8)
            with flipped.open("r+b") as file:
                file.write(changed)
            refused += not survives(flipped)
    assert refused > 100


def test_bits_flipped_in_the_tables_of_models_give_an_error_or_the_model(
    tflites: list[Path], tmp_path: Path, survives: Survives
) -> None:
    choose = random.Random(7)
    refused = 0
    for path in tflites:
        data = path.read_bytes()
        flipped = tmp_path / path.name
        for _ in range(30):
            changed = bytearray(data)
            for _ in range(choose.choice((1, 2, 8))):
                near_an_end = choose.randrange(min(len(data), 4096))
                changed[choose.choice((near_an_end, -1 - near_an_end))] ^= 1 << choose.randrange(8)
            flipped.write_bytes(changed)
            refused += not survives(flipped)
    assert refused > 100


def test_words_of_the_header_set_to_extremes_cost_no_memory(
    bundles: list[Path], refusal: Callable[[Callable[[], object]], str]
) -> None:
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in bundles:
        data = bytearray(path.read_bytes())
        for at in range(8, int.from_bytes(data[24:32], "little"), 4):
            kept = data[at : at + 4]
            for word in (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x00"):
                data[at : at + 4] = word
                error = refusal(lambda data=data, path=path: read_header(memoryview(data), str(path)))
                assert not error or str(path) in error
            data[at : at + 4] = kept
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 64 * 1024
