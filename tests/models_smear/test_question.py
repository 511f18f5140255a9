"""Questions and the answers that labels give."""

from __future__ import annotations

import random
import re

import numpy as np
import phrase
import pytest
import question

FACTS = question.Facts((2, 14, 0), {"wbc": (0, 4), "platelet": ()}, 0.8)


def asked(kind: str, *subject: str) -> object:
    return question.Question(kind, subject, "")


@pytest.mark.parametrize(
    ("kind", "subject", "said"),
    [
        ("count", ("wbc",), "There are 2 white blood cells."),
        ("count", ("platelet",), "There are no platelets."),
        ("count", ("all",), "There are 16 cells."),
        ("present", ("platelet",), "No, there are no platelets."),
        ("present", ("rbc",), "Yes, there are 14 red blood cells."),
        ("compare", ("platelet", "rbc"), "There are more red blood cells than platelets: 14 to 0."),
        ("where", ("wbc",), "The white blood cells lie in the upper left and the centre."),
        ("where", ("platelet",), "There are no platelets."),
        ("where", ("rbc",), question.NO_PLACE),
        ("crowd", (), "The field is crowded."),
        ("film", (), question.IS_FILM),
        ("off", (), question.OFF_TOPIC),
    ],
)
def test_every_kind_of_question_is_answered_from_the_facts(kind: str, subject: tuple[str, ...], said: str):
    assert question.answer(asked(kind, *subject), FACTS) == said


def test_one_cell_is_spoken_of_in_the_singular():
    facts = question.Facts((1, 1, 1), {"wbc": (4,), "platelet": (8,)}, 0.5)
    assert question.answer(asked("count", "wbc"), facts) == "There is 1 white blood cell."
    assert question.answer(asked("where", "platelet"), facts) == "The platelet lies in the lower right."
    same = question.answer(asked("compare", "wbc", "platelet"), facts)
    assert same == "There are as many white blood cells as platelets: 1 of each."


def test_two_cells_in_one_third_are_named_in_the_plural():
    facts = question.Facts((2, 0, 0), {"wbc": (4,), "platelet": ()}, 0.5)
    assert question.answer(asked("where", "wbc"), facts) == "The white blood cells lie in the centre."


def test_a_question_about_a_frame_without_a_frame_asks_for_one():
    for kind in question.LOOKING:
        assert question.answer(asked(kind, "wbc", "rbc"), None) == question.NO_FRAME


def test_a_frame_that_is_no_film_is_refused_but_other_topics_are_still_named():
    facts = question.Facts((0, 0, 0), {"wbc": (), "platelet": ()}, 0.0, film=False)
    assert question.answer(asked("count", "wbc"), facts) == question.NO_FILM
    assert question.answer(asked("off"), facts) == question.OFF_TOPIC


def test_facts_are_read_off_boxes():
    boxes = np.array([[0, 0.0, 0.0, 0.2, 0.2], [2, 0.8, 0.8, 1.0, 1.0], [1, 0.0, 0.0, 0.5, 0.5]], np.float32)
    facts = question.facts_of(boxes)
    assert facts.counts == (1, 1, 1)
    assert facts.places == {"wbc": (0,), "platelet": (8,)}
    assert facts.cover == pytest.approx(0.25 + 0.04, abs=0.01)


def test_a_centre_on_the_rim_lies_in_the_last_third():
    facts = question.facts_of(np.array([[0, 0.9, 0.9, 1.2, 1.2]], np.float32))
    assert facts.places["wbc"] == (8,)


def test_the_same_seed_asks_the_same_questions():
    first, second = (
        [question.ask(kind, random.Random(5)).text for kind in ("count", "off", "compare")] for _ in range(2)
    )
    assert first == second


# Those of which every sixth is kept for tests.
PARTED = [
    "COUNT",
    "PRESENT",
    "COMPARE",
    "WHERE",
    "CROWD",
    "DESCRIBE",
    "FILM",
    "HELP",
    "MEDICAL",
    "FINER_NAMES",
    "THINGS",
]
WHOLE = [
    "OFF",
    "OFF_TEST",
    "OPENINGS",
    "PLACES",
    "DEEDS",
    "ILLNESSES",
    "PEOPLE",
    "STATES",
    "JUDGED",
    "CURES",
    "ADVICE",
    "ORDERS",
    "TRAITS",
    "WHENS",
    "ELSEWHERE",
]


@pytest.mark.parametrize("table", PARTED)
def test_there_are_thirty_wordings_and_those_for_tests_are_never_trained_on(table: str):
    wordings = getattr(phrase, table)
    train, test = (question.wordings(wordings, test=part) for part in (False, True))
    assert len(wordings) >= 30
    assert len(test) >= 5
    assert not set(train) & set(test)
    assert set(train) | set(test) == set(wordings)


@pytest.mark.parametrize("name", PARTED + WHOLE)
def test_no_wording_stands_in_a_table_twice(name: str):
    table = getattr(phrase, name)
    assert len(set(table)) == len(table)


def test_every_table_of_wordings_is_checked_here():
    tables = {name for name, value in vars(phrase).items() if name.isupper() and isinstance(value, tuple)}
    assert tables == {*PARTED, *WHOLE}


def test_other_topics_for_tests_are_never_trained_on():
    assert not set(phrase.OFF) & set(phrase.OFF_TEST)


@pytest.mark.parametrize("kind", ["medical", "off"])
def test_what_is_made_up_from_parts_is_whole_and_never_a_wording_kept_for_tests(kind: str):
    rng = random.Random(3)
    made = {question.ask(kind, rng, clean=True).text for _ in range(5000)}
    held = {*phrase.OFF_TEST, *question.wordings(phrase.MEDICAL, test=True)}
    assert not made & held
    assert not [text for text in made if re.search(r"\{[a-z]+\}", text)]
    assert len(made) > 1500


def test_every_kind_can_be_asked_in_every_part_without_a_gap_left_open():
    rng = random.Random(0)
    for kind in (*question.LOOKING, "help", "medical", "finer", "off"):
        for test in (False, True):
            for _ in range(300):
                text = question.ask(kind, rng, test=test).text
                assert text
                assert kind == "off" or "{" not in text


def test_slips_of_the_pen_are_left_out_on_request():
    rng = random.Random(3)
    texts = {question.ask("crowd", rng, clean=True).text for _ in range(500)}
    assert texts <= {w[0].upper() + w[1:] for w in phrase.CROWD}
