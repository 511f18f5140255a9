"""How many visual tokens a frame gets: what the caller wants, what a deadline leaves time for, what memory holds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import PromptError
from edge_sdk.frame import Frame
from edge_sdk.late import LateLogger
from edge_sdk.pipeline.visual_token import average, merge, pool

if TYPE_CHECKING:
    from edge_sdk.bundle import VisualLadder, VisualRung

__all__ = ["Ladder", "TokenWish"]

logger = LateLogger(__name__)

_REMEMBERED = 16

Tokens = npt.NDArray[np.float32]
Look = Callable[[Frame], Tokens]


@dataclass(frozen=True, slots=True)
class TokenWish:
    """What a caller wants of a frame's tokens: so many, or as many as a deadline leaves time for.

    Raises
    ------
    PromptError
        Both are given, or one makes no sense.
    """

    visual_tokens: int | None = None
    deadline_ms: float | None = None

    def __post_init__(self) -> None:
        tokens, deadline_ms = self.visual_tokens, self.deadline_ms
        if tokens is not None and (not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 1):
            raise PromptError(f"visual_tokens is {tokens!r}.", fix="Give a whole number from 1 on, or leave it out.")
        if deadline_ms is not None and not (
            isinstance(deadline_ms, (int, float)) and not isinstance(deadline_ms, bool) and 0 < deadline_ms < math.inf
        ):
            raise PromptError(f"deadline_ms is {deadline_ms!r}.", fix="Give milliseconds above 0, or leave it out.")
        if tokens is not None and deadline_ms is not None:
            raise PromptError(
                "Both visual_tokens and deadline_ms are given.",
                why="A deadline is kept by choosing the number of visual tokens.",
                fix="Give one of them.",
            )


class Ladder:
    """A bundle's rungs, and how long the first word took on each so far. May be used from several threads.

    Parameters
    ----------
    name : str
        The bundle, for errors.
    told : VisualLadder or None
        What its card says; None where a frame has one number of tokens.
    most : int, optional
        A plan's: rungs with more tokens do not fit into the memory.
    look_small : function, optional
        Gives the tokens of a frame in a smaller picture of a rung; without it rungs of smaller pictures are left out.
    """

    def __init__(
        self,
        name: str,
        told: VisualLadder | None,
        most: int | None = None,
        look_small: Callable[[Frame, int], Tokens] | None = None,
    ) -> None:
        self._name, self._told, self._look_small = name, told, look_small
        self.rungs = tuple(
            rung
            for rung in (told.rungs if told else ())
            if (most is None or rung.tokens <= most) and (look_small is not None or rung.input_px is None)
        )
        self._encode_s: dict[int | None, float] = {}
        self._opened: set[int | None] = set()
        self._prefills: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)

    def choose(self, wish: TokenWish, text_tokens: int, frames: int, *, new: bool = True) -> VisualRung | None:
        """Choose the rung for a question.

        Parameters
        ----------
        wish : TokenWish
            The caller's.
        text_tokens : int
            Tokens of the prompt that are no frame's.
        frames : int
            Frames that are shown with it.
        new : bool
            Whether they are still to be encoded.

        Returns
        -------
        VisualRung or None
            None: tokens as the bundle gives them.

        Raises
        ------
        PromptError
            There is no such rung, or no ladder to choose from.
        """
        if not self.rungs:
            if wish != TokenWish():
                raise PromptError(
                    f"{self._name} has no ladder of visual tokens.",
                    why="Its card names no grid that its visual tokens lie on.",
                    fix="Leave visual_tokens and deadline_ms out.",
                )
            return None
        if wish.visual_tokens is not None:
            return self._exactly(wish.visual_tokens)
        if wish.deadline_ms is None:
            return self.rungs[0]
        return self._within(wish.deadline_ms / 1000, text_tokens, frames, new=new)

    def note(self, encode_s: float, prefill_s: float, prompt_tokens: int, input_px: int | None = None) -> None:
        """Remember what the first word of an answer took, but for the first by its eyes, which opens models."""
        if input_px not in self._opened:
            self._opened.add(input_px)
            return
        # A frame that was seen before takes next to nothing, and says nothing of a new one.
        if encode_s > self._encode_s.get(input_px, 0.0) / 10:
            self._encode_s[input_px] = encode_s
        self._prefills.append((prompt_tokens, prefill_s))

    def expected_s(self, prompt_tokens: int, new_frames: int, input_px: int | None = None) -> float | None:
        """Tell how long the first word of an answer will take; None while nothing was measured.

        It goes by the latest prompt of the nearest length, in proportion, and by frames in pictures of that size, or
        of any size while there was none.
        """
        measured = list(self._prefills)
        if not measured:
            return None
        known, seconds = min(reversed(measured), key=lambda item: abs(item[0] - prompt_tokens))
        encode_s = self._encode_s.get(input_px, max(self._encode_s.values(), default=0.0))
        return new_frames * encode_s + seconds * prompt_tokens / max(known, 1)

    def see(self, look: Look, frame: Frame, rung: VisualRung | None) -> Tokens:
        """Give a frame's tokens on a rung; ``look`` gives all of them for the bundle's usual picture."""
        if rung is not None and rung.input_px is not None and self._look_small is not None:
            return self.fewer(self._look_small(frame, rung.input_px), rung)
        return self.fewer(look(frame), rung)

    def fewer(self, tokens: Tokens, rung: VisualRung | None) -> Tokens:
        """Make a frame's tokens ``(T, E)`` as few as a rung says: ``(N, E)``."""
        if rung is None or self._told is None or rung.way == "all":
            return tokens
        if rung.way == "merge":
            return average(tokens, merge(tokens, rung.tokens))
        rows, columns = self._told.rows, self._told.columns
        return average(tokens, pool(rows, columns, math.isqrt(rows * columns // rung.tokens)))

    def _exactly(self, tokens: int) -> VisualRung:
        found = next((rung for rung in self.rungs if rung.tokens == tokens), None)
        if found is None:
            planned = self._told is not None and any(rung.tokens == tokens for rung in self._told.rungs)
            raise PromptError(
                f"A frame cannot have {tokens} visual tokens in {self._name}.",
                why="The plan for the memory has no room for them." if planned else "It was not made for that number.",
                fix=f"Give one of: {', '.join(map(str, dict.fromkeys(rung.tokens for rung in self.rungs)))}.",
            )
        return found

    def _within(self, deadline_s: float, text_tokens: int, frames: int, *, new: bool) -> VisualRung:
        for rung in self.rungs:
            expected_s = self.expected_s(text_tokens + frames * rung.tokens, frames if new else 0, rung.input_px)
            if expected_s is not None and expected_s <= deadline_s:
                return rung
        if expected_s is not None:
            logger.warning(
                "The first word is expected after %.0f ms, later than the deadline of %.0f ms.",
                expected_s * 1000,
                deadline_s * 1000,
            )
        return self.rungs[-1]
