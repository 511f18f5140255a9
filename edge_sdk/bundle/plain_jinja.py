"""Render the plainest of Jinja's templates here, rather than in a process of their own that takes 60 ms to start.

They loop over the messages, and over the parts of one; compare a role or a kind with a text; and write texts: a program
of this part of the language can neither hang nor fill the memory. What is not of this part, in a template or in a
conversation, is `Beyond`, and left to Jinja: it then says what that means, or what is wrong with it.

Source: https://jinja.palletsprojects.com/en/stable/templates/ (whitespace control, trim_blocks, lstrip_blocks).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from keyword import kwlist
from typing import Any, TypeAlias

from edge_sdk.bundle.jinja_worker import suited

__all__ = ["PROMPT_MAX_LETTERS", "Beyond", "PlainTemplate"]

_SOURCE_MAX_LETTERS, _DEEPEST = 8192, 16
PROMPT_MAX_LETTERS = 1 << 20
_PROBE = "edge-sdk-probe"

_STRING = r"""'(?:[^'\\\n]|\\n)*'|"(?:[^"\\\n]|\\n)*\""""
_FIELD = r"([a-z]\w*)(?:\.(role|content|type|text)\b|\[(?:'(role|content|type|text)'|\"(role|content|type|text)\")\])"
_BEGIN = re.compile(r"\{[%{#]")
_TAG = re.compile(rf"\{{([%{{])(-?)((?:{_STRING}|[^'\"%{{}}\-])*)(-?)[%}}]\}}", re.ASCII)
_FOR = re.compile(rf"for\s+([a-z]\w*)\s+in\s+(?:(messages)|{_FIELD})", re.ASCII)
_COMPARED = re.compile(rf"{_FIELD}\s*(==|!=)\s*({_STRING})", re.ASCII)
_TYPED = re.compile(rf"{_FIELD}\s+is\s+(not\s+)?string", re.ASCII)
_TERM = re.compile(rf"\s*(?:({_STRING})|{_FIELD})\s*", re.ASCII)
# What no loop's variable is called here: each of them means something else in Jinja, or at some place in it.
_TAKEN = {*kwlist, "messages", "add_generation_prompt", "loop", "self", "super", "true", "false", "none"}


class Beyond(Exception):
    """It takes all of Jinja."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the entries of a message, or of a part: the loop's variable, and which one."""

    name: str
    key: str

    def value(self, scope: _Scope) -> object:
        """Return it: a text, or the list of a message's parts."""
        value = scope[self.name].get(self.key)
        if not isinstance(value, (str, list)):
            raise Beyond
        return value

    def text(self, scope: _Scope) -> str:
        """Return it where it is a text."""
        value = self.value(scope)
        if not isinstance(value, str):
            raise Beyond
        return value


@dataclass(frozen=True, slots=True)
class _Condition:
    """A comparison with a text, or whether something is one; without a field: whether the answer is to be opened."""

    field: _Field | None = None
    text: str | None = None
    negated: bool = False

    def holds(self, scope: _Scope) -> bool:
        """Say whether it is so."""
        if self.field is None:
            return "add_generation_prompt" in scope
        if self.text is None:
            return isinstance(self.field.value(scope), str) != self.negated
        return (self.field.text(scope) == self.text) != self.negated


@dataclass(frozen=True, slots=True)
class _Choice:
    """An ``if`` with all that belongs to it."""

    branches: list[tuple[_Condition | None, list[_Node]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Loop:
    """A ``for`` over all messages, or over the parts of one."""

    name: str
    over: _Field | None
    body: list[_Node] = field(default_factory=list)


_Scope: TypeAlias = "dict[str, dict[str, Any]]"
_Node: TypeAlias = "str | _Field | _Choice | _Loop"


class PlainTemplate:
    """A template in the plain part of the language.

    Parameters
    ----------
    source : str
        The template.

    Raises
    ------
    Beyond
        It is not that plain.
    """

    def __init__(self, source: str) -> None:
        if len(source) > _SOURCE_MAX_LETTERS or "\r" in source:
            raise Beyond
        self._nodes = _Reader(source).nodes()
        self._parts = not self._shows(_PROBE) and self._shows([{"type": "text", "text": _PROBE}])

    def render(self, messages: Sequence[dict[str, Any]], *, add_generation_prompt: bool) -> str:
        """Return the prompt, as the process that runs Jinja does.

        Raises
        ------
        Beyond
            There is something in the conversation of which only Jinja knows what becomes of it.
        """
        try:
            turns = [suited(turn, self._parts) for turn in messages]
        except (AttributeError, KeyError) as error:
            raise Beyond from error
        return self._write(turns, add_generation_prompt)

    def _shows(self, content: object) -> bool:
        return _PROBE in self._write([{"role": "user", "content": content}], False)

    def _write(self, turns: Sequence[dict[str, Any]], opens: bool) -> str:
        scope: _Scope = {"add_generation_prompt": {}} if opens else {}
        pieces, left = [], PROMPT_MAX_LETTERS
        for piece in _written(self._nodes, turns, scope):
            pieces.append(piece)
            left -= len(piece)
            if left < 0:
                raise Beyond
        return "".join(pieces)


def _written(nodes: list[_Node], turns: Sequence[dict[str, Any]], scope: _Scope) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, str):
            yield node
        elif isinstance(node, _Field):
            yield node.text(scope)
        elif isinstance(node, _Choice):
            bodies = (body for condition, body in node.branches if condition is None or condition.holds(scope))
            yield from _written(next(bodies, []), turns, scope)
        else:
            items = turns if node.over is None else node.over.value(scope)
            for item in items:  # type: ignore[attr-defined]
                if not isinstance(item, dict):  # the letters of a text, too, are Jinja's
                    raise Beyond
                yield from _written(node.body, turns, {**scope, node.name: item})


class _Reader:
    """Reads a template once, from its beginning to its end."""

    def __init__(self, source: str) -> None:
        self._pieces = list(_pieces(source))
        self._at = 0

    def nodes(self) -> list[_Node]:
        """Return the whole of it."""
        found, end = self._body(())
        if end:
            raise Beyond
        return found

    def _body(self, names: tuple[str, ...], depth: int = 0) -> tuple[list[_Node], str]:
        """Return what stands before the tag that ends it, and that; names are those of the loops around it."""
        found: list[_Node] = []
        if depth > _DEEPEST:
            raise Beyond
        while self._at < len(self._pieces):
            kind, text = self._pieces[self._at]
            self._at += 1
            if kind == "":
                found.append(text)
            elif kind == "{":
                found += _terms(text, names)
            elif text.startswith("for"):
                found.append(self._loop(text, names, depth))
            elif text.startswith("if"):
                found.append(self._choice(text, names, depth))
            else:
                return found, text
        return found, ""

    def _loop(self, text: str, names: tuple[str, ...], depth: int) -> _Loop:
        match = _FOR.fullmatch(text)
        if match is None or match[1] in {*_TAKEN, *names}:
            raise Beyond
        over = None if match[2] else _field(match.groups()[2:], names)
        # Over messages on the outside and over the parts of one within: nothing grows by more than what is there.
        if len(names) != (over is not None) or (over is not None and over.key != "content"):
            raise Beyond
        loop = _Loop(match[1], over)
        body, end = self._body((*names, match[1]), depth + 1)
        if end != "endfor":
            raise Beyond
        loop.body.extend(body)
        return loop

    def _choice(self, text: str, names: tuple[str, ...], depth: int) -> _Choice:
        choice, end = _Choice(), text
        while end != "endif":
            words = end.split(None, 1)
            last = choice.branches and choice.branches[-1][0] is None
            if last or words[:1] not in (["if"], ["elif"], ["else"]) or (len(words) == 1) != (words[0] == "else"):
                raise Beyond
            condition = _condition(words[1], names) if len(words) > 1 else None
            body, end = self._body(names, depth + 1)
            choice.branches.append((condition, body))
        return choice


def _pieces(source: str) -> Iterator[tuple[str, str]]:
    """Yield texts, and tags with ``{`` or ``%`` in front; whitespace as Jinja leaves it."""
    at, after = 0, ""
    while begin := _BEGIN.search(source, at):
        tag = _TAG.match(source, begin.start())
        if tag is None or not tag[3].strip() or (tag[1] == "{") != tag[0].endswith("}}"):
            raise Beyond
        yield "", _trimmed(source[at : begin.start()], after, tag[1], dash=bool(tag[2]))
        yield tag[1], tag[3].strip()
        at, after = tag.end(), "-" if tag[4] else tag[1]
    yield "", _trimmed(source[at:], after, "", dash=False)


def _trimmed(text: str, after: str, before: str, *, dash: bool) -> str:
    """Return the text between two tags without the whitespace that they take."""
    text = text.lstrip() if after == "-" else text.removeprefix("\n") if after == "%" else text
    if dash:
        return text.rstrip()
    if before == "%" and text[-1:].isspace() and text[-1] != "\n":
        raise Beyond  # goes or stays by what else stands on its line
    return text


def _terms(text: str, names: tuple[str, ...]) -> Iterator[str | _Field]:
    """Yield what is written one behind the other."""
    at = 0
    while True:
        match = _TERM.match(text, at)
        if match is None:
            raise Beyond
        yield _string(match[1]) if match[1] else _field(match.groups()[1:], names)
        at = match.end() + 1
        if match.end() == len(text):
            return
        if text[match.end()] != "+":
            raise Beyond


def _condition(text: str, names: tuple[str, ...]) -> _Condition:
    if text == "add_generation_prompt":
        return _Condition()
    if match := _COMPARED.fullmatch(text):
        *place, sign, string = match.groups()
        return _Condition(_field(place, names), _string(string), sign == "!=")
    if match := _TYPED.fullmatch(text):
        *place, negated = match.groups()
        return _Condition(_field(place, names), None, bool(negated))
    raise Beyond


def _field(groups: Sequence[str | None], names: tuple[str, ...]) -> _Field:
    """Make a field of what `_FIELD` found: a name, and a key in one of its three spellings."""
    name, *keys = groups
    if name is None or name not in names:
        raise Beyond
    return _Field(name, next(key for key in keys if key))


def _string(literal: str) -> str:
    return literal[1:-1].replace("\\n", "\n")
