"""Bar charts as SVG, a panel for each measure: ours in blue, the spread over turns as a thin line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

# Blue and sky blue of Okabe and Ito's palette, which colour-blind readers tell apart; the others in grey.
# Source: https://jfly.uni-koeln.de/color/
_COLOURS = {"ours": "#0072B2", "ours_prepared": "#0072B2", "ours_int4": "#56B4E9"}
_OTHER, _TEXT, _FAINT = "#B3B3B3", "#222222", "#666666"
_PANEL, _LEFT, _RIGHT, _ROW, _HEAD, _COLUMNS = 460, 168, 54, 22, 46, 2
# A bar that is longer than this many times the middle one is cut, so that the others can be told apart.
_CUT = 2.5
_WIDE = ' stroke-width="2"'


@dataclass(frozen=True, slots=True)
class Bar:
    """One side in a panel: its median, and the least and most of its turns."""

    side: str
    label: str
    median: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure of all sides.

    Attributes
    ----------
    title, unit : str
        What is drawn.
    better : str
        ``more`` or ``less``.
    """

    title: str
    unit: str
    better: str
    bars: Sequence[Bar]


def draw(panels: Sequence[Panel], about: str) -> str:
    """Draw panels in two columns; `about` is what a screen reader says."""
    rows = [panels[at : at + _COLUMNS] for at in range(0, len(panels), _COLUMNS)]
    width, height = _PANEL * _COLUMNS, sum(map(_height, rows)) + 12
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="12" role="img">',
        f"<title>{escape(about)}</title>",
        f'<rect width="{width}" height="{height}" fill="#FFFFFF"/>',
    ]
    top = 0
    for row in rows:
        for column, panel in enumerate(row):
            lines += [f'<g transform="translate({column * _PANEL} {top})">', *_panel(panel), "</g>"]
        top += _height(row)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _height(row: Sequence[Panel]) -> int:
    return _HEAD + _ROW * max(len(panel.bars) for panel in row)


def _panel(panel: Panel) -> list[str]:
    longest = min(max(bar.most for bar in panel.bars), _CUT * median(bar.median for bar in panel.bars))
    scale = (_PANEL - _LEFT - _RIGHT) / longest
    heading = f'<tspan font-weight="bold">{escape(panel.title)}</tspan>'
    note = f'<tspan fill="{_FAINT}">, {escape(panel.unit)}, {panel.better} is better</tspan>'
    lines = [f'<text x="12" y="32" fill="{_TEXT}">{heading}{note}</text>']
    for number, bar in enumerate(panel.bars):
        lines += _bar(bar, _HEAD + number * _ROW, scale, longest)
    return lines


def _bar(bar: Bar, top: int, scale: float, longest: float) -> list[str]:
    middle = top + 8
    width, least, most = (min(value, longest) * scale for value in (bar.median, bar.least, bar.most))
    weight = ' font-weight="bold"' if bar.side in _COLOURS else ""
    cut = f"M{_LEFT + width - 22:.1f} {top + 18}l8 -20m5 0l-8 20" if bar.median > longest else ""
    spread = f"M{_LEFT + least:.1f} {middle}H{_LEFT + most:.1f}m0 -4v8M{_LEFT + least:.1f} {middle - 4}v8"
    return [
        f'<text x="{_LEFT - 8}" y="{middle + 4}" text-anchor="end" fill="{_TEXT}"{weight}>{escape(bar.label)}</text>',
        f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="16" rx="2" fill="{_COLOURS.get(bar.side, _OTHER)}"/>',
        f'<path d="{cut or spread}" stroke="{"#FFFFFF" if cut else _TEXT}" fill="none"{_WIDE if cut else ""}/>',
        f'<text x="{_LEFT + max(width, most) + 6:.1f}" y="{middle + 4}" fill="{_TEXT}">{_short(bar.median)}</text>',
    ]


def _short(value: float) -> str:
    """Write a number with three digits that mean something."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def bars_of(
    sides: Mapping[str, Mapping[str, Mapping[str, float]]], labels: Mapping[str, str], key: str, unit: float
) -> list[Bar]:
    """Make the bars of a measure, in units of so much; a side that has none is left out."""
    return [
        Bar(name, labels[name], *(found[key][which] / unit for which in ("median", "least", "most")))
        for name, found in sides.items()
        if key in found
    ]
