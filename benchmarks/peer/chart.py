"""Bar charts as SVG, a panel for each measure: ours in blue, the spread over turns as a thin line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

# Blue and sky blue of Okabe and Ito's palette, which colour-blind readers tell apart; the others in grey.
# Source: https://jfly.uni-koeln.de/color/
_COLOURS = {"ours": "#0072B2", "ours_int4": "#56B4E9"}
_OTHER, _TEXT, _FAINT = "#B3B3B3", "#222222", "#666666"
_WIDTH, _LEFT, _RIGHT, _ROW, _HEAD = 720, 178, 84, 24, 44


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
    """Draw panels below each other; `about` is what a screen reader says."""
    height = sum(_height(panel) for panel in panels) + 12
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
        ' font-family="Helvetica, Arial, sans-serif" font-size="13" role="img">',
        f"<title>{escape(about)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#FFFFFF"/>',
    ]
    top = 0
    for panel in panels:
        lines += _panel(panel, top)
        top += _height(panel)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _height(panel: Panel) -> int:
    return _HEAD + _ROW * len(panel.bars)


def _panel(panel: Panel, top: int) -> list[str]:
    scale = (_WIDTH - _LEFT - _RIGHT) / max(bar.most for bar in panel.bars)
    heading = f'<tspan font-weight="bold">{escape(panel.title)}</tspan>'
    note = f'<tspan fill="{_FAINT}">  {escape(panel.unit)}, {panel.better} is better</tspan>'
    lines = [f'<text x="12" y="{top + 28}" fill="{_TEXT}">{heading}{note}</text>']
    for number, bar in enumerate(panel.bars):
        lines += _bar(bar, top + _HEAD + number * _ROW, scale)
    return lines


def _bar(bar: Bar, top: int, scale: float) -> list[str]:
    middle = top + 9
    width, least, most = (value * scale for value in (bar.median, bar.least, bar.most))
    weight = ' font-weight="bold"' if bar.side in _COLOURS else ""
    return [
        f'<text x="{_LEFT - 8}" y="{middle + 4}" text-anchor="end" fill="{_TEXT}"{weight}>{escape(bar.label)}</text>',
        f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="18" rx="2" fill="{_COLOURS.get(bar.side, _OTHER)}"/>',
        f'<path d="M{_LEFT + least:.1f} {middle}H{_LEFT + most:.1f}M{_LEFT + least:.1f} {middle - 4}v8'
        f'M{_LEFT + most:.1f} {middle - 4}v8" stroke="{_TEXT}" fill="none"/>',
        f'<text x="{_LEFT + max(width, most) + 7:.1f}" y="{middle + 4}" fill="{_TEXT}">{_short(bar.median)}</text>',
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
