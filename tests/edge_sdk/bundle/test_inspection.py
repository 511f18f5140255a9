from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from litert_lm_builder.runtime.proto import llm_metadata_pb2

from edge_sdk.bundle import open_bundle, verify_bundle
from edge_sdk.bundle.inspection import cache_lengths, operators, quantization, tokens_per_frame
from edge_sdk.errors import BundleError


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mobilenet_v1_0.25_128_quant", "uint8 static (60 of 89 tensors)"),
        ("mlperf_tiny_vww_96_int8", "int8 static (60 of 89 tensors)"),
        ("tf2_mobilenet_v2_1.0_224_ptq", "int8 static (122 of 177 tensors)"),
        ("movenet_single_pose_lightning_ptq", "int8 static (216 of 333 tensors)"),
        ("mobilenet_v2_035_96_embedder_with_metadata", "int8 dynamic (37 of 174 tensors)"),
        ("mnist_quantized", "int8 dynamic (3 of 16 tensors)"),
        ("nl_classifier_avg_wordvec_regex_tokenizer", "float32"),
    ],
)
def test_quantization_is_told_as_it_was_counted(material: Path, name: str, expected: str) -> None:
    with open_bundle(material / f"models/{name}.tflite") as bundle:
        assert quantization(bundle.model("tflite")) == expected


def test_language_models_of_the_material_have_eight_bit_weights(material: Path) -> None:
    with open_bundle(material / "bundles/tiny-vision.litertlm") as bundle:
        for section in bundle.sections:
            if section.kind == "TFLiteModel":
                assert quantization(bundle.model(section.name)).startswith("int8 dynamic")


def test_operators_are_counted_over_all_graphs(material: Path) -> None:
    with open_bundle(material / "models/mobilenet_v1_0.25_128_quant.tflite") as bundle:
        found = operators(bundle.model("tflite"))
    assert found["DEPTHWISE_CONV_2D"] == 13
    assert sum(found.values()) == 31


@pytest.mark.parametrize(
    ("name", "caches", "tokens"),
    [
        ("tiny-text.litertlm", (512,), None),
        ("tiny-text-two-caches.litertlm", (128, 512), None),
        ("tiny-vision.litertlm", (512,), 65),  # 64 of the picture, and one for its end
        ("litert_lm_testdata/dummy_vision_without_adapter.litertlm", (), 5),
        ("litert_lm_testdata/test_hf_tokenizer.litertlm", (), None),
    ],
)
def test_caches_and_tokens_per_frame_are_those_of_the_signatures(
    material: Path, name: str, caches: tuple[int, ...], tokens: int | None
) -> None:
    with open_bundle(material / "bundles" / name) as bundle:
        assert cache_lengths(bundle) == caches
        assert tokens_per_frame(bundle) == tokens


def test_without_metadata_the_mask_tells_the_length_of_the_cache(material: Path) -> None:
    with open_bundle(material / "bundles/tiny-text-two-caches.litertlm") as bundle:
        bundle.executor = None
        assert cache_lengths(bundle) == (128, 512)


def test_whole_bundles_are_verified_part_by_part(material: Path) -> None:
    checks = {check.what: check for check in verify_bundle(material / "bundles/tiny-vision.litertlm")}
    assert list(checks) == [
        "header",
        "tf_lite_prefill_decode",
        "tf_lite_embedder",
        "tf_lite_vision_encoder",
        "tf_lite_vision_adapter",
        "tokenizer",
    ]
    assert checks["tokenizer"].found == "2043 tokens"
    assert all(check.done for check in checks.values())


def test_a_template_that_does_not_render_fails_the_verification(
    write_bundle: Callable[..., Path], part: Any, kinds: Any
) -> None:
    for template, found in (("{{ messages[0].content }}", "What is this?"), ("{% if", "")):
        proto = llm_metadata_pb2.LlmMetadata(jinja_prompt_template=template)
        path = write_bundle(part(kinds.LlmMetadataProto, proto.SerializeToString()))
        if found:
            assert found in verify_bundle(path)[-1].found
        else:
            with pytest.raises(BundleError, match=r"made\.litertlm failed"):
                verify_bundle(path)


def test_a_library_that_is_missing_leaves_its_check_out(material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    checks = verify_bundle(material / "bundles/tiny-text.litertlm")
    assert [check.what for check in checks if not check.done] == ["tokenizer"]
    assert "pip install" in checks[-1].found
