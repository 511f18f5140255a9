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
from question import DECLINING, LABELS, LOOKING, NO_FILM, THIRDS, UNFIT, Facts, Question, answer, ask, crowding

EXACT_UP_TO = 5
TOLERANCE = 0.15
_OTHERS = ("describe", "film", "help", "medical", "finer", "off")
_SPOKEN_NUMBER = re.compile(r"\b(\d+|no)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Record:
    """One question, what was answered, what is true of the picture, and what ``count()`` saw in it.

    ``facts`` and ``seen`` are None where no picture was shown.
    """

    question: Question
    reply: str
    facts: Facts | None
    seen: Facts | None


def questions_for(name: str) -> list[Question]:
    """Give the questions that a picture answers, in wordings kept out of training, the same on every run."""
    rng = random.Random(name)
    subjects = [("count", (c,)) for c in CLASSES] + [("present", (c,)) for c in CLASSES]
    subjects += [("compare", pair) for pair in combinations(CLASSES, 2)]
    subjects += [("where", ("wbc",)), ("crowd", ())]
    return [ask(kind, rng, subject=subject, test=True, clean=True) for kind, subject in subjects]


def other_questions_for(name: str) -> list[Question]:
    """Give a question of each kind that a picture does not answer, or not in one word; see `questions_for`.

    To describe it, whether it is a film, what the model can do, and what it must turn down: medical advice, finer
    kinds of cells, other topics.
    """
    rng = random.Random(name)
    return [ask(kind, rng, test=True, clean=True) for kind in _OTHERS]


def question_without_frame(name: str) -> Question:
    """Give a question about a frame, to be asked without one; see `questions_for`."""
    rng = random.Random(name)
    return ask(rng.choice(LOOKING), rng, test=True, clean=True)


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


def judge(question: Question, reply: str, facts: Facts | None) -> bool:
    """Tell whether an answer says what is true; how it is worded does not matter.

    ``facts`` is None where no frame was shown. Where there is nothing to report, the answer must be the very one.
    """
    judge_kind = _JUDGES.get(question.kind)
    if judge_kind is None or facts is None or not facts.film:
        return reply.strip() == answer(question, facts)
    return judge_kind(question, reply, facts)


def _counts(question: Question, reply: str, facts: Facts) -> bool:
    (subject,) = question.subject
    number = spoken_number(reply)
    return LABELS[subject][0] in reply and number is not None and near(number, facts.number(subject))


def _tells_presence(question: Question, reply: str, facts: Facts) -> bool:
    (subject,) = question.subject
    return LABELS[subject][0] in reply and reply.startswith("Yes," if facts.number(subject) else "No,")


def _compares(question: Question, reply: str, facts: Facts) -> bool:
    # "There are more A than B" and "as many A as B": what stands before the numbers.
    return reply.split(":")[0] == answer(question, facts).split(":")[0]


def _tells_places(question: Question, reply: str, facts: Facts) -> bool:
    (subject,) = question.subject
    places = facts.places.get(subject)
    if not places:
        return reply.strip() == answer(question, facts)
    said = {i for i, name in enumerate(THIRDS) if f"the {name}" in reply}
    return LABELS[subject][0] in reply and said == set(places)


def _tells_crowding(_: Question, reply: str, facts: Facts) -> bool:
    return crowding(facts.cover) in reply


def _describes(question: Question, reply: str, facts: Facts) -> bool:
    parts = re.split(r": |, | and ", reply)
    counts = [_counts(Question("count", (c,), ""), part, facts) for c, part in zip(CLASSES, parts[1:], strict=False)]
    return len(parts) == 1 + len(CLASSES) and all(counts) and _tells_crowding(question, parts[0], facts)


_JUDGES = {
    "count": _counts,
    "present": _tells_presence,
    "compare": _compares,
    "where": _tells_places,
    "crowd": _tells_crowding,
    "describe": _describes,
}


def blind(questions: Sequence[Question], facts: Sequence[Facts | None]) -> list[bool]:
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


def score_others(records: Iterable[Record]) -> dict[str, dict[str, float]]:
    """Score answers to `other_questions_for` and `question_without_frame`, by kind.

    Returns
    -------
    dict
        By kind, and for questions without a frame under ``no frame``: ``right``, ``agree`` and ``asked``. What is to
        be turned down also has ``declined``: it was, if not for the reason that fits best.
    """
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.question.kind if record.facts else "no frame"].append(record)
    return {
        name: {**_known(group), **({"declined": _declined(group)} if name in UNFIT else {})}
        for name, group in groups.items()
    }


def _declined(records: list[Record]) -> float:
    return sum(r.reply.strip() in DECLINING for r in records) / len(records)


def _shares(records: list[Record]) -> dict[str, float]:
    guess = blind([r.question for r in records], [r.facts for r in records])
    return {**_known(records), "blind": sum(guess) / len(guess)}


def _known(records: list[Record]) -> dict[str, float]:
    asked = len(records)
    return {
        "right": sum(judge(r.question, r.reply, r.facts) for r in records) / asked,
        "agree": sum(judge(r.question, r.reply, r.seen) for r in records) / asked,
        "asked": asked,
    }


def is_refused(reply: str) -> bool:
    """Tell whether an answer says that the frame is no blood film."""
    return reply.strip() == NO_FILM
