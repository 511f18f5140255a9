"""What was measured, once in every turn: its median, its spread, and its share of what the machine could do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from edge_sdk.units import format_bytes

__all__ = ["LABELS", "UNITS", "Measure", "format_value"]

# Whether more is better, by unit.
UNITS = {
    "s": False,
    "bytes": False,
    "J": False,
    "W": False,
    "tokens/s": True,
    "frames/s": True,
    "bytes/s": True,
    "MAC/s": True,
}
# What a measure is called for people; behind an @ in its name stands what it was measured at.
LABELS = {
    "load_cold": "load, cold",
    "load_warm": "load, warm",
    "process_start": "start of Python and its libraries",
    "first_answer": "load and first token, fresh process",
    "first_token": "question to first token",
    "first_token_long": "question of {at} tokens to first token",
    "first_token_again": "another question, same frame",
    "encode": "encode a frame",
    "count": "count a frame",
    "run": "run {at}",
    "prefill": "prefill of {at} tokens",
    "decode": "decode, cache of {at}",
    "frames": "frames, capture on",
    "frames_camera": "frames that the camera gave",
    "frame_median": "a frame, capture on, median",
    "frame_p99": "a frame, capture on, 99 of 100",
    "peak_private": "peak of private memory",
    "peak_total": "peak of memory in all",
    "power": "power while decoding",
    "energy_token": "energy a token",
    "read": "reads memory, {at} MB",
    "int8": "INT8 products, {at} at once",
}


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that was measured.

    Attributes
    ----------
    name : str
        A key of `LABELS`, with what it was measured at behind an ``@``: ``decode@256``.
    unit : str
        A key of `UNITS`.
    median, least, most : float
        Over the turns.
    turns : int
        How many there were.
    share : float or None
        Of what the machine could do, each turn by what was measured in it; the median. None where there is no such
        limit.

    Examples
    --------
    >>> decode = Measure.of("decode@256", "tokens/s", [160.0, 150.0, 170.0], [200.0, 200.0, 200.0])
    >>> decode.median, decode.least, decode.most, decode.share
    (160.0, 150.0, 170.0, 0.8)
    >>> decode.label, decode.text
    ('decode, cache of 256', '160 tokens/s')
    """

    name: str
    unit: str
    median: float
    least: float
    most: float
    turns: int
    share: float | None = None

    @classmethod
    def of(cls, name: str, unit: str, values: Sequence[float], limits: Sequence[float] = ()) -> Measure:
        """Sum up the values of some turns, and their shares where there is a limit for each."""
        shares = [value / limit for value, limit in zip(values, limits, strict=True)] if limits else []
        if shares and not UNITS[unit]:
            shares = [1 / share for share in shares]
        return cls(
            name, unit, median(values), min(values), max(values), len(values), median(shares) if shares else None
        )

    @property
    def more_is_better(self) -> bool:
        """Whether more of it is better."""
        return UNITS[self.unit]

    @property
    def label(self) -> str:
        """What it is called for people."""
        name, _, at = self.name.partition("@")
        return LABELS.get(name, name).format(at=at)

    @property
    def text(self) -> str:
        """The median, for people."""
        return format_value(self.median, self.unit)

    @property
    def spread(self) -> str:
        """Least and most, for people."""
        return f"{format_value(self.least, self.unit)} to {format_value(self.most, self.unit)}"


def format_value(value: float, unit: str) -> str:
    """Write a value with its unit, three digits that tell something.

    Examples
    --------
    >>> format_value(0.01234, "s"), format_value(2.5, "s"), format_value(27.6e9, "bytes/s"), format_value(4e11, "MAC/s")
    ('12.3 ms', '2.50 s', '27.6 GB/s', '400 GMAC/s')
    """
    if unit == "bytes":
        return format_bytes(round(value))
    prefix = ""
    if unit == "s" and value < 1:
        value, prefix = value * 1e3, "m"
    elif unit in ("bytes/s", "MAC/s"):
        value, prefix = value / 1e9, "G"
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {prefix}{'B/s' if unit == 'bytes/s' else unit}"
