"""A reading: what a sensor gave, when, and how sure that time is."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a sensor gave.

    Attributes
    ----------
    name : str
        The sensor's.
    value : float
        In `unit`.
    unit : str
        As the dictionary says it: ``degC``.
    time_s : float
        When the chip measured it, on the line of ``time.monotonic()``, as `Frame.time_s` is. Of what takes a while to
        be measured, the middle.
    uncertainty_s : float
        How far off `time_s` may be: by the clocks, and by a half of what the measurement takes.
    missed : int
        Readings of the microcontroller's ring, of this or other sensors, that were written over before they could be
        fetched, just before this one: where it is not 0 there is a gap.
    """

    name: str
    value: float
    unit: str
    time_s: float
    uncertainty_s: float
    missed: int = 0

    def __str__(self) -> str:
        return f"{self.name} {self.value:g} {self.unit}".rstrip()
