"""From what was found in all turns to measures, with their shares of what the machine could do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_sdk.bench.measure import LABELS, Measure
from edge_sdk.bench.work import Work

__all__ = ["limits_of", "measures_of", "read_name"]

_LIMITS = ("read", "int8")
_GEMM = "int8@128"
# Everything else is seconds.
_UNITS = {
    "prefill": "tokens/s",
    "decode": "tokens/s",
    "frames": "frames/s",
    "frames_camera": "frames/s",
    "peak_private": "bytes",
    "peak_total": "bytes",
    "power": "W",
    "energy_token": "J",
    "read": "bytes/s",
    "int8": "MAC/s",
}


def read_name(working_set_bytes: int) -> str:
    """Name the measure of reading memory with a working set.

    Examples
    --------
    >>> read_name(146_276_352), read_name(1_482_752), read_name(1_523_000_000)
    ('read@146', 'read@1.48', 'read@1523')
    """
    size = working_set_bytes / 1e6
    return f"read@{size:.3g}" if size < 999 else f"read@{size:.0f}"


def measures_of(found: Mapping[str, Sequence[float]], work: Work) -> tuple[Measure, ...]:
    """Sum up what the bundle does, in the order of `LABELS`.

    Parameters
    ----------
    found : mapping
        By name the value of each turn, limits too.
    work : Work
        What there was to be done.
    """
    names = sorted((name for name in found if _kind(name) not in _LIMITS), key=_place)
    return tuple(_measure(name, found, _bounds(name, found, work)) for name in names)


def limits_of(found: Mapping[str, Sequence[float]]) -> tuple[Measure, ...]:
    """Sum up what the machine could do."""
    names = sorted((name for name in found if _kind(name) in _LIMITS), key=_place)
    return tuple(_measure(name, found, []) for name in names)


def _kind(name: str) -> str:
    return name.partition("@")[0]


def _place(name: str) -> tuple[int, float, str]:
    kind, _, at = name.partition("@")
    return list(LABELS).index(kind), float(at) if at.replace(".", "", 1).isdigit() else 0.0, at


def _measure(name: str, found: Mapping[str, Sequence[float]], bounds: Sequence[float]) -> Measure:
    values = found[name]
    # A turn that was broken off has no limit yet.
    return Measure.of(name, _UNITS.get(_kind(name), "s"), values, bounds if len(bounds) >= len(values) else ())


def _bounds(name: str, found: Mapping[str, Sequence[float]], work: Work) -> list[float]:
    """Give what the machine could have reached in each turn; nothing where no such limit is known."""
    kind, _, at = name.partition("@")
    if kind == "decode":
        size = work.decode_bytes.get(int(at), 0)
        return [rate / size for rate in found.get(read_name(size), ())] if size else []
    rates = found.get(_GEMM, ())
    if kind == "prefill" and work.prefill_macs:
        return [rate / work.prefill_macs for rate in rates]
    macs = work.encode_macs if kind == "encode" else work.run_macs.get(at) if kind == "run" else None
    return [macs / rate for rate in rates] if macs else []
