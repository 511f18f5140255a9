"""Check a whole bundle: every table of every model, the tokenizer, and the prompt template."""

from __future__ import annotations

import os
from dataclasses import dataclass

from edge_sdk.bundle.bundle import Bundle, open_bundle
from edge_sdk.errors import MissingDependency

__all__ = ["Check", "verify_bundle"]

_PROBE = [{"role": "user", "content": "What is this?"}]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, and what was found; ``done`` is false where a library was missing."""

    what: str
    found: str
    done: bool = True


def verify_bundle(path: str | os.PathLike[str]) -> tuple[Check, ...]:
    """Check everything in a bundle that can be checked without running it.

    Raises
    ------
    BundleError
        Something in it is damaged; the error says what.
    """
    with open_bundle(path) as bundle:
        kind = f"LiteRT-LM {'.'.join(map(str, bundle.version))}" if bundle.version else "TFLite"
        checks = [Check("header", f"{kind}, {len(bundle.sections)} sections, none outside the file")]
        for section in bundle.sections:
            if section.is_model:
                model = bundle.model(section.name)
                count = sum(sum(graph.operators.values()) for graph in model.subgraphs)
                checks.append(Check(section.name, f"{len(model.subgraphs)} graphs, {count} operators"))
        kinds = {section.kind for section in bundle.sections}
        if kinds & {"SP_Tokenizer", "HF_Tokenizer_Zlib"}:
            checks.append(_tokenizer(bundle))
        if bundle.metadata.jinja_template is not None:
            checks.append(_template(bundle))
        return tuple(checks)


def _tokenizer(bundle: Bundle) -> Check:
    try:
        tokenizer = bundle.tokenizer()
        tokenizer.encode(_PROBE[0]["content"])
    except MissingDependency as error:
        return Check("tokenizer", f"{error.what} {error.fix}", done=False)
    return Check("tokenizer", f"{tokenizer.vocab_size} tokens")


def _template(bundle: Bundle) -> Check:
    try:
        prompt = bundle.template().render(_PROBE)
    except MissingDependency as error:
        return Check("template", f"{error.what} {error.fix}", done=False)
    return Check("template", f"a question becomes {prompt!r}")
