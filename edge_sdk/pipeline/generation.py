"""The tokens of an answer, one after the other: each from a step, or several from one run that checks guesses."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator

from edge_sdk.errors import OverBudget
from edge_sdk.pipeline.answer import State
from edge_sdk.pipeline.decoder import Decoder
from edge_sdk.pipeline.lookup import Lookup
from edge_sdk.pipeline.sampler import Sampler
from edge_sdk.pipeline.settings import Settings
from edge_sdk.pulse import PULSE

__all__ = ["Generation", "draw"]

logger = logging.getLogger(__name__)

# After guesses that did not pay none are made for this many tokens, and for twice as many the next time.
_REST, _REST_MOST = 16, 256
# What a run that checks guesses costs in steps, until one was measured: little where reading weights takes the time.
_CHECK_STEPS = 1.3
# By how much it must give more than steps in the same time, to be worth more work; how far ahead of that guessing
# begins; and how much the latest run counts.
_GAIN, _CREDIT, _LATEST = 1.05, 0.3, 0.3


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
    clock : function
        Gives seconds.

    Attributes
    ----------
    checked, kept : int
        Guessed tokens, and those of them that were right.
    """

    def __init__(
        self, decoder: Decoder, sampler: Sampler, token: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._decoder, self._sampler, self._clock = decoder, sampler, clock
        self._token = token
        self._ready: deque[int] = deque()
        self._text = Lookup() if decoder.verifies else None
        if self._text is not None:
            self._text.add([item for item in decoder.rows[: decoder.position] if isinstance(item, int)])
            self._text.add([token])
        self._resting, self._rest = 0, _REST
        self._step_s = self._check_s = 0.0
        self._surplus = _CREDIT
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
        """Guess, unless that has not paid lately."""
        if self._text is None:
            return []
        if self._resting:
            self._resting -= 1
            return []
        most = self._decoder.verifies - 1
        return self._text.guess(most) if most > 0 else []

    def _step(self) -> int:
        begin = self._clock()
        token = self._sampler.pick(self._decoder.step(self._token))
        if self._text is not None:
            self._step_s = _least(self._step_s, self._clock() - begin)
            self._text.add([token])
        return token

    def _check(self, guess: list[int]) -> list[int]:
        """Run the last token and a guess of those after it; give what the sampler picks as far as that is the same."""
        begin = self._clock()
        scores = self._decoder.verify([self._token, *guess])
        found: list[int] = []
        for row, guessed in zip(scores, [*guess, None], strict=True):
            found.append(self._sampler.pick(row))
            if found[-1] != guessed:
                break
        self._decoder.rewind(len(guess) + 1 - len(found))
        self._check_s = _least(self._check_s, self._clock() - begin)
        self.checked += len(guess)
        self.kept += len(found) - 1
        assert self._text is not None
        self._text.add(found)
        self._judge(len(found))
        return found

    def _judge(self, gained: int) -> None:
        """Stop guessing for a while where it gives less than steps would in the same time."""
        steps = self._check_s / self._step_s if self._step_s else _CHECK_STEPS
        gain = gained - steps * _GAIN
        self._surplus += _LATEST * (gain - self._surplus)
        if gain > 0:
            self._rest = _REST
        elif self._surplus <= 0:
            self._surplus, self._resting = _CREDIT, self._rest
            self._rest = min(2 * self._rest, _REST_MOST)


def _least(before: float, now: float) -> float:
    """Follow what something costs: what disturbed it once is forgotten."""
    return min(now, before + 0.1 * (now - before)) if before else now


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
