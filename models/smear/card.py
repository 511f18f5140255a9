"""Write the figures of the model card: what ``evaluate.py`` and ``refusal.py`` measured.

    python models/smear/card.py

Reads ``evaluation.json`` and ``refusal.json`` beside this file; replaces what stands between the two marks in
``edge_sdk/data/smear-model-card.md``. Shares are written in per cent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
CARD = _HERE.parents[1] / "edge_sdk" / "data" / "smear-model-card.md"
EVALUATION, REFUSAL = _HERE / "evaluation.json", _HERE / "refusal.json"
_BEGIN, _END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"
_CELLS = {"wbc": "white cells", "rbc": "red cells", "platelet": "platelets", "all": "all cells"}
_PARTS = ("right", "agree", "blind", "declined")
_SCORES = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "count_accuracy": "counts per picture",
    "total_accuracy": "total count",
    "exact_rate": "exact",
}
_QUESTIONS = {
    "count": "how many (all classes)",
    "count wbc": "how many white cells",
    "count rbc": "how many red cells",
    "count platelet": "how many platelets",
    "present": "is there any",
    "compare": "which are more common",
    "where": "where are the white cells",
    "crowd": "how crowded is the field",
    "describe": "describe the picture",
    "film": "is this a blood film",
    "help": "what can you do",
    "medical": "medical advice",
    "finer": "kinds of cells it does not know",
    "off": "other topics",
    "no frame": "about a frame, without one",
}


def figures(evaluation: Mapping[str, Any], refusal: Mapping[str, Any]) -> str:
    """Give the tables, in Markdown."""
    tables = (_counted(evaluation), _kept(evaluation), _spoken(evaluation), _refused(refusal))
    return "".join("\n".join(table) + "\n\n" for table in tables)


def _row(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield _row(heads)
    yield "|" + "---|" * len(heads)
    yield from map(_row, rows)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _counted(evaluation: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for name, title in list(_CELLS.items())[:3]:
        for kind, what in (("int8", "INT8"), ("float", "float")):
            scores, spans = evaluation[kind][name], evaluation["intervals"][kind][name]
            numbers = [f"{_percent(scores[s])} ({' to '.join(map(_percent, spans[s]))})" for s in _SCORES]
            rows.append((f"{title}, {what}", *numbers))
    return _table(("", *_SCORES.values()), rows)


def _kept(evaluation: Mapping[str, Any]) -> Iterator[str]:
    whats = (("f1_kept", "same thresholds and radii"), ("f1_kept_own_rule", "float at those that suit it best"))
    rows = [(what, *(_percent(evaluation[key][name]) for name in _CELLS)) for key, what in whats]
    return _table(("F1 that INT8 keeps", *_CELLS.values()), rows)


def _spoken(evaluation: Mapping[str, Any]) -> Iterator[str]:
    kinds = {**evaluation["answers"]["kinds"], **evaluation["other_answers"]}
    rows = [
        (
            title,
            kinds[kind]["asked"],
            *(_percent(kinds[kind].get(part)) for part in ("right", "agree", "blind", "declined")),
        )
        for kind, title in _QUESTIONS.items()
    ]
    return _table(("question", "asked", "right", "agree", "blind", "turned down"), rows)


def _refused(refusal: Mapping[str, Any]) -> Iterator[str]:
    titles = {"all": "all that are no film"}
    rows = [
        (titles.get(kind, kind), got["shown"], _percent(got["refused"])) for kind, got in refusal["no_film"].items()
    ]
    films = refusal["film"]["films"]
    return _table(("frame", "shown", "refused"), [*rows, ("real films", films["shown"], _percent(films["refused"]))])


def with_figures(card: str, tables: str) -> str:
    """Put tables between the marks of a card."""
    before, rest = card.split(_BEGIN)
    return f"{before}{_BEGIN}\n{tables}{_END}{rest.split(_END)[1]}"


def main() -> None:
    """Write the figures into the card."""
    tables = figures(json.loads(EVALUATION.read_text()), json.loads(REFUSAL.read_text()))
    CARD.write_text(with_figures(CARD.read_text(), tables))


if __name__ == "__main__":
    main()
