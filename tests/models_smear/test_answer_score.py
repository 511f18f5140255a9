"""How spoken answers are judged."""

from __future__ import annotations

import answer_score as score
import pytest
import question

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


@pytest.mark.parametrize("said", ["", "gibberish", question.NO_FILM, question.OFF_TOPIC, question.NO_DIAGNOSIS])
def test_where_nothing_lies_only_that_it_is_not_there_is_right(said: str):
    assert score.judge(asked("where", "platelet"), "There are no platelets.", TRUE)
    assert not score.judge(asked("where", "platelet"), said, TRUE)
    assert not score.judge(asked("where", "platelet"), "There are no white blood cells.", TRUE)


def test_the_place_of_another_class_is_not_the_place_asked_for():
    assert not score.judge(asked("where", "wbc"), "The platelet lies in the centre.", TRUE)


def test_for_places_that_it_does_not_tell_it_must_say_so():
    assert score.judge(asked("where", "rbc"), question.NO_PLACE, TRUE)
    assert not score.judge(asked("where", "rbc"), "The red blood cells lie in the centre.", TRUE)


def test_a_description_must_have_every_count_and_the_crowding():
    right = "The field is moderately filled: 1 white blood cell, 21 red blood cells and no platelets."
    assert score.judge(asked("describe"), right, TRUE)
    for part, wrong in (
        ("moderately filled", "sparse"),
        ("1 white", "2 white"),
        ("21 red", "30 red"),
        ("no pl", "3 pl"),
    ):
        assert not score.judge(asked("describe"), right.replace(part, wrong), TRUE)
    assert not score.judge(asked("describe"), "The field is moderately filled.", TRUE)


def test_a_question_without_a_frame_must_be_met_by_asking_for_one():
    assert score.judge(asked("count", "wbc"), question.NO_FRAME, None)
    assert not score.judge(asked("count", "wbc"), "There are no white blood cells.", None)
    assert score.judge(asked("off"), question.OFF_TOPIC, None)


def test_a_comparison_is_judged_by_its_sense_not_by_its_numbers():
    more = "There are more red blood cells than white blood cells: 3 to 1."
    less = "There are more white blood cells than red blood cells: 20 to 1."
    assert score.judge(asked("compare", "rbc", "wbc"), more, TRUE)
    assert not score.judge(asked("compare", "rbc", "wbc"), less, TRUE)


def test_presence_is_judged_by_yes_and_no_and_by_the_class():
    assert not score.judge(asked("present", "rbc"), "Yes, there is 1 platelet.", TRUE)
    assert not score.judge(asked("present", "platelet"), "No, there are no white blood cells.", TRUE)
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


def test_other_questions_cover_the_kinds_that_no_count_answers():
    assert score.other_questions_for("a.jpg") == score.other_questions_for("a.jpg")
    kinds = [q.kind for q in score.other_questions_for("a.jpg")]
    assert kinds == ["describe", "film", "help", "medical", "finer", "off"]
    assert {score.question_without_frame(str(n)).kind for n in range(200)} == set(question.LOOKING)


def test_other_answers_are_scored_by_kind_and_those_without_a_frame_apart():
    records = [
        score.Record(asked("off"), question.OFF_TOPIC, TRUE, TRUE),
        score.Record(asked("off"), "There are 2 dogs.", TRUE, TRUE),
        score.Record(asked("off"), question.NO_DIAGNOSIS, TRUE, TRUE),
        score.Record(asked("off"), question.NO_FILM, TRUE, TRUE),
        score.Record(asked("count", "wbc"), question.NO_FRAME, None, None),
    ]
    assert score.score_others(records) == {
        "off": {"right": 0.25, "agree": 0.25, "asked": 4, "declined": 0.5},
        "no frame": {"right": 1.0, "agree": 1.0, "asked": 1},
    }
