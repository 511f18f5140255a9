"""Checks of a real answer: the shipped model about shipped photographs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edge_sdk.bundle.folder import SHIPPED
from edge_sdk.doctor.finding import Finding, failure, ok, warning
from edge_sdk.doctor.surroundings import Surroundings
from edge_sdk.frame import Frame
from edge_sdk.memory import plan_for
from edge_sdk.memory.peak import watch_peak
from edge_sdk.pipeline import Answer, VisionLanguageModel, load
from edge_sdk.units import format_bytes

__all__ = ["EXPECTED", "inference_answer", "inference_memory"]

QUESTION = "How many white blood cells are there?"
# Photograph -> what a person counts in it, and the model too.
EXPECTED = {"smear-1.jpg": 2, "smear-2.jpg": 1}
# What a plan may be off by: the more of the two.
_SLACK_SHARE, _SLACK_BYTES = 0.10, 8_000_000


def inference_answer(_here: Surroundings) -> Iterator[Finding]:
    """Ask about photographs whose answers are known."""
    with load(SHIPPED / "smear.litertlm") as model:
        for name, expected in EXPECTED.items():
            answer = _ask(model, name)
            found = re.search(r"\d+", answer.text)
            if not found or int(found[0]) != expected:
                yield failure(
                    f"About {name} it said {answer.text!r}; {expected} white blood cells were expected.",
                    "Trust no answer here. edge doctor --only bundle,cpu says whether file and processor are sound; "
                    "EDGE_CACHE=$(mktemp -d) edge doctor --only inference tries it without kept weights.",
                )
                return
        told = answer.timings
        yield ok(f"Both answers are right; the first word came after {told.first_token_s * 1000:.0f} ms.")


def inference_memory(_here: Surroundings) -> Iterator[Finding]:
    """Compare the most memory that a process takes from loading to answering with the plan that it was loaded by."""
    plan = plan_for(SHIPPED / "smear.litertlm")
    with watch_peak() as peak, load(plan) as model:
        _ask(model, next(iter(EXPECTED)))
        model.count(_photo(next(iter(EXPECTED))))
    taken = peak.private_bytes
    planned = plan.peak_private_bytes
    told = f"At most it took {format_bytes(taken)} of private memory; {format_bytes(planned)} were planned"
    if taken > planned + max(_SLACK_SHARE * planned, _SLACK_BYTES):
        fix = "Plan with less, as in --budget 128MB, and hand on what edge doctor --report FILE.zip writes."
        yield warning(f"{told}: more than there may be.", fix)
    else:
        yield ok(f"{told}.")


def _ask(model: VisionLanguageModel, name: str) -> Answer:
    answer = model.ask(QUESTION, _photo(name))
    _ = answer.text
    return answer


def _photo(name: str) -> Frame:
    return Frame.open(SHIPPED / "photos" / name)
