"""The tables of the model card."""

from __future__ import annotations

import card

SCORES = dict.fromkeys(card._SCORES, 0.9)
SPANS = {score: [0.85, 0.951] for score in card._SCORES}
CLASSES = ("wbc", "rbc", "platelet")
COUNTS = {"right": 0.9, "agree": 1.0, "blind": 0.25, "asked": 8}
OTHERS = ("describe", "film", "help", "medical", "finer", "off", "no frame")
EVALUATION = {
    "float": dict.fromkeys(CLASSES, SCORES),
    "int8": dict.fromkeys(CLASSES, SCORES),
    "intervals": {kind: dict.fromkeys(CLASSES, SPANS) for kind in ("float", "int8")},
    "f1_kept": dict.fromkeys((*CLASSES, "all"), 0.995),
    "f1_kept_own_rule": dict.fromkeys((*CLASSES, "all"), 0.99),
    "answers": {"kinds": {kind: COUNTS for kind in card._QUESTIONS if kind not in OTHERS}},
    "other_answers": {kind: {"right": 1.0, "agree": 0.5, "asked": 4} for kind in OTHERS},
}
GOT = {"refused": 0.975, "shown": 40}
REFUSAL = {"no_film": {"digits": GOT, "all": GOT}, "film": {"films": {"refused": 0.0, "shown": 3}}}


def test_every_figure_stands_in_a_row_of_its_own() -> None:
    lines = card.figures(EVALUATION, REFUSAL).splitlines()
    assert "| white cells, INT8 |" + " 90.0 (85.0 to 95.1) |" * 6 in lines
    assert "| same thresholds and radii | 99.5 | 99.5 | 99.5 | 99.5 |" in lines
    assert "| how many white cells | 8 | 90.0 | 100.0 | 25.0 |  |" in lines
    assert "| describe the picture | 4 | 100.0 | 50.0 |  |  |" in lines
    assert "| all that are no film | 40 | 97.5 |" in lines
    assert "| real films | 3 | 0.0 |" in lines


def test_tables_are_put_between_the_marks_and_nowhere_else() -> None:
    text = card.CARD.read_text()
    once = card.with_figures(text, "| a |\n\n")
    before, after = text.split(card._BEGIN)[0], text.split(card._END)[1]
    assert once == f"{before}{card._BEGIN}\n| a |\n\n{card._END}{after}"
    assert card.with_figures(once, "| a |\n\n") == once
