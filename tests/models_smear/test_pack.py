"""The packed bundle, of the shipped one's models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import tokenizer
from data import SIDE_PX
from pack import pack

from edge_sdk.bundle import Bundle, find_bundle, open_bundle

MODELS = {
    "encoder": "tf_lite_vision_encoder",
    "adapter": "tf_lite_vision_adapter",
    "embedder": "tf_lite_embedder",
    "decoder": "tf_lite_prefill_decode",
    "head": "tf_lite_aux",
}
ABOUT: dict[str, Any] = {
    "format": 1,
    "name": "test",
    "task": "answer",
    "license": "none",
    "input": {"width": SIDE_PX, "height": SIDE_PX},
    "not_for": "Not for use.",
    "memory_bytes": 1234,
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    folder = tmp_path_factory.mktemp("pack")
    source = find_bundle("smear")
    with open_bundle(source) as shipped:
        parts = {s.name or s.kind: bytes(shipped.view(s)) for s in shipped.sections}
    for name, section in MODELS.items():
        (folder / name).write_bytes(parts[section])
    (folder / "tokenizer").write_bytes(parts["SP_Tokenizer"])
    models = {name: folder / name for name in MODELS}
    pack(models, folder / "tokenizer", 3, ABOUT, folder / "test.litertlm", [{"circumstances": "a try"}])
    with open_bundle(folder / "test.litertlm") as packed:
        yield packed


def test_a_packed_bundle_holds_every_model_as_it_was(bundle: Bundle) -> None:
    for name, section in MODELS.items():
        assert bytes(bundle.view(bundle.section(section))) == (bundle.path.parent / name).read_bytes()


def test_its_card_says_what_was_given(bundle: Bundle) -> None:
    assert bundle.card is not None
    assert (bundle.card.name, bundle.card.not_for, bundle.card.memory_bytes) == ("test", "Not for use.", 1234)
    assert bundle.system["edge_sdk.name"] == "test"


def test_it_carries_what_its_sections_were_measured_to_take(bundle: Bundle) -> None:
    assert json.loads(bundle.generic("edge_sdk_memory")) == [{"circumstances": "a try"}]


def test_a_frame_stands_before_the_question_and_an_answer_ends_with_its_mark(bundle: Bundle) -> None:
    frame, text = {"type": "image"}, {"type": "text", "text": "How many?"}
    for content in ([frame, text], [text, frame]):
        asked = bundle.template().render([{"role": "user", "content": content}])
        assert asked == f"{tokenizer.ASK}{tokenizer.FRAME}How many?{tokenizer.ANSWER}"
    alone = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes."}]
    whole = bundle.template().render(alone, add_generation_prompt=False)
    assert whole == f"{tokenizer.ASK}Hi{tokenizer.ANSWER}Yes.{tokenizer.STOP}"


def test_conversations_are_as_long_as_the_caches(bundle: Bundle) -> None:
    assert bundle.metadata.max_num_tokens == tokenizer.CACHE_LENGTH
    assert bundle.executor.max_history == tokenizer.CACHE_LENGTH
