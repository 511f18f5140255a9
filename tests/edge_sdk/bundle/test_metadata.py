from __future__ import annotations

from pathlib import Path

import pytest
from litert_lm_builder.runtime.proto import executor_metadata_pb2, llm_metadata_pb2

from edge_sdk.bundle import Affix, Sampler, StateBuffer, Token, Vision, open_bundle
from edge_sdk.bundle.metadata import LlmMetadata, read_executor_metadata, read_llm_metadata
from edge_sdk.errors import BundleError


def read(proto: llm_metadata_pb2.LlmMetadata) -> LlmMetadata:
    return read_llm_metadata(memoryview(proto.SerializeToString()), "a.litertlm")


def test_everything_that_a_publisher_can_say_comes_back() -> None:
    proto = llm_metadata_pb2.LlmMetadata(max_num_tokens=4096, jinja_prompt_template="{{ messages }}")
    proto.start_token.token_str = "<bos>"
    proto.stop_tokens.add().token_ids.ids.extend([1, 106])
    proto.stop_tokens.add().token_str = "<end_of_turn>"
    proto.stop_tokens.add()
    proto.pad_token.token_ids.ids.append(0)
    proto.prompt_templates.user.prefix = "Q: "
    proto.prompt_templates.user.suffix = "\n"
    proto.prompt_templates.model.prefix = "A: "
    proto.prompt_templates.system.suffix = "\n\n"
    proto.sampler_params.type = proto.sampler_params.TOP_P
    proto.sampler_params.k, proto.sampler_params.p, proto.sampler_params.temperature = 64, 0.5, 0.25
    proto.sampler_params.seed = 7
    proto.suppress_tokens.ids.extend([5, 6])
    proto.kv_cache_init_value = -1
    assert read(proto) == LlmMetadata(
        model_type="",
        start_token=Token("<bos>"),
        stop_tokens=(Token(ids=(1, 106)), Token("<end_of_turn>")),
        pad_token=Token(ids=(0,)),
        user=Affix("Q: ", "\n"),
        model=Affix("A: ", ""),
        system=Affix("", "\n\n"),
        jinja_template="{{ messages }}",
        sampler=Sampler("top_p", 64, 0.5, 0.25, 7),
        max_num_tokens=4096,
        suppress_tokens=(5, 6),
        cache_init_value=-1,
        vision=None,
    )


def test_nothing_said_gives_the_defaults() -> None:
    assert read(llm_metadata_pb2.LlmMetadata()) == LlmMetadata()


def test_a_template_that_is_empty_is_not_the_same_as_none() -> None:
    assert read(llm_metadata_pb2.LlmMetadata(jinja_prompt_template="")).jinja_template == ""


def test_pictures_of_a_generic_model_are_as_the_bundle_says() -> None:
    proto = llm_metadata_pb2.LlmMetadata()
    generic = proto.llm_model_type.generic_model
    generic.image_enabled = True
    generic.image_token_regex = r"(<frame>|<\|image\|>)"
    generic.start_of_image_token.token_str = "<frame>"
    generic.end_of_image_token.token_ids.ids.append(9)
    generic.image_prefix, generic.image_suffix, generic.add_image_end = "a", "b", True
    generic.image_tensor_height, generic.image_tensor_width = 288, 320
    generic.patch_height, generic.patch_width, generic.max_num_patches = 14, 16, 100
    assert read(proto).vision == Vision(
        markers=("<frame>", "<|image|>"),
        start=Token("<frame>"),
        end=Token(ids=(9,)),
        prefix="a",
        suffix="b",
        adds_end=True,
        height_px=288,
        width_px=320,
        patch_height_px=14,
        patch_width_px=16,
        patches_max=100,
    )


def test_a_generic_model_without_pictures_sees_none() -> None:
    proto = llm_metadata_pb2.LlmMetadata()
    proto.llm_model_type.generic_model.image_tensor_height = 288
    assert read(proto).model_type == "generic_model"
    assert read(proto).vision is None


def test_gemma_has_its_own_words_around_a_picture() -> None:
    proto = llm_metadata_pb2.LlmMetadata()
    proto.llm_model_type.gemma3.image_tensor_height = 896
    vision = read(proto).vision
    assert vision is not None
    assert (vision.start, vision.end, vision.height_px) == (Token("<start_of_image>"), Token("<end_of_image>"), 896)
    assert (vision.prefix, vision.suffix, vision.adds_end) == ("\n\n", "\n\n", False)
    assert "<start_of_image>" in vision.markers


@pytest.mark.parametrize(
    "kind", ["gemma3n", "function_gemma", "gemma3", "qwen3", "qwen2p5", "gemma4", "fast_vlm", "lfm2", "minicpm5"]
)
def test_every_model_type_has_its_name(kind: str) -> None:
    proto = llm_metadata_pb2.LlmMetadata()
    getattr(proto.llm_model_type, kind).SetInParent()
    assert read(proto).model_type == kind


@pytest.mark.parametrize("pattern", ["(a+)+$", "<im[ae]ge>", "(<a>|)", r"\d"])
def test_a_marker_that_is_a_pattern_is_refused(pattern: str) -> None:
    proto = llm_metadata_pb2.LlmMetadata()
    proto.llm_model_type.generic_model.image_enabled = True
    proto.llm_model_type.generic_model.image_token_regex = pattern
    with pytest.raises(BundleError, match=r"a\.litertlm marks pictures by the pattern"):
        read(proto)


def test_caches_and_their_axes_come_back() -> None:
    proto = executor_metadata_pb2.ExecutorMetadata()
    executor = proto.llm_executor_metadata
    executor.max_history_size = 512
    executor.attention_mask_settings.sliding_window_size = 128
    executor.state_buffers.add(
        prefill_input_name="k_in",
        prefill_output_name="k_out",
        decode_input_name="dk_in",
        decode_output_name="dk_out",
        type=executor_metadata_pb2.StateBuffer.TYPE_LOCAL_VALUE_CACHE,
        sequence_axis=0,
        maximum_sequence_length=512,
    )
    executor.state_buffers.add(type=executor_metadata_pb2.StateBuffer.TYPE_LINEAR_ATTENTION)
    found = read_executor_metadata(memoryview(proto.SerializeToString()), "a.litertlm")
    assert found is not None
    assert (found.max_history, found.sliding_window) == (512, 128)
    assert found.buffers == (
        StateBuffer("k_in", "k_out", "dk_in", "dk_out", "local_value_cache", 0, 512),
        StateBuffer("", "", "", "", "linear_attention", None, None),
    )


def test_an_executor_that_says_nothing_of_a_language_model_is_none() -> None:
    assert read_executor_metadata(memoryview(b""), "a.litertlm") is None


def test_the_bundles_of_the_material_say_what_is_written_about_them(material: Path) -> None:
    with open_bundle(material / "bundles/tiny-text.litertlm") as bundle:
        assert bundle.metadata.stop_tokens == (Token(ids=(2,)),)
        assert (bundle.metadata.model_type, bundle.metadata.max_num_tokens) == ("generic_model", 512)
        assert bundle.executor is not None
        assert [(item.decode_input, item.sequence_axis) for item in bundle.executor.buffers][:2] == [
            ("kv_cache_k_0", 2),
            ("kv_cache_v_0", 3),
        ]
    with open_bundle(material / "bundles/tiny-vision.litertlm") as bundle:
        vision = bundle.metadata.vision
        assert vision is not None
        assert (vision.height_px, vision.width_px, vision.start) == (224, 224, Token("<start_of_image>"))
    with open_bundle(material / "bundles/litert_lm_testdata/test_lm_lora.litertlm") as bundle:
        assert bundle.metadata.start_token == Token("<bos>")
        assert bundle.metadata.stop_tokens == (Token("<eos>"), Token("<end_of_turn>"))
