"""Write the figures of the page on visual tokens: its table, and its picture.

    python models/smear/ladder_page.py

Reads ``ladder.json`` beside this file; replaces what stands between the two marks in
``docs/explanation/visual-tokens.md``, and draws ``docs/images/visual-tokens.svg``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import log2
from pathlib import Path
from typing import Any

_HERE = Path(__file__).resolve().parent
_DOCS = _HERE.parents[1] / "docs"
_BEGIN, _END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"
_NAMES = {"all": "all tokens", "pool": "pooled", "merge": "merged", "stride": "every n-th", "drop": "random"}
_COLOURS = {"pool": "#0b6e4f", "merge": "#d1495b", "stride": "#8d99ae", "drop": "#edae49", "small": "#30638e"}
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 640, 360, 56, 24, 150, 48
_MOST_TOKENS, _LEAST_TOKENS = 144, 9


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Give the table, in Markdown."""
    lines = [
        "| tokens | way | picture | right | counts right | counts agree | in the bundle |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        picture = f"{row['input_px'] or 288} px"
        shares = " | ".join(f"{100 * row[key]:.1f}" for key in ("right", "counts_right", "counts_agree"))
        lines.append(
            f"| {row['tokens']} | {_NAMES[row['way']]} | {picture} | {shares} | {'yes' if row['kept'] else ''} |"
        )
    return "\n".join(lines)


def lines_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[tuple[int, float]]]:
    """Give each way's points, tokens and per cent; all of them begin at all tokens."""
    whole = [(row["tokens"], 100 * row["right"]) for row in rows if row["way"] == "all" and not row["input_px"]]
    found = {way: list(whole) for way in ("pool", "merge", "stride", "drop")}
    found["small"] = []
    for row in rows:
        way = "small" if row["input_px"] else row["way"]
        if way != "all":
            found[way].append((row["tokens"], 100 * row["right"]))
    return {way: sorted(points) for way, points in found.items()}


def blind_percent(row: Mapping[str, Any]) -> float:
    """Give how many questions the commonest answer to each would be right in."""
    kinds = [scores for name, scores in row["kinds"].items() if " " not in name]
    return 100 * sum(scores["blind"] * scores["asked"] for scores in kinds) / sum(scores["asked"] for scores in kinds)


def draw(rows: Sequence[Mapping[str, Any]]) -> str:
    """Draw right answers by tokens, one line a way: an SVG."""
    blind = blind_percent(rows[0])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        *(_level(percent, f"{percent} %") for percent in range(0, 101, 20)),
        _level(blind, "", dashed=True),
        f'<text x="{_LEFT + 4}" y="{_y(blind) - 4:.0f}" fill="#555">the commonest answer, unseen</text>',
    ]
    for tokens in (9, 16, 36, 72, 144):
        parts.append(f'<text x="{_x(tokens):.0f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{tokens}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{_HEIGHT - 8}" text-anchor="middle">visual tokens a frame</text>')
    for place, (way, points) in enumerate(lines_of(rows).items()):
        parts += _line(way, points, place)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(way: str, points: Sequence[tuple[int, float]], place: int) -> list[str]:
    colour, title = _COLOURS[way], "pooled, 192 px" if way == "small" else _NAMES[way]
    at = [(f"{_x(tokens):.1f}", f"{_y(percent):.1f}") for tokens, percent in points]
    path = " ".join(f"{x},{y}" for x, y in at)
    dots = [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in at]
    x, y = _WIDTH - _RIGHT + 16, _TOP + 16 + 20 * place
    key = f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/><text x="{x + 16}" y="{y}">{title}</text>'
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots, key]


def _level(percent: float, title: str, *, dashed: bool = False) -> str:
    y, dash = f"{_y(percent):.1f}", ' stroke-dasharray="4 4"' if dashed else ""
    stroke = "#555" if dashed else "#ddd"
    line = f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}" stroke="{stroke}"{dash}/>'
    return f'{line}<text x="{_LEFT - 6}" y="{_y(percent) + 4:.0f}" text-anchor="end">{title}</text>'


def _x(tokens: int) -> float:
    share = log2(tokens / _LEAST_TOKENS) / log2(_MOST_TOKENS / _LEAST_TOKENS)
    return _LEFT + 16 + share * (_WIDTH - _LEFT - _RIGHT - 32)


def _y(percent: float) -> float:
    return _TOP + (100 - percent) / 100 * (_HEIGHT - _TOP - _BOTTOM)


def with_figures(page: str, figures: str) -> str:
    """Put a table between the marks of a page."""
    before, rest = page.split(_BEGIN)
    return f"{before}{_BEGIN}\n{figures}\n\n{_END}{rest.split(_END)[1]}"


def main() -> None:
    """Write both."""
    rows = json.loads((_HERE / "ladder.json").read_text())["methods"]
    page = _DOCS / "explanation" / "visual-tokens.md"
    page.write_text(with_figures(page.read_text(), table(rows)))
    (_DOCS / "images" / "visual-tokens.svg").write_text(draw(rows))


if __name__ == "__main__":
    main()
