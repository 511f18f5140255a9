from __future__ import annotations

from pathlib import Path

import pytest

from edge_sdk.bench.measure import format_value
from edge_sdk.bench.tally import limits_of, measures_of, read_name
from edge_sdk.bench.work import Work, work_of
from edge_sdk.bundle import find_bundle, open_bundle

WORK = Work({256: 100_000_000, 1024: 200_000_000}, 1e8, 1_000_000_000, {})
FOUND = {
    "decode@1024": [50.0, 40.0],
    "decode@256": [150.0, 100.0],
    "prefill@128": [500.0, 300.0],
    "encode": [0.02, 0.05],
    "load_warm": [0.1, 0.3],
    "read@100": [20e9, 10e9],
    "read@200": [10e9, 10e9],
    "int8@128": [1e11, 1e11],
}


def test_every_turn_is_set_against_what_was_measured_in_it() -> None:
    shares = {each.name: each.share for each in measures_of(FOUND, WORK)}
    assert shares["decode@256"] == pytest.approx((150 / 200 + 100 / 100) / 2)
    assert shares["decode@1024"] == pytest.approx((50 / 50 + 40 / 50) / 2)
    assert shares["prefill@128"] == pytest.approx((500 / 1000 + 300 / 1000) / 2)
    assert shares["encode"] == pytest.approx((0.01 / 0.02 + 0.01 / 0.05) / 2)
    assert shares["load_warm"] is None


def test_measures_come_in_the_order_of_work_and_limits_apart() -> None:
    names = ["load_warm", "encode", "prefill@128", "decode@256", "decode@1024"]
    assert [each.name for each in measures_of(FOUND, WORK)] == names
    assert [each.name for each in limits_of(FOUND)] == ["read@100", "read@200", "int8@128"]


def test_a_turn_that_was_broken_off_before_its_limit_has_no_share() -> None:
    found = {"decode@256": [150.0, 100.0], "read@100": [20e9]}
    (decode,) = measures_of(found, WORK)
    assert (decode.share, decode.turns, decode.median) == (None, 2, 125.0)


def test_nothing_is_found_before_the_first_step() -> None:
    assert (measures_of({}, WORK), limits_of({})) == ((), ())


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0999, "s", "99.9 ms"), (1.0, "s", "1.00 s"), (1234.5, "tokens/s", "1234 tokens/s"), (56e6, "bytes", "56 MB")],
)
def test_values_are_written_with_three_digits(value: float, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


def test_the_work_of_the_shipped_bundle_is_read_from_its_headers() -> None:
    with open_bundle(find_bundle("smear")) as bundle:
        work = work_of(bundle)
        section = bundle.section("tf_lite_prefill_decode")
    (length,) = work.decode_bytes
    caches = work.decode_bytes[length]
    assert section.size / 2 < caches < 4 * section.size  # the weights once, and float caches
    assert work.encode_macs is not None
    assert work.encode_macs > 1e8
    assert work.prefill_macs is not None
    # A token goes through each weight of the decoder's layers once at the most.
    assert 1e5 < work.prefill_macs < section.size


def test_a_plain_model_counts_its_own_runs(material: Path) -> None:
    with open_bundle(material / "models" / "mobilenet_v1_0.25_224_quant_with_metadata.tflite") as bundle:
        work = work_of(bundle)
    # Source: 41 million multiplications, github.com/tensorflow/models, research/slim/nets/mobilenet_v1.md.
    assert (round(work.run_macs["default"] / 1e6), work.encode_macs, work.prefill_macs) == (41, None, None)


@pytest.mark.parametrize(("size", "name"), [(100_000_000, "100"), (999_900_000, "1000"), (1_523_400_000, "1523")])
def test_sets_of_memory_are_named_by_their_size(size: int, name: str) -> None:
    assert read_name(size) == f"read@{name}"
