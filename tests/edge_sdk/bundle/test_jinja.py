"""Templates from a publisher: what they render, and that they can neither hang nor fill the memory."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import jinja2
import pytest

from edge_sdk.bundle import jinja
from edge_sdk.bundle.jinja import JinjaTemplate
from edge_sdk.errors import BundleError, ClosedError, EdgeError, MissingDependency

ASK = [{"role": "user", "content": "How many cells?"}]
CHAT = """\
{{ bos_token }}
{%- if messages[0].role == 'system' -%}
    {%- set rest = messages[1:] -%}
    <system>{{ messages[0].content | trim }}</system>
{%- else -%}
    {%- set rest = messages -%}
{%- endif -%}
{% set ns = namespace(turns=0) %}
{%- for m in rest %}
    {%- set ns.turns = ns.turns + 1 -%}
    {% if m.content is string %}
<{{ m.role }}>{{ m.content.strip() }}</{{ m.role }}>
    {% else %}
<{{ m.role }}>{% for p in m.content %}{{ '<image>' if p.type == 'image' else p.text }}{% endfor %}</{{ m.role }}>
    {% endif %}
{%- endfor %}
{{ ns.turns }} {{ tools | tojson if tools is not none else 'no tools' }}
{% if add_generation_prompt %}<assistant>{% endif %}
"""

Make = Callable[..., JinjaTemplate]


@pytest.fixture
def make() -> Iterator[Make]:
    """Give a function that makes templates, and close them after the test."""
    made: list[JinjaTemplate] = []

    def template(source: str, **limits: Any) -> JinjaTemplate:
        made.append(JinjaTemplate(source, "/bundles/a.litertlm", **limits))
        return made[-1]

    yield template
    for item in made:
        item.close()


def test_a_template_renders_as_jinja_itself_does(make: Make) -> None:
    talk = [
        {"role": "system", "content": " Be brief. "},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "\u00fc?"}]},
        {"role": "assistant", "content": " 3 "},
        {"role": "user", "content": "And \U0001f600?"},
    ]
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    for context in ({"tools": [{"name": "count", "of": ["wbc", "\u00e9"]}]}, {"tools": None}):
        for opens in (True, False):
            expected = environment.from_string(CHAT).render(
                messages=talk, add_generation_prompt=opens, bos_token="<s>", **context
            )
            expected = expected.replace(r"\u00e9", "\u00e9").replace("&#34;", '"')
            template = make(CHAT)
            found = template.render(talk, add_generation_prompt=opens, bos_token="<s>", **context)
            if context["tools"]:
                assert '[{"name": "count", "of": ["wbc", "\u00e9"]}]' in found
                found, expected = (text[: text.index("\n3 ")] for text in (found, expected))
            assert found == expected


def test_what_is_not_defined_counts_as_none(make: Make) -> None:
    assert make("{{ tools is none }} {{ messages is none }}").render(ASK) == "True False"


def test_marks_for_training_leave_no_trace(make: Make) -> None:
    source = "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% break %}{% endfor %}"
    assert make(source).render(ASK * 3) == "How many cells?"


def test_a_template_that_wants_parts_gets_parts_and_one_that_wants_text_gets_text(make: Make) -> None:
    parts = "{% for m in messages %}{% for p in m.content %}({{ p.text }}){% endfor %}{% endfor %}"
    assert make(parts).render(ASK) == "(How many cells?)"
    one_part = [{"role": "user", "content": [{"type": "text", "text": "How many cells?"}]}]
    assert make("{{ messages[0].content + '!' }}").render(one_part) == "How many cells?!"


def test_the_date_is_todays(make: Make) -> None:
    before = datetime.now().strftime("%Y-%m-%d")
    found = make("{{ strftime_now('%Y-%m-%d') }}").render(ASK)
    assert found in (before, datetime.now().strftime("%Y-%m-%d"))


def test_a_template_may_refuse_a_conversation_and_go_on_with_the_next(make: Make) -> None:
    template = make("{% if messages | length > 1 %}{{ raise_exception('one turn only') }}{% endif %}fine")
    with pytest.raises(BundleError, match=r"a\.litertlm failed: TemplateError: one turn only"):
        template.render(ASK * 2)
    assert template.render(ASK) == "fine"


def test_what_a_template_says_of_itself_does_not_steer_the_terminal(make: Make) -> None:
    with pytest.raises(BundleError, match="TemplateError:  \\[2Jgone") as error:
        make("{{ raise_exception('\\x1b[2Jgone') }}").render(ASK)
    assert "\x1b" not in str(error.value)


BOMBS = {
    "a loop of a billion": "{% for i in range(10**9) %}{% endfor %}",
    "loops in loops": "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "a long text by multiplication": "{{ 'a' * 10**10 }}",
    "a long text by formatting": "{{ '%09999999999d' % 1 }}",
    "a long text by centring": "{{ 'a' | center(10**10) }}",
    "a text that doubles": (
        "{% set n = namespace(s='aaaaaaaa') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}"
    ),
    "a list that doubles": (
        "{% set n = namespace(s=[]) %}{% for i in range(60) %}{% set n.s = [n.s, n.s] %}{% endfor %}{{ n.s }}"
    ),
    "a number beyond all bounds": (
        "{% set n = namespace(s=9) %}{% for i in range(60) %}{% set n.s = n.s * n.s %}{% endfor %}"
    ),
    "a prompt without an end": "{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a billion words of Latin": "{{ lipsum(n=10**9) }}",
}


@pytest.mark.parametrize("source", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_stopped_and_the_bundle_named(make: Make, source: str) -> None:
    with pytest.raises(BundleError, match=r"The prompt template of /bundles/a\.litertlm failed"):
        make(source, limit_s=0.2).render(ASK)


def test_the_reason_says_which_limit_was_met(make: Make) -> None:
    for bomb, reason in (
        ("loops in loops", "more than 0.2 s of processor time"),
        ("a long text by multiplication", "more memory"),
        ("a prompt without an end", "more than 1048576 letters"),
    ):
        with pytest.raises(BundleError, match=reason):
            make(BOMBS[bomb], limit_s=0.2).render(ASK)


def test_a_template_that_was_stopped_can_be_asked_again(make: Make) -> None:
    template = make("{% if messages | length > 1 %}" + BOMBS["loops in loops"] + "{% endif %}fine", limit_s=0.2)
    for _ in range(2):
        with pytest.raises(BundleError):
            template.render(ASK * 2)
        assert template.render(ASK) == "fine"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{% if",
        "{{ undefined_thing.field }}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_a_template_that_reaches_out_or_is_wrong_is_refused(make: Make, source: str) -> None:
    with pytest.raises(BundleError, match=r"a\.litertlm failed"):
        make(source).render(ASK)


def test_a_template_of_half_a_megabyte_is_refused_unread() -> None:
    with pytest.raises(BundleError, match=r"a\.litertlm has a prompt template of 524288 bytes"):
        JinjaTemplate("x" * 524288, "/bundles/a.litertlm")


def test_several_threads_share_one_template(make: Make) -> None:
    template = make("{{ messages[0].content }}")
    wrong: list[str] = []

    def ask(number: int) -> None:
        for turn in range(20):
            text = f"{number} {turn}"
            if template.render([{"role": "user", "content": text}]) != text:
                wrong.append(text)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_process_ends_with_the_template() -> None:
    template = JinjaTemplate("{{ messages[0].content }}", "/bundles/a.litertlm")
    template.start()
    assert template.render(ASK) == "How many cells?"
    assert template._worker is not None
    process = template._worker._process
    assert process.poll() is None
    template.close()
    template.close()
    assert process.poll() is not None
    with pytest.raises(ClosedError, match=r"a\.litertlm is closed"):
        template.render(ASK)


def test_a_process_that_was_killed_is_told_and_replaced(make: Make) -> None:
    template = make("{{ messages[0].content }}")
    template.render(ASK)
    assert template._worker is not None
    process = template._worker._process
    process.kill()
    process.wait()
    other = [{"role": "user", "content": "Which?"}]
    with pytest.raises(BundleError, match="ended with -9"):
        template.render(other)
    assert template.render(other) == "Which?"


def asked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Have noted what the process is asked."""
    questions: list[object] = []
    ask = jinja._Worker.ask

    def note(worker: jinja._Worker, question: Mapping[str, Any], wait_s: float) -> dict[str, Any]:
        questions.append(question)
        return ask(worker, question, wait_s)

    monkeypatch.setattr(jinja._Worker, "ask", note)
    return questions


def test_the_same_conversation_is_rendered_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = asked(monkeypatch)
    template = make("{{ messages[0].content }}{{ '>' if add_generation_prompt }}")
    assert [template.render(ASK) for _ in range(3)] == ["How many cells?>"] * 3
    assert template.render(ASK, add_generation_prompt=False) == "How many cells?"
    assert len(questions) == 2


def test_a_template_that_draws_lots_or_looks_at_the_clock_is_asked_every_time(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = asked(monkeypatch)
    for source in ("{{ ['a', 'b'] | random }}", "{{ strftime_now('%Y') }}"):
        template = make(source)
        template.render(ASK)
        template.render(ASK)
    assert len(questions) == 4


def test_what_was_rendered_is_kept_within_bounds(make: Make) -> None:
    template = make("{{ messages[0].content }}")
    for number in range(40):
        template.render([{"role": "user", "content": f"{number}"}])
    template.render([{"role": "user", "content": "x" * 20_000}])
    assert len(template._kept) == 32
    assert max(map(len, template._kept.values())) == 2


def test_what_a_plain_template_gave_is_kept_as_well(monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    template = make("{% for m in messages %}{{ m.content }}{% endfor %}")
    assert template.render(ASK) == "How many cells?"
    assert not template.takes_process
    monkeypatch.setattr(template, "_plain", None)
    monkeypatch.setattr(template, "_running", None)
    assert template.render(ASK) == "How many cells?"


def test_jinja_is_never_loaded_into_this_process() -> None:
    program = (
        "import sys; from edge_sdk.bundle.jinja import JinjaTemplate\n"
        "template = JinjaTemplate('{{ messages[0].content }}', 'a'); print(template.render("
        "[{'role': 'user', 'content': 'fine'}])); template.close(); print('jinja2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["fine", "False"]


def test_without_the_library_the_error_names_the_pip_command(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = [place for place in sys.path if not os.path.isdir(os.path.join(place, "jinja2"))]  # noqa: PTH112, PTH118
    monkeypatch.setattr(sys, "path", hidden)
    with pytest.raises(MissingDependency, match="pip install jinja2"):
        make("{{ messages }}").render(ASK)


def test_a_system_that_starts_no_process_says_so(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(EdgeError, match="No process could be started"):
        make("{{ messages }}").render(ASK)
