from __future__ import annotations

import ctypes
import mmap
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.bundle import find_bundle, open_bundle
from edge_sdk.errors import BundleError, ClosedError


def test_a_plain_model_is_a_bundle_of_one_section(material: Path) -> None:
    path = material / "models/mobilenet_v1_0.25_128_quant.tflite"
    with open_bundle(path) as bundle:
        (section,) = bundle.sections
        assert (section.kind, section.offset, section.size) == ("TFLiteModel", 0, path.stat().st_size)
        assert bundle.version is None
        assert bundle.model(section.name).subgraphs[0].inputs[0].shape == (1, 128, 128, 3)
        assert bundle.model(section.name) is bundle.model(section.name)


def test_what_a_file_is_shows_in_its_bytes_and_not_in_its_name(material: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes((material / "models/mnist_quantized.tflite").read_bytes())
    with open_bundle(str(path)) as bundle:
        assert bundle.has("tflite")


def test_a_view_is_the_section_and_nothing_is_copied(material: Path) -> None:
    path = material / "bundles/tiny-text.litertlm"
    with open_bundle(path) as bundle:
        section = bundle.section("tf_lite_prefill_decode")
        view = bundle.view(section)
        assert view.readonly
        assert bytes(view) == path.read_bytes()[section.offset : section.offset + section.size]
        view.release()


def test_a_model_that_is_not_there_is_missed_with_those_that_are(material: Path) -> None:
    with open_bundle(material / "bundles/tiny-text.litertlm") as bundle:
        assert not bundle.has("tf_lite_vision_encoder")
        with pytest.raises(BundleError, match=r"tiny-text\.litertlm has no model tf_lite_vision_encoder") as error:
            bundle.section("tf_lite_vision_encoder")
    assert error.value.why == "It has: tf_lite_prefill_decode."


def test_a_closed_bundle_says_so_and_closes_twice(material: Path) -> None:
    bundle = open_bundle(material / "bundles/tiny-text.litertlm")
    section = bundle.sections[0]
    bundle.close()
    bundle.close()
    for use in (lambda: bundle.view(section), bundle.template, lambda: bundle.model("tf_lite_prefill_decode")):
        with pytest.raises(ClosedError, match=r"tiny-text\.litertlm is closed"):
            use()
    assert repr(bundle).endswith("closed>")


def test_a_view_outlives_its_bundle(material: Path) -> None:
    path = material / "bundles/tiny-text.litertlm"
    with open_bundle(path) as bundle:
        section = bundle.sections[0]
        view = bundle.view(section)
    assert bytes(view) == path.read_bytes()[section.offset : section.offset + section.size]


def test_a_repr_names_the_file_and_its_sections(material: Path) -> None:
    with open_bundle(material / "bundles/litert_lm_testdata/test_lm_lora.litertlm") as bundle:
        assert repr(bundle).endswith("test_lm_lora.litertlm (LlmMetadataProto, tf_lite_prefill_decode, SP_Tokenizer)>")


def test_metadata_of_an_absurd_size_are_refused_unread(material: Path, tmp_path: Path) -> None:
    data = (material / "bundles/litert_lm_testdata/test_lm_lora.litertlm").read_bytes()
    # The section ends at 16419, a number that stands in the header once.
    path = tmp_path / "large.litertlm"
    path.write_bytes(data.replace((16419).to_bytes(8, "little"), (16384 + (5 << 20)).to_bytes(8, "little")))
    with path.open("ab") as file:
        file.truncate(32 << 20)
    with pytest.raises(BundleError, match=r"large\.litertlm"):
        open_bundle(path)


def test_a_tokenizer_is_read_by_who_locks_all_memory() -> None:
    # As mlockall(2) does, which those call who cannot wait for a page.
    with open_bundle(find_bundle("smear")) as bundle:
        place = np.frombuffer(bundle.view(bundle.sections[0]), np.uint8).ctypes.data // mmap.PAGESIZE * mmap.PAGESIZE
        if ctypes.CDLL(None).mlock(ctypes.c_void_p(place), ctypes.c_size_t(mmap.PAGESIZE)):
            pytest.skip("this user may lock no memory")
        assert bundle.tokenizer().encode("cells")
