"""An answer as it is decoded: an iterator of text pieces, and what it took once it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from edge_sdk.errors import EdgeError
from edge_sdk.frame import Frame
from edge_sdk.pipeline.reading_line import Told
from edge_sdk.pipeline.seen import Seen
from firmware_bridge.reading import Reading

if TYPE_CHECKING:
    from edge_sdk.bundle import VisualRung

__all__ = ["Answer", "StopText", "Timings"]


@dataclass(slots=True)
class Timings:
    """What an answer took; filled in while it is decoded.

    Attributes
    ----------
    encode_s : float
        Preprocessing and encoding the frames; 0 where the embedding was kept from an earlier question.
    prefill_s : float
        Running the prompt through the decoder.
    first_token_s : float
        From the first use of the answer to its first token.
    decode_s : float
        From the first token to the last.
    prompt_tokens, visual_tokens, tokens : int
        Tokens of the prompt (visual ones included), the visual ones among them, and those of the answer.
    recalled_tokens : int
        Those of the prompt that did not have to be computed, because an earlier one began alike.
    guessed_tokens : int
        Those of the answer that were guessed from what was said before, and found right several at a time.
    """

    encode_s: float = 0.0
    prefill_s: float = 0.0
    first_token_s: float = 0.0
    decode_s: float = 0.0
    prompt_tokens: int = 0
    visual_tokens: int = 0
    tokens: int = 0
    recalled_tokens: int = 0
    guessed_tokens: int = 0

    @property
    def tokens_per_s(self) -> float:
        """Decoding rate after the first token; 0 where there was only one."""
        return (self.tokens - 1) / self.decode_s if self.tokens > 1 and self.decode_s > 0 else 0.0

    def as_dict(self) -> dict[str, float | int]:
        """Give plain numbers, ready for JSON; seconds to a tenth of a millisecond."""
        plain = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return plain | {"tokens_per_s": round(self.tokens_per_s, 1)}

    def __str__(self) -> str:
        return (
            f"first word {self.first_token_s * 1000:.0f} ms (encode {self.encode_s * 1000:.0f}, prefill of "
            f"{self.prompt_tokens} tokens {self.prefill_s * 1000:.0f}), "
            f"{self.tokens} tokens, {self.tokens_per_s:.0f} a second"
        )


@dataclass(slots=True)
class State:
    """What an answer and the generator that decodes it share.

    ``rung`` is the one that its frames were seen on, where the bundle has several. ``overrun`` is how many tokens the
    cache holds beyond those of the answer's text.
    """

    seen: tuple[Seen, ...]
    rung: VisualRung | None = None
    told: Told = field(default_factory=Told)
    timings: Timings = field(default_factory=Timings)
    finish: str = ""
    cancelled: bool = False
    superseded: bool = False
    overrun: int = 0
    text: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)


class Answer(Iterator[str]):
    """Text pieces in the order they are decoded; decoding goes on only as far as they are taken.

    Use it in a loop, or take ``answer.text``, which decodes to the end.
    """

    def __init__(
        self, pieces: Iterator[str], state: State, lock: AbstractContextManager[object], cancel: Callable[[], None]
    ) -> None:
        self._pieces = pieces
        self._state = state
        self._lock = lock
        self._cancel = cancel

    def __next__(self) -> str:
        with self._lock:
            return next(self._pieces)

    def __repr__(self) -> str:
        return f"<Answer {''.join(self._state.text)!r} {self._state.finish or 'unfinished'}>"

    @property
    def text(self) -> str:
        """The whole answer; decodes what is still to come."""
        for _ in self:
            pass
        return "".join(self._state.text)

    @property
    def tokens(self) -> tuple[int, ...]:
        """The tokens decoded so far, without the one that ended the answer."""
        return tuple(self._state.tokens)

    @property
    def frames(self) -> tuple[str, ...]:
        """The frames that were asked about: source and number of each."""
        return tuple(map(str, self._state.seen))

    @property
    def seen(self) -> tuple[Seen, ...]:
        """The frames that were asked about, each with the one that was encoded for it."""
        return self._state.seen

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The readings that the prompt told of, each with its time and how sure that is."""
        return self._state.told.readings

    @property
    def unread(self) -> Mapping[str, str]:
        """Sensors that were asked for and have no reading in the prompt, and why: ``stale`` or ``no room``."""
        return self._state.told.unread

    def standing_for(self, frame: Frame) -> Answer:
        """Name a later frame, which shows nothing more than the one that was asked about; give this answer."""
        self._state.seen = tuple(seen.standing_for(frame) for seen in self._state.seen)
        return self

    @property
    def rung(self) -> VisualRung | None:
        """How many visual tokens its frames had, and how they became so few; None where the bundle has one number."""
        return self._state.rung

    @property
    def finish(self) -> str:
        """Why the answer ended: ``stop``, ``length``, ``memory`` or ``cancelled``; empty while it is unfinished.

        ``length``: `max_tokens` are there, or the cache is full. ``memory``: more would have gone over the budget.
        """
        return self._state.finish

    @property
    def timings(self) -> Timings:
        """What it took.

        Raises
        ------
        EdgeError
            While the answer is unfinished.
        """
        if not self._state.finish:
            raise EdgeError("The answer is not finished.", fix="Read it to its end, or take answer.text, first.")
        return self._state.timings

    def cancel(self) -> None:
        """Stop decoding, from any thread; the iterator ends, and ``finish`` is ``cancelled``."""
        self._cancel()


class StopText:
    """Ends a stream of text before any of some strings; holds back what could still become one.

    Examples
    --------
    >>> stream = StopText(("END",))
    >>> stream.push("one E"), stream.push("Nd two EN"), stream.push("D three"), stream.found
    ('one ', 'ENd two ', '', True)
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""
        self.found = False

    def push(self, text: str) -> str:
        """Take more text; give what is certain not to belong to a stop string."""
        held = self._held + text
        ends = [at for at in (held.find(stop) for stop in self._stops) if at >= 0]
        if ends:
            self.found, self._held = True, ""
            return held[: min(ends)]
        keep = max((_overlap(held, stop) for stop in self._stops), default=0)
        cut = len(held) - keep
        self._held = held[cut:]
        return held[:cut]

    def flush(self) -> str:
        """Give what was held back, at the end of the stream."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that is a beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
