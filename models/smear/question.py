"""Questions about a blood film in many wordings, and the answers that its labels give."""

from __future__ import annotations

import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import phrase
from data import CLASSES, Boxes

KEPT_FOR_TESTS = 6
# Boxes cover less than the first on 25.1 % of the training pictures, and the second or more on 26.7 %: outer quarters.
SPARSE_BELOW = 0.65
CROWDED_FROM = 0.75
THIRDS = (
    "upper left",
    "upper middle",
    "upper right",
    "middle left",
    "centre",
    "middle right",
    "lower left",
    "lower middle",
    "lower right",
)
LABELS = {
    "wbc": ("white blood cell", "white blood cells"),
    "rbc": ("red blood cell", "red blood cells"),
    "platelet": ("platelet", "platelets"),
    "all": ("cell", "cells"),
}
OFF_TOPIC = "I can only answer questions about blood films."
NO_FILM = "This frame does not look like a blood film."
IS_FILM = "Yes, this looks like a blood film."
NO_FRAME = "Please show me a frame of a blood film."
NO_DIAGNOSIS = "I cannot diagnose: I only count cells."
NO_FINER = "I only know white blood cells, red blood cells and platelets."
NO_PLACE = "I can only tell where white blood cells and platelets lie."
ABILITY = (
    "I count white blood cells, red blood cells and platelets, and say where they lie and how crowded the field is."
)
# Sentences that say nothing about the frame.
DECLINING = frozenset({OFF_TOPIC, NO_DIAGNOSIS, NO_FINER, NO_PLACE, ABILITY})
# Kinds that are to be turned down.
UNFIT = ("medical", "finer", "off")
# Kinds whose answer depends on the frame.
LOOKING = ("count", "present", "compare", "where", "crowd", "describe", "film")
_FIXED = {"help": ABILITY, "medical": NO_DIAGNOSIS, "finer": NO_FINER, "off": OFF_TOPIC}
_PAIRS = tuple(combinations(CLASSES, 2))
_COVER_STEPS = 288
_TABLES = {
    "count": phrase.COUNT,
    "present": phrase.PRESENT,
    "compare": phrase.COMPARE,
    "where": phrase.WHERE,
    "crowd": phrase.CROWD,
    "describe": phrase.DESCRIBE,
    "help": phrase.HELP,
    "medical": phrase.MEDICAL,
    "film": phrase.FILM,
}
_MEDICAL_PARTS = {
    "judged": phrase.JUDGED,
    "state": phrase.STATES,
    "who": phrase.PEOPLE,
    "ill": phrase.ILLNESSES,
    "cure": phrase.CURES,
}
_OFF_PARTS = {
    "order": phrase.ORDERS,
    "trait": phrase.TRAITS,
    "when": phrase.WHENS,
    "place": phrase.PLACES,
    "deed": phrase.DEEDS,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of a frame.

    Attributes
    ----------
    counts : tuple of int
        White cells, red cells, platelets.
    places : mapping of str to tuple of int
        For white cells and platelets, the thirds (0 to 8, row by row) that hold one, in order.
    cover : float
        Part of the frame inside any cell's box.
    film : bool
        Whether it is a blood film at all.
    """

    counts: tuple[int, int, int]
    places: dict[str, tuple[int, ...]]
    cover: float
    film: bool = True

    def number(self, subject: str) -> int:
        """Count a class, or all of them."""
        return sum(self.counts) if subject == "all" else self.counts[CLASSES.index(subject)]


@dataclass(frozen=True, slots=True)
class Question:
    """A question, what kind it is, and which classes it is about."""

    kind: str
    subject: tuple[str, ...]
    text: str


def facts_of(boxes: Boxes) -> Facts:
    """Read facts off labelled boxes ``(n, 5)``: class, x0, y0, x1, y1 as fractions."""
    counts = tuple(int((boxes[:, 0] == k).sum()) for k in range(len(CLASSES)))
    places = {}
    for kind in ("wbc", "platelet"):
        rows = boxes[boxes[:, 0] == CLASSES.index(kind), 1:]
        thirds = (np.clip((rows[:, :2] + rows[:, 2:]) / 2, 0, 0.999) * 3).astype(int)
        places[kind] = tuple(sorted({int(3 * y + x) for x, y in thirds}))
    return Facts(counts, places, covered(boxes))  # type: ignore[arg-type]


def covered(boxes: Boxes) -> float:
    """Measure the part of the frame inside the union of boxes."""
    inside = np.zeros((_COVER_STEPS, _COVER_STEPS), bool)
    for x0, y0, x1, y1 in np.rint(boxes[:, 1:].clip(0, 1) * _COVER_STEPS).astype(int):
        inside[y0:y1, x0:x1] = True
    return float(inside.mean())


def crowding(cover: float) -> str:
    """Put a covered part into words."""
    if cover < SPARSE_BELOW:
        return "sparse"
    return "crowded" if cover >= CROWDED_FROM else "moderately filled"


def counted(number: int, subject: str) -> str:
    """Put a number and its noun into words: ``no platelets``, ``1 platelet``, ``2 platelets``."""
    one, many = LABELS[subject]
    return f"{number or 'no'} {one if number == 1 else many}"


def answer(question: Question, facts: Facts | None) -> str:
    """Give the right answer; ``facts`` is None where no frame was shown."""
    kind = question.kind
    if kind in _FIXED:
        return _FIXED[kind]
    if facts is None:
        return NO_FRAME
    if not facts.film:
        return NO_FILM
    if kind == "film":
        return IS_FILM
    if kind == "compare":
        return _compare(question, facts)
    if kind == "where":
        return _where(question.subject[0], facts)
    if kind == "crowd":
        return f"The field is {crowding(facts.cover)}."
    if kind == "describe":
        parts = [counted(facts.number(c), c) for c in CLASSES]
        return f"The field is {crowding(facts.cover)}: {parts[0]}, {parts[1]} and {parts[2]}."
    return _number(question, facts)


def _number(question: Question, facts: Facts) -> str:
    number = facts.number(question.subject[0])
    there = f"here {'is' if number == 1 else 'are'} {counted(number, question.subject[0])}"
    if question.kind == "present":
        return f"Yes, t{there}." if number else f"No, t{there}."
    return f"T{there}."


def _compare(question: Question, facts: Facts) -> str:
    a, b = sorted(question.subject, key=CLASSES.index)
    if facts.number(a) == facts.number(b):
        return f"There are as many {LABELS[a][1]} as {LABELS[b][1]}: {facts.number(a)} of each."
    if facts.number(b) > facts.number(a):
        a, b = b, a
    return f"There are more {LABELS[a][1]} than {LABELS[b][1]}: {facts.number(a)} to {facts.number(b)}."


def _where(subject: str, facts: Facts) -> str:
    if subject not in facts.places:
        return NO_PLACE
    number = facts.number(subject)
    if number == 0:
        return f"There are no {LABELS[subject][1]}."
    names = [f"the {THIRDS[i]}" for i in facts.places[subject]]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"The {LABELS[subject][number != 1]} {'lies' if number == 1 else 'lie'} in {listed}."


def wordings(table: tuple[str, ...], *, test: bool) -> list[str]:
    """Give the part of a table to train on, or the part kept for tests."""
    return [w for i, w in enumerate(table) if (i % KEPT_FOR_TESTS == KEPT_FOR_TESTS - 1) == test]


def ask(
    kind: str, rng: random.Random, *, subject: tuple[str, ...] = (), test: bool = False, clean: bool = False
) -> Question:
    """Make up a question of a kind.

    Parameters
    ----------
    kind : str
        count, present, compare, where, crowd, describe, help, medical, finer or off.
    rng : random.Random
        Source of chance.
    subject : tuple of str, optional
        The classes it is about; by chance where left out.
    test : bool
        Use wordings never trained on.
    clean : bool
        Without slips of the pen.
    """
    subject = subject or _subject(kind, rng)
    if kind == "off":
        text = _off_topic(rng, test=test)
    elif kind == "finer":
        names = wordings(phrase.FINER_NAMES, test=test)
        text = _about_things(rng, [_made_up_cell(rng) for _ in range(2)] if rng.random() < 0.3 else names, test=test)
    else:
        text = _medical(rng) if kind == "medical" and not test else rng.choice(wordings(_TABLES[kind], test=test))
        if kind == "compare":
            a, b = (rng.choice(phrase.NAMES[s])[1] for s in subject)
            text = text.format(a=a, b=b)
        else:
            one, many = rng.choice(phrase.NAMES[subject[0] if subject else rng.choice(CLASSES)])
            text = text.format(x=one, s=many)
    text = text[0].upper() + text[1:]
    return Question(kind, subject, text if clean else scribble(text, rng))


def _subject(kind: str, rng: random.Random) -> tuple[str, ...]:
    if kind == "compare":
        pair = list(rng.choice(_PAIRS))
        rng.shuffle(pair)
        return tuple(pair)
    if kind == "where":
        return (rng.choice(["wbc"] * 5 + ["platelet"] * 3 + ["rbc", "all"]),)
    if kind == "count":
        return (rng.choice([*CLASSES, *CLASSES, "all"]),)
    return (rng.choice([*CLASSES, *CLASSES, "all"]),) if kind == "present" else ()


def _about_things(rng: random.Random, things: list[str], *, test: bool) -> str:
    table = rng.choice([phrase.COUNT, phrase.COUNT, phrase.PRESENT, phrase.WHERE, phrase.COMPARE])
    first, second = rng.sample(things, 2)
    return rng.choice(wordings(table, test=test)).format(x=first.removesuffix("s"), s=first, a=first, b=second)


def _made_up(rng: random.Random) -> str:
    """Make a word up, so that a noun that was never seen is no reason to count cells."""
    word = _syllables(rng) + rng.choice(["s", "ers", "es", "ings", "s"])
    return rng.choice(["", "", "", "red ", "white ", "blue ", "small "]) + word


def _made_up_cell(rng: random.Random) -> str:
    """Make the name of a cell up that sounds like one."""
    return _syllables(rng) + rng.choice(["cytes", "phils", "blasts", " cells", "cytes", "somes", " bodies"])


def _syllables(rng: random.Random) -> str:
    parts = ("bcdfghjklmnprstvwz", "aeiou", "lnrst   ")
    return "".join("".join(map(rng.choice, parts)) for _ in range(rng.randint(1, 3))).replace(" ", "")


def _off_topic(rng: random.Random, *, test: bool) -> str:
    things = wordings(phrase.THINGS, test=test)
    roll = rng.random()
    if roll < 0.45:
        named = [rng.choice(things) if rng.random() < 0.75 else _made_up(rng) for _ in range(2)]
        return _about_things(rng, named, test=test)
    if test:
        return rng.choice(phrase.OFF_TEST)
    if roll < 0.5:
        letters = string.ascii_letters + string.punctuation + " éßπ中文🙂ñ"
        return "".join(rng.choice(letters) for _ in range(rng.randint(1, 14))).strip("<> ") or "?"
    if roll < 0.58:
        return " ".join(_made_up(rng) for _ in range(rng.randint(1, 5)))
    table = phrase.OFF if roll < 0.72 else phrase.OPENINGS if roll < 0.82 else phrase.ELSEWHERE
    return _filled(
        rng.choice(table), {**_OFF_PARTS, "thing": [rng.choice(things), rng.choice(things), _made_up(rng)]}, rng
    )


def _medical(rng: random.Random) -> str:
    """Ask for medical advice in a trained wording or in one made up from parts, never in one kept for tests."""
    if rng.random() < 0.4:
        return rng.choice(wordings(phrase.MEDICAL, test=False))
    text = ""
    while not text or text in phrase.MEDICAL:
        text = _filled(rng.choice(phrase.ADVICE), _MEDICAL_PARTS, rng)
    return text


def _filled(text: str, parts: Mapping[str, Sequence[str]], rng: random.Random) -> str:
    """Fill every gap in a wording; a part may have gaps itself."""
    for name, choices in parts.items():
        while f"{{{name}}}" in text:
            text = text.replace(f"{{{name}}}", rng.choice(choices), 1)
    return text


def scribble(text: str, rng: random.Random) -> str:
    """Write a question the way people type: case, punctuation, courtesy, slips."""
    if rng.random() < 0.12:
        text = (
            rng.choice(["Please, ", "Hi, ", "Hello! ", "Hey, ", "OK, ", "Now, ", "So ", "Well, "])
            + text[0].lower()
            + text[1:]
        )
    if rng.random() < 0.07:
        text = text.rstrip("?.!") + rng.choice([", please?", " please", ", thanks.", " in this picture?", " here?"])
    if rng.random() < 0.3:
        text = text.rstrip("?.!")
    if rng.random() < 0.15:
        text = _slip(text, rng)
    roll = rng.random()
    if roll < 0.28:
        text = text.lower()
    elif roll < 0.33:
        text = text.upper()
    elif roll < 0.35:
        text = text.title()
    if rng.random() < 0.05:
        text = text.replace(" ", "  ", 1)
    if rng.random() < 0.06:
        text += rng.choice([" ", "?", "??", "!", " ?", "\n"])
    return text or "?"


def _slip(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 2) if len(text) > 4 else 0):
        at = rng.randrange(len(text) - 1)
        kind = rng.randrange(4)
        middle = ("", text[at] * 2, text[at + 1 : at + 2] + text[at], rng.choice(string.ascii_lowercase))[kind]
        text = text[:at] + middle + text[at + 1 + (kind == 2) :]
    return text
