"""The tokens of an answer, one after the other: each from a step, or several from one run that checks guesses."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator

from edge_sdk.errors import OverBudget
from edge_sdk.late import LateLogger
from edge_sdk.pipeline.answer import State
from edge_sdk.pipeline.decoder import Decoder
from edge_sdk.pipeline.lookup import Lookup
from edge_sdk.pipeline.sampler import Sampler
from edge_sdk.pipeline.settings import Settings
from edge_sdk.pulse import PULSE

__all__ = ["Generation", "draw"]

logger = LateLogger(__name__)

# After guesses that did not pay none are made for this many tokens, and for twice as many the next time.
_REST, _REST_MOST = 16, 256
# How often a guessed token is right, until that is known; how much the latest one counts; and how many times more
# tokens than steps a run that checks guesses has to promise in the same time, to be worth more work.
_RIGHT, _LATEST, _GAIN = 0.6, 0.25, 1.05


class Generation:
    """Draws tokens from a decoder; guesses how the text goes on where that saves time, and never says anything else.

    A guess is made of what followed the same tokens earlier, in the prompt or in the answer. One run scores all
    guessed tokens; each is kept only where the sampler picks the same, so the tokens are those that single steps
    would have given.

    Parameters
    ----------
    decoder : Decoder
        Which holds the prompt.
    sampler : Sampler
        Picks.
    token : int
        The first token of the answer, which is not run yet.

    Attributes
    ----------
    checked, kept : int
        Guessed tokens, and those of them that were right.
    """

    def __init__(self, decoder: Decoder, sampler: Sampler, token: int) -> None:
        self._decoder, self._sampler = decoder, sampler
        self._token = token
        self._ready: deque[int] = deque()
        self._text = Lookup() if decoder.verifies else None
        if self._text is not None:
            self._text.add([item for item in decoder.rows[: decoder.position] if isinstance(item, int)])
            self._text.add([token])
        self._resting, self._rest, self._right = 0, _REST, _RIGHT
        self.checked = self.kept = 0

    @property
    def ahead(self) -> int:
        """Tokens in the cache that were not taken from here."""
        return len(self._ready)

    def next(self) -> int:
        """Give the next token; `ahead` are known already."""
        if not self._ready:
            guess = self._guess()
            self._ready.extend(self._check(guess) if guess else [self._step()])
        self._token = self._ready.popleft()
        return self._token

    def settle(self) -> None:
        """Take from the cache what was run beyond the tokens that were taken from here."""
        self._decoder.rewind(len(self._ready))
        self._ready.clear()

    def _guess(self) -> list[int]:
        """Guess as far as it pays by how often guesses were right, unless they did not pay lately."""
        if self._text is None:
            return []
        if self._resting:
            self._resting -= 1
            return []
        guess = self._text.guess(max((size for size, _ in self._decoder.verifies), default=1) - 1)
        if not guess:
            return []
        promise, most = max((self._promise(size) / cost, size - 1) for size, cost in self._decoder.verifies)
        if promise > _GAIN:
            return guess[:most]
        self._resting, self._right = self._rest, _RIGHT
        self._rest = min(2 * self._rest, _REST_MOST)
        return []

    def _promise(self, size: int) -> float:
        """Return how many tokens a run may be expected to give: one, and each guess as long as all were right."""
        return sum(self._right**place for place in range(size))

    def _step(self) -> int:
        token = self._sampler.pick(self._decoder.step(self._token))
        if self._text is not None:
            self._text.add([token])
        return token

    def _check(self, guess: list[int]) -> list[int]:
        """Run the last token and a guess of those after it; give what the sampler picks as far as that is the same."""
        scores = self._decoder.verify([self._token, *guess])
        found: list[int] = []
        for row, guessed in zip(scores, [*guess, None], strict=True):
            found.append(self._sampler.pick(row))
            if guessed is not None:
                self._right += _LATEST * ((found[-1] == guessed) - self._right)
            if found[-1] != guessed:
                break
        self._decoder.rewind(len(guess) + 1 - len(found))
        self.checked += len(guess)
        self.kept += len(found) - 1
        if len(found) > len(guess):
            self._rest = _REST
        assert self._text is not None
        self._text.add(found)
        return found


def draw(decoder: Decoder, settings: Settings, state: State, token: int) -> Generator[int, None, None]:
    """Give tokens until there are enough, the first of which is known; the cache holds all but the last one taken."""
    yield token
    most = settings.max_tokens
    generation = Generation(decoder, settings.sampler, token)
    try:
        while not (most and len(state.tokens) >= most) and generation.ahead + decoder.capacity > decoder.position:
            begin = time.perf_counter()
            token = generation.next()
            state.timings.decode_s += time.perf_counter() - begin
            PULSE.beat(tokens=1)
            yield token
        state.finish = "length"
    except OverBudget as error:  # better an answer that is cut off, and says so, than none
        logger.warning("The answer ends early. %s", error)
        state.finish = "memory"
    finally:
        state.timings.guessed_tokens = generation.kept
        generation.settle()
