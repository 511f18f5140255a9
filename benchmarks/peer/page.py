"""The page and the charts that tell a comparison, written from its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from peer.chart import Panel, bars_of, draw
from peer.side import SIDES, Side

_MS, _MB = 1e-3, 1e6
_BUSY = 0.05  # of the processors, taken by others: beyond that a turn's sides do not have the same
# Key, heading, unit's size, unit, which is better.
_COLUMNS = (
    ("import_s", "import", _MS, "ms", "less"),
    ("load_s", "load", _MS, "ms", "less"),
    ("question_s", "question to first token", _MS, "ms", "less"),
    ("open_s", "opening the file to first token", _MS, "ms", "less"),
    ("second_s", "second question to first token", _MS, "ms", "less"),
    ("encode_s", "pixels to features", _MS, "ms", "less"),
    ("prefill_tokens_per_s", "prefill", 1.0, "tokens/s", "more"),
    ("decode_tokens_per_s", "decode", 1.0, "tokens/s", "more"),
    ("share_of_limit", "decode, of what memory's rate allows", 0.01, "%", "more"),
    ("peak_rss_bytes", "peak RSS", _MB, "MB", "less"),
    ("private_bytes", "private memory", _MB, "MB", "less"),
)
_DRAWN = {
    "language": (
        "decode_tokens_per_s",
        "prefill_tokens_per_s",
        "question_s",
        "open_s",
        "peak_rss_bytes",
        "private_bytes",
    ),
    "smear": ("question_s", "open_s", "second_s", "encode_s", "peak_rss_bytes", "private_bytes"),
}
_HEAD = """\
# Edge SDK beside what one could pick instead

Written by

    {command}

How it is measured stands at the top of that file. Each side runs in a process of its own, all of them once in every
turn; a figure is the median over the turns, with the least and the most in brackets. Ratios are taken within a turn,
ours to the other's, and then their median.

Machine: {cpu}, {cores} cores in use, {memory_gb:.0f} GB, Linux {kernel}, Python {python}.
"""
_NOTES = {
    "language": """\
`question to first token`: the model is loaded, and its prompt of {prompt} token numbers comes. `opening the file`: the
same, loading included; libraries are imported before it in all sides. Sides without a tokenizer (bare LiteRT, ONNX
Runtime) have none to load. Peak RSS is the kernel's VmHWM, private memory RssAnon and RssShmem at most: pages of mapped
files can be dropped and read again, those cannot. `same choice`: along the same {answer} made-up
tokens, how often a side's likeliest next token, the one just given aside, was that of ours (random weights leave the
best few close, so that rounding decides; LiteRT-LM's benchmark takes no tokens). The goals compare with LiteRT-LM on
our own file; it reads its plain signatures alone, of the longest cache, so a file with nothing but a short one suits
it better and stands beside it.""",
    "smear": """\
A picture's file goes in. `question to first token` is the median over later pictures with the model loaded, `opening
the file` the first of all with loading. The second question is about the same picture. The bare sides run encoder,
adapter, the prompt's chunk and one step, and nothing of text; ONNX Runtime has the encoder alone, in static INT8.
Pixels to features: of a picture in memory, resizing and the encoder alone, warm. Libraries are imported before all of
that, OpenCV and tokenizers too; what this takes stands under `import`, of those that answer in words.""",
}


def write_page(result: Mapping[str, Any], docs: Path) -> None:
    """Write ``reference/peers.md`` and ``images/peers-*.svg`` under a folder."""
    parts = [_HEAD.format(command=result["command"], **result["machine"])]
    for shape, found in result["shapes"].items():
        chart = f"peers-{shape}.svg"
        (docs / "images" / chart).write_text(_draw(shape, found))
        parts.append(_section(shape, found, chart))
    (docs / "reference" / "peers.md").write_text("\n".join(parts))


def _kind(shape: str) -> str:
    return "smear" if shape == "smear" else "language"


def _sides(shape: str) -> dict[str, Side]:
    return {side.name: side for side in SIDES[_kind(shape)]}


def _draw(shape: str, found: Mapping[str, Any]) -> str:
    labels = {name: side.label for name, side in _sides(shape).items()}
    panels = []
    by_key = {column[0]: column for column in _COLUMNS}
    for key, title, size, unit, better in map(by_key.__getitem__, _DRAWN[_kind(shape)]):
        if bars := bars_of(found["sides"], labels, key, size):
            panels.append(Panel(title[0].upper() + title[1:], unit, better, bars))
    return draw(panels, f"{shape}: Edge SDK beside others, medians of {found['turns']} turns")


def _section(shape: str, found: Mapping[str, Any], chart: str) -> str:
    size = f"{found['prompt']} tokens in, {found['answer']} out, " if _kind(shape) == "language" else ""
    heading = f"## {shape}: {size}{found['threads']} threads, {found['turns']} turns\n"
    parts = [heading, _rest(found["others_share"]), f"![{shape}](../images/{chart})\n", _table(shape, found)]
    if found["ratio"]:
        parts.append(_ratios(shape, found))
    if found["goals"]:
        parts.append(_goals(shape, found))
    parts.append(_NOTES[_kind(shape)].format(prompt=found["prompt"], answer=found["answer"]) + "\n")
    if "read_bytes_per_s" in found:
        rate = found["read_bytes_per_s"]["median"] / 1e9
        parts.append(
            f"Memory gives {rate:.1f} GB/s to {found['threads']} threads. A token reads all weights once and the cache "
            "in use; how many bytes that comes to for each side is in the JSON.\n"
        )
    parts += [f"Not here: {_sides(shape)[name].label}: {why}\n" for name, why in found["missing"].items()]
    parts += [f"Failed: {_sides(shape)[name].label}: {why}\n" for name, why in found["failed"].items()]
    return "\n".join(parts)


def _rest(others_share: float) -> str:
    told = f"Other work took {others_share:.0%} of the processors meanwhile"
    if others_share > _BUSY:
        return f"**{told}: what is told here is not to be relied on. Take it again on a quiet machine.**\n"
    return f"{told}.\n"


def _table(shape: str, found: Mapping[str, Any]) -> str:
    columns = [column for column in _COLUMNS if any(column[0] in side for side in found["sides"].values())]
    same = found["same_choice"]
    names = [f"{title} ({unit})" for _, title, _, unit, _ in columns] + (["same choice"] if same else [])
    lines = ["| | " + " | ".join(names) + " | settings |", "|---" * (len(names) + 2) + "|"]
    for name, taken in found["sides"].items():
        side = _sides(shape)[name]
        cells = [_cell(taken.get(key), size) for key, _, size, _, _ in columns]
        cells += [f"{same[name]:.0%}" if name in same else ""] if same else []
        version = f"{side.package} {found['versions'][name]}"
        lines.append(f"| **{side.label}**, {version} | {' | '.join(cells)} | {side.settings} |")
    return "\n".join(lines) + "\n"


def _cell(spread: Mapping[str, float] | None, size: float) -> str:
    if spread is None:
        return ""
    middle, least, most = (_number(spread[key] / size) for key in ("median", "least", "most"))
    return f"**{middle}** ({least} to {most})"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _ratios(shape: str, found: Mapping[str, Any]) -> str:
    columns = [column for column in _COLUMNS if any(column[0] in ratio for ratio in found["ratio"].values())]
    titles = " | ".join(f"{title} ({better} is better)" for _, title, _, _, better in columns)
    lines = [f"| ours to that of | {titles} |", "|---" * (len(columns) + 1) + "|"]
    for name, ratio in found["ratio"].items():
        cells = [f"{ratio[key]:.3g}" if key in ratio else "" for key, *_ in columns]
        lines.append(f"| {_sides(shape)[name].label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _goals(shape: str, found: Mapping[str, Any]) -> str:
    lines = ["| goal | ours to that of | at | found | |", "|---|---|---|---|---|"]
    for goal in found["goals"]:
        against = " and ".join(_sides(shape)[name].label for name in goal["against"])
        against = f"the better of {against}" if len(goal["against"]) > 1 else against
        bar = f"{'least' if goal['at_least'] else 'most'} {goal['bar']:g}"
        verdict = "reached" if goal["reached"] else "**missed**"
        lines.append(f"| {goal['what']} | {against} | {bar} | {goal['found']:.3g} | {verdict} |")
    return "\n".join(lines) + "\n"
