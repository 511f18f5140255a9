"""How spoken answers are judged."""

from __future__ import annotations

import pytest

question = pytest.importorskip("question")
score = pytest.importorskip("answer_score")

TRUE = question.Facts((1, 20, 0), {"wbc": (4,), "platelet": ()}, 0.7)


def asked(kind: str, *subject: str) -> object:
    return question.Question(kind, subject, "")


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("There are 20 red blood cells.", True),
        ("There are 17 red blood cells.", True),
        ("There are 16 red blood cells.", False),
        ("There are 24 red blood cells.", False),
        ("There are 20 platelets.", False),
        ("The field is crowded.", False),
    ],
)
def test_a_count_above_five_may_be_fifteen_percent_off(reply: str, right: bool):
    assert score.judge(asked("count", "rbc"), reply, TRUE) is right


def test_a_small_count_must_be_exact():
    assert score.judge(asked("count", "wbc"), "There is 1 white blood cell.", TRUE)
    assert not score.judge(asked("count", "wbc"), "There are 2 white blood cells.", TRUE)
    assert score.judge(asked("count", "platelet"), "There are no platelets.", TRUE)


def test_places_must_be_the_very_ones():
    middle, both = "The white blood cell lies in the centre.", "They lie in the centre and the lower left."
    assert score.judge(asked("where", "wbc"), middle, TRUE)
    assert not score.judge(asked("where", "wbc"), both, TRUE)


def test_a_comparison_is_judged_by_its_sense_not_by_its_numbers():
    more = "There are more red blood cells than white blood cells: 3 to 1."
    less = "There are more white blood cells than red blood cells: 20 to 1."
    assert score.judge(asked("compare", "rbc", "wbc"), more, TRUE)
    assert not score.judge(asked("compare", "rbc", "wbc"), less, TRUE)


def test_presence_is_judged_by_yes_and_no():
    assert score.judge(asked("present", "platelet"), "No, there are no platelets.", TRUE)
    assert not score.judge(asked("present", "platelet"), "Yes, there is 1 platelet.", TRUE)
    assert not score.judge(asked("present", "platelet"), "Not sure.", TRUE)


def test_on_a_frame_that_is_no_film_only_a_refusal_is_right():
    stranger = question.Facts((0, 0, 0), {"wbc": (), "platelet": ()}, 0.0, film=False)
    assert score.judge(asked("count", "wbc"), question.NO_FILM, stranger)
    assert not score.judge(asked("count", "wbc"), "There are no white blood cells.", stranger)


def test_blind_gives_the_commonest_answer_to_each_question():
    facts = [question.Facts((n, 10, 0), {"wbc": (), "platelet": ()}, 0.7) for n in (1, 1, 2)]
    assert score.blind([asked("count", "wbc")] * 3, facts) == [True, True, False]


def test_scores_stand_by_kind_and_those_of_counts_also_at_the_top():
    seen = question.Facts((2, 20, 0), {"wbc": (4,), "platelet": ()}, 0.7)
    records = [
        score.Record(asked("count", "wbc"), "There are 2 white blood cells.", TRUE, seen),
        score.Record(asked("count", "rbc"), "There are 20 red blood cells.", TRUE, seen),
        score.Record(asked("crowd"), "The field is crowded.", TRUE, seen),
    ]
    got = score.score_answers(records)
    assert (got["right"], got["agree"], got["blind"]) == (0.5, 1.0, 1.0)
    assert got["kinds"]["count wbc"]["right"] == 0.0
    assert got["kinds"]["crowd"] == {"right": 0.0, "agree": 0.0, "blind": 1.0, "asked": 1}


def test_questions_about_a_picture_are_the_same_on_every_run_and_cover_every_kind():
    first, second = (score.questions_for("a.jpg") for _ in range(2))
    assert first == second
    assert {q.kind for q in first} == {"count", "present", "compare", "where", "crowd"}
    assert score.questions_for("b.jpg") != first
