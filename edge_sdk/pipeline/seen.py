"""Which frame an answer is about, and which one its features came from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from edge_sdk.frame import Frame

__all__ = ["Seen"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame by name; with it, where nothing new was to be seen, the earlier frame that was encoded in its stead.

    Attributes
    ----------
    source, sequence, time_s
        Of the frame that was asked about; see `edge_sdk.frame.Frame`.
    encoded_sequence, encoded_time_s
        Of the frame of the same source that the encoder looked at.

    Examples
    --------
    >>> Seen("sim://smear", 12, 3.5, encoded_sequence=7, encoded_time_s=3.25).kept
    True
    """

    source: str
    sequence: int
    time_s: float = field(compare=False)  # a file that is read again is the same frame
    encoded_sequence: int
    encoded_time_s: float = field(compare=False)

    @classmethod
    def of(cls, frame: Frame) -> Seen:
        """Name a frame that is encoded itself."""
        return cls(frame.source, frame.sequence, frame.time_s, frame.sequence, frame.time_s)

    def standing_for(self, frame: Frame) -> Seen:
        """Name a frame that shows nothing more than this one did."""
        return Seen(frame.source, frame.sequence, frame.time_s, self.encoded_sequence, self.encoded_time_s)

    @property
    def kept(self) -> bool:
        """Whether features of an earlier frame were used."""
        return (self.sequence, self.time_s) != (self.encoded_sequence, self.encoded_time_s)

    def __str__(self) -> str:
        return f"{self.source}#{self.sequence}"

    def as_dict(self) -> dict[str, str | int | float]:
        """Give plain values, ready for JSON."""
        return asdict(self)
