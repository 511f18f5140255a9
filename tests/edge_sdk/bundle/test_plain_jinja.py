"""The plainest templates are rendered without Jinja, and just as Jinja renders them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from edge_sdk.bundle import find_bundle, open_bundle
from edge_sdk.bundle.jinja import JinjaTemplate
from edge_sdk.bundle.jinja_worker import make_environment, render, wants_parts
from edge_sdk.bundle.plain_jinja import Beyond, PlainTemplate
from edge_sdk.errors import BundleError

# As common templates are written, in the ways in which they put whitespace.
CHAT_ML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>'"
    " + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
PARTS = """\
{%- for m in messages -%}
    {%- if m.role == "user" -%} <u>
    {%- elif m['role'] != 'system' -%} <a>
    {%- else %}
<s>
{%- endif -%}
    {%- if m.content is string -%}{{ m.content }}{%- else -%}
    {%- for p in m.content -%}{%- if p.type == 'image' -%} [i] {%- else -%}{{- p.text -}}{%- endif -%}{%- endfor -%}
    {%- endif %}
</>
{% endfor -%}
{%- if add_generation_prompt -%}<a>{%- endif %}
"""
PLAIN = [CHAT_ML, PARTS, "", "words { } % alone\n", "{% for m in messages %}\n{{ m.content }}\n{% endfor %}\n"]
BEYOND = [
    "{% for m in messages %}{{ m.content | trim }}{% endfor %}",
    "{% for m in messages %}{{ m.content.strip() }}{% endfor %}",
    "{% for m in messages %}{{ m.content }} {% endfor %}",  # whether that space stays is a matter of its line
    "{% for m in messages %}{% for n in messages %}{{ n.content }}{% endfor %}{% endfor %}",
    "{% for m in messages %}{% for p in m.content %}{% for q in m.content %}a{% endfor %}{% endfor %}{% endfor %}",
    "{% for m in messages %}{% else %}{% endfor %}",
    "{% for m in messages %}{{ loop.index }}{% endfor %}",
    "{% for m in messages %}{{ m.items }}{% endfor %}",
    "{% for messages in messages %}{% endfor %}",
    "{% for m in messages %}{% endfor %}{{ m.content }}",
    "{% if add_generation_prompt %}{% else %}{% else %}{% endif %}",
    "{% if add_generation_prompt %}",
    "{% endif %}",
    "{{ messages }}",
    "{{ '\\x41' }}",
    "{{{ 'a' }}",
    "{{ 'a' %}",
    "{{ 'a' ",
    "{{ 'a' + }}",
    "{{ }}",
    "a{% %} b",  # as if it ended there
    "a {%--%} b",
    "{# a comment #}",
    "{%+ if add_generation_prompt %}{% endif %}",
    "{{ range(10**9) }}",
    "line\r\n",
    "x" * 8193,
]


@cache
def compiled(source: str) -> tuple[Any, bool]:
    """Have Jinja read a template, and say whether that wants parts."""
    template = make_environment().from_string(source)
    return template, wants_parts(template)


def by_jinja(source: str, turns: list[dict[str, Any]], *, opens: bool) -> str | None:
    """Render with Jinja as the process does; None where it refuses."""
    template, parts = compiled(source)
    question = {"messages": list(turns), "add_generation_prompt": opens}
    try:
        return str(render(template, parts, question, 1 << 20)["text"])
    except Exception:
        return None


def talks(seed: int) -> Iterator[list[dict[str, Any]]]:
    """Yield conversations of all kinds, some of them odd."""
    draw = random.Random(seed)
    texts = ["", "How many?", " a \n", "<u>{{ 7 }}", "\u00fc\U0001f600\r\n", "edge-sdk-probe", "user"]

    def part() -> dict[str, Any]:
        return draw.choice([{"type": "image"}, {"type": "text", "text": draw.choice(texts)}, {"type": "text"}])

    for _ in range(25):
        yield [
            {
                "role": draw.choice(["user", "assistant", "system", "model", ""]),
                "content": draw.choice([draw.choice(texts), [part() for _ in range(draw.randint(0, 3))]]),
            }
            for _ in range(draw.randint(0, 4))
        ]
    yield [{"role": "user"}]
    yield [{"role": "user", "content": None}, {"content": ["text"]}]


def same_as_jinja(source: str, seed: int = 5) -> int:
    """Compare all conversations, and count those that were rendered without Jinja."""
    template, rendered = PlainTemplate(source), 0
    for turns in talks(seed):
        for opens in (True, False):
            try:
                found = template.render(turns, add_generation_prompt=opens)
            except Beyond:
                continue
            assert found == by_jinja(source, turns, opens=opens), (source, turns, opens)
            rendered += 1
    return rendered


@pytest.mark.parametrize("source", PLAIN)
def test_common_templates_come_out_as_from_jinja(source: str) -> None:
    assert same_as_jinja(source) > 10


def test_the_shipped_bundles_template_needs_no_process() -> None:
    with open_bundle(find_bundle("smear")) as bundle:
        source, template = bundle.metadata.jinja_template, bundle.template()
        assert source is not None
        assert isinstance(template, JinjaTemplate)
        question = [{"type": "image"}, {"type": "text", "text": "How many cells?"}]
        turns: list[dict[str, Any]] = [{"role": "user", "content": question}, {"role": "assistant", "content": "3."}]
        assert template.render(turns) == by_jinja(source, turns, opens=True)
        assert template._worker is None
    assert same_as_jinja(source) > 30


@pytest.mark.parametrize("source", BEYOND)
def test_what_is_not_plain_is_left_to_jinja(source: str) -> None:
    with pytest.raises(Beyond):
        PlainTemplate(source)


def test_templates_put_together_by_chance_come_out_as_from_jinja() -> None:
    draw, plain = random.Random(11), 0
    for number in range(400):
        source = made_up(draw, draw.randint(1, 4), ())
        try:
            plain += same_as_jinja(source, number) > 0
        except Beyond:
            continue
    assert plain > 100


def made_up(draw: random.Random, size: int, names: tuple[str, ...]) -> str:
    """Make a template of the plain part of the language, or close to it."""
    fields = [f"{name}{key}" for name in names for key in (".content", "['role']", ".text", '["type"]')]

    def space() -> str:
        return draw.choice(["", "", "", " ", "\n", "\n  ", " x\n", "y", "{", "\t"])

    def tag(inside: str, kind: str = "%") -> str:
        end = "}" if kind == "{" else "%"
        return f"{{{kind}{draw.choice(['', '-'])} {inside} {draw.choice(['', '-'])}{end}}}"

    def condition() -> str:
        chosen = ["add_generation_prompt"]
        for name in fields:
            chosen += [f"{name} == 'user'", f"{name}!='text'", f"{name} is string", f"{name} is not string"]
        return draw.choice(chosen)

    def inner() -> str:
        return made_up(draw, size - 1, names)

    def node() -> str:
        kind = draw.randrange(5) if size > 1 else 0
        if kind == 1 and len(names) < 2:
            name = "mp"[len(names)]
            over = "m.content" if names else "messages"
            return tag(f"for {name} in {over}") + made_up(draw, size - 1, (*names, name)) + tag("endfor")
        if kind in (2, 3):
            more = tag(f"elif {condition()}") + inner() if kind == 3 else ""
            last = tag("else") + inner() if draw.random() < 0.5 else ""
            return tag(f"if {condition()}") + inner() + more + last + tag("endif")
        terms = draw.sample([*fields, "'a\\n'", '"b- "', "'%}'"], draw.randint(1, 2))
        return tag(" + ".join(terms), "{")

    return space() + "".join(node() + space() for _ in range(draw.randint(1, 3)))


def test_a_conversation_that_is_beyond_it_goes_to_jinja_which_says_what_is_wrong() -> None:
    template = JinjaTemplate(CHAT_ML, "/bundles/a.litertlm")
    assert template.render([{"role": "user", "content": "Hi"}], add_generation_prompt=False) == (
        "<|im_start|>user\nHi<|im_end|>\n"
    )
    assert template._worker is None
    picture = [{"type": "image"}, {"type": "text", "text": "What?"}]
    with pytest.raises(BundleError, match="failed: TypeError"):
        template.render([{"role": "user", "content": picture}])
    template.close()


def test_a_prompt_without_an_end_is_left_to_the_process_that_has_limits() -> None:
    source = "{% for m in messages %}" + "{{ m.content }}" * 500 + "{% endfor %}"
    template = JinjaTemplate(source, "/bundles/a.litertlm")
    with pytest.raises(BundleError, match="more than 1048576 letters"):
        template.render([{"role": "user", "content": "x" * 9999}])
    template.close()
