"""Judge spoken answers: right against the labels, in agreement with ``count()``, better than blind.

records = [Record(question, reply, facts_of(boxes), facts_of(counted_boxes)) ...]
score_answers(records)
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from data import CLASSES
from question import LABELS, NO_FILM, THIRDS, Facts, Question, answer, ask, crowding

EXACT_UP_TO = 5
TOLERANCE = 0.15
_SPOKEN_NUMBER = re.compile(r"\b(\d+|no)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Record:
    """One question about one picture, what was answered, what is true, and what ``count()`` saw."""

    question: Question
    reply: str
    facts: Facts
    seen: Facts


def questions_for(name: str) -> list[Question]:
    """Give the questions to ask about a picture, in wordings kept out of training, the same on every run."""
    rng = random.Random(name)
    subjects = [("count", (c,)) for c in CLASSES] + [("present", (c,)) for c in CLASSES]
    subjects += [("compare", pair) for pair in combinations(CLASSES, 2)]
    subjects += [("where", ("wbc",)), ("crowd", ())]
    return [ask(kind, rng, subject=subject, test=True, clean=True) for kind, subject in subjects]


def spoken_number(reply: str) -> int | None:
    """Read the number out of an answer; ``no`` is 0.

    >>> spoken_number("There are no platelets."), spoken_number("There are 14 red blood cells.")
    (0, 14)
    """
    found = _SPOKEN_NUMBER.search(reply)
    if found is None:
        return None
    return 0 if found[1].lower() == "no" else int(found[1])


def near(number: int, true: int) -> bool:
    """Tell whether a count is right: exact up to 5, within 15 % above.

    >>> near(5, 6), near(17, 20), near(4, 5)
    (False, True, False)
    """
    return number == true if true <= EXACT_UP_TO else abs(number - true) <= TOLERANCE * true


def judge(question: Question, reply: str, facts: Facts) -> bool:
    """Tell whether an answer says what is true; how it is worded does not matter."""
    if not facts.film:
        return reply.strip() == NO_FILM
    kind, subject = question.kind, question.subject
    if kind == "count":
        number = spoken_number(reply)
        named = LABELS[subject[0]][0] in reply
        return named and number is not None and near(number, facts.number(subject[0]))
    if kind == "present":
        return reply.startswith("Yes") if facts.number(subject[0]) else reply.startswith("No,")
    if kind == "compare":
        # "There are more A than B" and "as many A as B": what stands before the numbers.
        return reply.split(":")[0] == answer(question, facts).split(":")[0]
    if kind == "where":
        said = {i for i, name in enumerate(THIRDS) if f"the {name}" in reply}
        return said == set(facts.places[subject[0]])
    if kind == "crowd":
        return crowding(facts.cover) in reply
    return reply.strip() == answer(question, facts)


def blind(questions: Sequence[Question], facts: Sequence[Facts]) -> list[bool]:
    """Judge the commonest true answer to each question, given without looking.

    Parameters
    ----------
    questions, facts : sequences
        Question by question, what was asked and what is true.

    Returns
    -------
    list of bool
        Question by question, whether that answer would have been right.
    """
    truths: dict[tuple[str, tuple[str, ...]], Counter[str]] = defaultdict(Counter)
    for asked, true in zip(questions, facts, strict=True):
        truths[asked.kind, asked.subject][answer(asked, true)] += 1
    return [
        judge(asked, truths[asked.kind, asked.subject].most_common(1)[0][0], true)
        for asked, true in zip(questions, facts, strict=True)
    ]


def score_answers(records: Iterable[Record]) -> dict[str, object]:
    """Score answers by kind of question; the spoken counts also stand at the top.

    Returns
    -------
    dict
        ``right``, ``agree``, ``blind`` (shares, 0 to 1) and ``asked`` for the counts, and under
        ``kinds`` the same for every kind, and for the counts of every class.
    """
    records = list(records)
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.question.kind].append(record)
        if record.question.kind == "count":
            groups[f"count {record.question.subject[0]}"].append(record)
    kinds = {name: _shares(group) for name, group in groups.items()}
    return {**kinds.get("count", {}), "kinds": kinds}


def _shares(records: list[Record]) -> dict[str, float]:
    right = [judge(r.question, r.reply, r.facts) for r in records]
    agree = [judge(r.question, r.reply, r.seen) for r in records]
    guess = blind([r.question for r in records], [r.facts for r in records])
    asked = len(records)
    return {
        "right": sum(right) / asked,
        "agree": sum(agree) / asked,
        "blind": sum(guess) / asked,
        "asked": asked,
    }


def is_refused(reply: str) -> bool:
    """Tell whether an answer says that the frame is no blood film."""
    return reply.strip() == NO_FILM
