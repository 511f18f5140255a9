from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from litert_lm_builder.runtime.proto import llm_metadata_pb2

from edge_sdk.bundle import Affix, open_bundle
from edge_sdk.bundle.jinja import JinjaTemplate
from edge_sdk.bundle.metadata import LlmMetadata
from edge_sdk.bundle.template import AffixTemplate, prompt_template
from edge_sdk.errors import BundleError

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": " How many? "},
    {"role": "assistant", "content": "Three. "},
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " And here? "}]},
]


def test_words_stand_around_each_turn_and_open_the_answer() -> None:
    metadata = LlmMetadata(
        model_type="generic_model", user=Affix("<u>", "</u>"), model=Affix("<m>", "</m>"), system=Affix("<s>", "</s>")
    )
    template = prompt_template(metadata, "a.litertlm")
    start = "<s>Be brief.</s><u> How many? </u><m>Three. </m><u><start_of_image> And here? </u>"
    assert template.render(TALK) == start + "<m>"
    assert template.render(TALK, add_generation_prompt=False) == start


def test_a_bundle_that_says_nothing_leaves_the_words_as_they_are() -> None:
    assert prompt_template(LlmMetadata(), "a.litertlm").render(TALK[1:2]) == " How many? "


def test_gemma_puts_the_system_into_the_users_first_turn() -> None:
    for model_type, marker in (("gemma3", "<start_of_image>"), ("gemma3n", "<image_soft_token>")):
        template = prompt_template(LlmMetadata(model_type=model_type), "a.litertlm")
        assert template.render(TALK) == (
            "<start_of_turn>user\nBe brief.\n\nHow many?<end_of_turn>\n"
            "<start_of_turn>model\nThree.<end_of_turn>\n"
            f"<start_of_turn>user\n{marker}And here?<end_of_turn>\n"
            "<start_of_turn>model\n"
        )


def test_a_jinja_template_goes_before_words() -> None:
    metadata = LlmMetadata(jinja_template="{{ messages | length }}", user=Affix("<u>", "</u>"))
    template = prompt_template(metadata, "a.litertlm")
    assert isinstance(template, JinjaTemplate)
    template.close()


@pytest.mark.parametrize(
    ("turn", "complaint"),
    [
        ({"role": "robot", "content": "a"}, "role 'robot'"),
        ({"content": "a"}, "role None"),
        ({"role": "user", "content": 7}, "content is 7"),
        ({"role": "user"}, "content is None"),
        ({"role": "user", "content": [{"type": "audio"}]}, "type 'audio'"),
    ],
)
def test_a_turn_that_no_prompt_is_made_of_is_refused(turn: dict[str, Any], complaint: str) -> None:
    template = AffixTemplate(Affix(), Affix(), Affix(), "<image>")
    with pytest.raises(BundleError, match=complaint):
        template.render([turn])


def test_a_bundle_hands_out_its_template_and_closes_it(
    write_bundle: Callable[..., Path], part: Any, kinds: Any
) -> None:
    proto = llm_metadata_pb2.LlmMetadata(
        jinja_prompt_template="{% for m in messages %}[{{ m.role }}:{{ m.content }}]{% endfor %}"
    )
    with open_bundle(write_bundle(part(kinds.LlmMetadataProto, proto.SerializeToString()))) as bundle:
        template = bundle.template()
        assert template is bundle.template()
        assert template.render([{"role": "user", "content": "a"}]) == "[user:a]"
    with pytest.raises(ValueError, match="is closed"):
        template.render([{"role": "user", "content": "a"}])
