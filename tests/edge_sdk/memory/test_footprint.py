"""What headers tell of the memory that a section will take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sdk.bundle import Bundle, find_bundle, open_bundle
from edge_sdk.errors import BundleError
from edge_sdk.memory.footprint import PACKER, Footprint, packing_footprint, predict, predict_words, used_graphs
from edge_sdk.memory.workload import workload

DECODER = "tf_lite_prefill_decode"


@pytest.fixture(scope="module")
def smear() -> Iterator[Bundle]:
    with open_bundle(find_bundle("smear")) as bundle:
        yield bundle


@pytest.fixture
def two_caches(material: Path) -> Iterator[Bundle]:
    with open_bundle(material / "bundles/tiny-text-two-caches.litertlm") as bundle:
        yield bundle


@pytest.fixture
def mobilenet(material: Path) -> Iterator[Bundle]:
    with open_bundle(material / "models/mobilenet_v2_1.0_224_quant.tflite") as bundle:
        yield bundle


def test_a_cache_counts_once_although_it_goes_in_and_comes_out(smear: Bundle) -> None:
    decode = next(graph for graph in workload(smear, DECODER) if graph.signature == "decode")
    shapes = {name: info.shape for name, info in smear.model(DECODER).signatures["decode"].inputs.items()}
    caches = [shape for name, shape in shapes.items() if name.startswith("kv_cache")]
    assert len(decode.caches) == len(caches)
    assert decode.cache_bytes == sum(4 * heads * rows * width for _, heads, rows, width in caches)
    assert decode.cache_length == shapes["mask"][-1]
    assert 0 < decode.ends_bytes < decode.cache_bytes


def test_a_longer_conversation_takes_a_longer_cache(two_caches: Bundle) -> None:
    short, long = (predict(two_caches, DECODER, engine="litert", cache_length=length) for length in (100, 512))
    lengths = {graph.cache_length: graph.cache_bytes for graph in workload(two_caches, DECODER) if graph.caches}
    assert sorted(lengths) == [128, 512]
    assert long.private_bytes - short.private_bytes > lengths[512]
    assert predict(two_caches, DECODER, engine="litert") == long


def test_a_conversation_begins_in_the_shortest_cache_and_uses_all_up_to_its_own(two_caches: Bundle) -> None:
    graphs = workload(two_caches, DECODER)
    assert {graph.cache_length for graph in used_graphs(graphs, 128)} == {128}
    assert {graph.cache_length for graph in used_graphs(graphs, 129)} == {128, 512}


def test_graphs_that_only_other_graphs_call_are_counted_as_records_alone(two_caches: Bundle) -> None:
    graphs = workload(two_caches, DECODER)
    assert any(not graph.signature for graph in graphs)
    assert all(graph.signature for graph in used_graphs(graphs, None))


def test_litert_shares_weights_among_signatures_and_the_interpreter_does_not(two_caches: Bundle) -> None:
    graphs = [graph for graph in workload(two_caches, DECODER) if graph.signature]
    once = sum({buffer: size for graph in graphs for buffer, size in graph.weights.items()}.values())
    each = sum(sum(graph.weights.values()) for graph in graphs)
    assert each > 3 * once
    found = [predict(two_caches, DECODER, engine=engine).private_bytes for engine in ("litert", "interpreter")]
    assert found[1] - found[0] > each - once


def test_a_cache_file_moves_packed_weights_out_of_private_memory(mobilenet: Bundle) -> None:
    with_file, without = (predict(mobilenet, "tflite", engine="litert", weight_cached=kept) for kept in (True, False))
    weights = sum(workload(mobilenet, "tflite")[0].weights.values())
    assert 3_000_000 < weights < mobilenet.size_bytes
    assert without.private_bytes - with_file.private_bytes >= weights
    assert with_file.file_bytes - without.file_bytes >= weights


def test_small_sections_have_no_cache_file(smear: Bundle) -> None:
    first, second = (predict(smear, DECODER, engine="litert", weight_cached=kept) for kept in (True, False))
    assert first == second


def test_windows_over_pictures_take_a_pointer_for_each_of_their_places(smear: Bundle) -> None:
    # The adapter's 66 pools look for peaks: what they point with is ten times what they compute.
    adapter = workload(smear, "tf_lite_vision_adapter")[0]
    assert adapter.inner_bytes > 10_000_000
    assert adapter.ends_bytes < 1_000_000


def test_more_threads_take_a_little_more(smear: Bundle) -> None:
    one, four = (predict(smear, DECODER, engine="litert", threads=count) for count in (1, 4))
    assert 0 < four.private_bytes - one.private_bytes < 1_000_000


def test_an_operator_that_is_not_tflites_own_has_all_of_its_section_prepared_when_it_opens(material: Path) -> None:
    with open_bundle(material / "models/coco_ssd_mobilenet_v1_1.0_quant_2018_06_29.tflite") as bundle:
        assert workload(bundle, "tflite")[0].prepared_early
        found = predict(bundle, "tflite", engine="litert")
    assert found.load_private_bytes > found.private_bytes / 2


def test_the_second_of_two_sections_is_opened_while_the_first_is_there() -> None:
    first, second = Footprint(30, 10, 5), Footprint(40, 20, 6)
    assert first + second == Footprint(50, 30, 11)
    assert (second + first) == Footprint(50, 30, 11)
    assert (first + second).peak_bytes == 61


def test_packing_takes_the_largest_weight_besides_the_engines_records(mobilenet: Bundle) -> None:
    found = packing_footprint(mobilenet, "tflite")
    largest = max(workload(mobilenet, "tflite")[0].weights.values())
    assert found.private_bytes > PACKER.private_bytes + largest
    assert found.file_bytes > 2 * mobilenet.size_bytes * 0.9


def test_a_tokenizer_takes_several_times_its_file_unpacked(material: Path, smear: Bundle) -> None:
    with open_bundle(material / "bundles/litert_lm_testdata/test_hf_tokenizer.litertlm") as bundle:
        large = predict_words(bundle)
    assert 20_000_000 < large.load_private_bytes < 35_000_000
    assert large.private_bytes < large.load_private_bytes
    assert predict_words(smear).private_bytes < 15_000_000


def test_a_bundle_without_words_takes_none(mobilenet: Bundle) -> None:
    assert predict_words(mobilenet) == Footprint(0, 0, 0)


def test_a_section_that_is_not_there_is_named(smear: Bundle) -> None:
    with pytest.raises(BundleError, match="tf_lite_audio"):
        predict(smear, "tf_lite_audio", engine="litert")
