"""Turns of question and answer over one key-value cache: what was said before is never computed again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import Cancelled, ClosedError, PromptError, PromptTooLong
from edge_sdk.frame import Frame
from edge_sdk.pipeline.answer import Answer, State, StopText
from edge_sdk.pipeline.generation import draw
from edge_sdk.pipeline.language import Language
from edge_sdk.pipeline.prompt import Scissors, check_question, message
from edge_sdk.pipeline.seen import Seen
from edge_sdk.pipeline.settings import Settings, SettingsArguments
from edge_sdk.pipeline.visual_ladder import Ladder

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["Conversation", "Eyes"]


_USUAL = Settings()  # draws nothing, and so keeps nothing


class Eyes(Protocol):
    """What a conversation needs to look at frames."""

    @property
    def token_count(self) -> int:
        """Visual tokens that a frame becomes."""

    def tokens(self, frame: Frame) -> npt.NDArray[np.float32]:
        """Give a frame's visual tokens: ``(T, E)``."""


@dataclass(slots=True)
class _Turn:
    """All that one answer needs, checked before anything runs; and the embeddings of its frames, once seen."""

    text: str
    messages: list[dict[str, object]]
    frames: list[Frame]
    fresh: bool
    settings: Settings
    stop: StopText
    state: State
    seen: list[npt.NDArray[np.float32]] = field(default_factory=list)


class Conversation:
    """A dialogue with a bundle; ask follow-up questions about the same frames without paying for them twice.

    Made by ``model.conversation()``; use it in ``with``. One answer is read at a time: asking again ends the one
    before, and what it had said by then stays in the history.

    Parameters
    ----------
    language : Language
        The language side of the bundle.
    eyes : Eyes or None
        The visual side; None where the bundle has none.
    frames_most : int, optional
        Most frames in one question.
    when_done : function, optional
        Called with the conversation whenever an answer has ended.
    ladder : Ladder, optional
        The numbers of visual tokens that a frame may have; by default the one that the bundle gives.
    """

    def __init__(
        self,
        language: Language,
        eyes: Eyes | None,
        frames_most: int | None = None,
        when_done: Callable[[Conversation], None] | None = None,
        ladder: Ladder | None = None,
    ) -> None:
        self._language, self._eyes, self._frames_most = language, eyes, frames_most
        self._when_done = when_done
        self._ladder = ladder or Ladder(language.name, None)
        self._scissors = Scissors(language.pictures, language.tokenizer.encode)
        self._decoder = language.new_decoder(self._checkpoint)
        self._messages: list[dict[str, object]] = []
        self._embeddings: list[npt.NDArray[np.float32]] = []
        self._said = ""  # the rendered text whose tokens the cache holds, but for those in _unfed
        self._unfed: list[int] = []
        self._asked = 0  # how many tokens the cache held when the last question was in it
        self._turn: _Turn | None = None
        # Held while an answer is decoded from one piece to the next, and while a question is prepared.
        self._lock = threading.RLock()
        self._closed = False

    def __enter__(self) -> Conversation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        used = "closed" if self._closed else f"{self._decoder.position} of {self._decoder.capacity} tokens used"
        return f"<Conversation with {self._language.name}, {used}>"

    def prepare(self) -> None:
        """Have the language model ready for the next prompt."""
        with self._lock:
            self._check_open()
            self._decoder.prepare()

    def reset(self) -> None:
        """Forget everything that was said."""
        self._forget(0)

    def rest(self) -> None:
        """Forget everything that was said, but for what the last prompt's tokens gave: another may begin alike."""
        self._forget(self._asked)

    def close(self) -> None:
        """Let go of the cache's memory; an answer that is being read ends with an error. Twice is harmless."""
        self._closed = True
        self._supersede()
        with self._lock:
            self._turn = None
            self._decoder.close()

    def ask(self, prompt: str, frames: object = None, **settings: Unpack[SettingsArguments]) -> Answer:
        """Ask the next question.

        Parameters
        ----------
        prompt : str
            The question.
        frames : frame or list of frames, optional
            What it is about; frames of earlier questions are remembered.
        **settings
            As in `VisionLanguageModel.ask`.

        Raises
        ------
        PromptError
            The question or a setting makes no sense, or the bundle does not take the frames.
        PromptTooLong
            What was said and the question do not fit into the cache.
        FrameError
            Something given as a frame is none.
        ClosedError
            The conversation was closed.
        OverBudget
            A plan for the memory is kept, and nothing more can be given up for this.
        """
        self._check_open()
        check_question(prompt, limit=self._decoder.capacity * 64)
        wanted = Settings(**settings) if settings else _USUAL
        pictures = self._frames(frames)
        self._supersede()
        with self._lock:
            if self._turn is not None:
                self._settle(self._turn)
            told = wanted.line.before(prompt, pictures, self._language.tokenizer.encode)
            messages = [*self._messages, message(told.prompt, len(pictures))]
            text = self._language.template.render(messages)
            fresh = not (self._said and text.startswith(self._said))
            state = State(tuple(map(Seen.of, pictures)), told=told)
            turn = _Turn(text, messages, pictures, fresh, wanted, StopText(wanted.stops), state)
            parts = self._parts(turn)
            self._turn = turn
        return Answer(self._decode(turn, parts), state, self._lock, lambda: self._cancel(turn))

    def _forget(self, but: int) -> None:
        self._supersede()
        with self._lock:
            self._turn = None
            self._messages, self._embeddings, self._said = [], [], ""
            self._decoder.reset(but)

    def _frames(self, frames: object) -> list[Frame]:
        several = list(frames) if isinstance(frames, (list, tuple)) else [] if frames is None else [frames]
        if several and (self._eyes is None or self._language.pictures is None):
            raise PromptError(
                f"{self._language.name} takes no frames.",
                why="It is a bundle for text alone.",
                fix="Ask without a frame.",
            )
        if self._frames_most is not None and len(several) > self._frames_most:
            raise PromptError(
                f"{len(several)} frames in one question; {self._language.name} takes {self._frames_most}.",
                why="It was trained on no more.",
                fix="Ask about one frame at a time.",
            )
        return [Frame.of(frame) for frame in several]

    def _parts(self, turn: _Turn) -> list[list[int] | int]:
        """Tokenize what the cache does not hold yet, and refuse it where it cannot fit."""
        text = turn.text if turn.fresh else turn.text[len(self._said) :]
        count = len(turn.frames) + (len(self._embeddings) if turn.fresh else 0)
        parts = self._scissors.cut(text, count)
        if head := self._language.start if turn.fresh else self._unfed:
            parts.insert(0, list(head))
        text_tokens = sum(len(part) for part in parts if not isinstance(part, int))
        timings = turn.state.timings
        timings.visual_tokens = self._visual_tokens(turn, text_tokens)
        timings.prompt_tokens = needed = text_tokens + timings.visual_tokens
        used = 0 if turn.fresh else self._decoder.position
        if used + needed >= self._decoder.capacity:
            raise PromptTooLong(
                f"The prompt needs {needed} tokens after {used} that are in use; the cache of "
                f"{self._language.name} holds {self._decoder.capacity}, the answer included.",
                fix="Ask something shorter, use fewer frames, or start a new conversation.",
            )
        if not parts or isinstance(parts[-1], int):
            raise PromptError("The prompt ends with a frame.", why="The bundle's template puts no text after it.")
        return parts

    def _visual_tokens(self, turn: _Turn, text_tokens: int) -> int:
        """Choose how many tokens the new frames get; give how many all of the prompt's frames have."""
        before = sum(map(len, self._embeddings)) if turn.fresh else 0
        # Only where there is a frame: a question without one needs no adapter in memory.
        if self._eyes is None or not turn.frames:
            return before
        rung = turn.state.rung = self._ladder.choose(turn.settings.wish, text_tokens + before, len(turn.frames))
        return before + len(turn.frames) * (rung.tokens if rung else self._eyes.token_count)

    def _decode(self, turn: _Turn, parts: list[list[int] | int]) -> Iterator[str]:
        state = turn.state
        begin = time.perf_counter()
        try:
            self._check(turn)
            token = self._prefill(turn, parts)
            state.timings.first_token_s = time.perf_counter() - begin
            yield from self._pieces(turn, token)
        except Cancelled:
            if state.superseded:
                raise
        finally:
            with self._lock:
                self._settle(turn)

    def _prefill(self, turn: _Turn, parts: list[list[int] | int]) -> int:
        """Feed the prompt; give the first token of the answer."""
        begin = time.perf_counter()
        rung = turn.state.rung
        turn.seen = [self._ladder.see(self._eyes.tokens, frame, rung) for frame in turn.frames] if self._eyes else []
        pictures = [*self._embeddings, *turn.seen] if turn.fresh else turn.seen
        timings = turn.state.timings
        timings.encode_s = time.perf_counter() - begin
        if turn.fresh:
            self._decoder.start()
        self._said = ""  # until the turn is over, what the cache holds has no text
        logits = self._decoder.prefill(*(part if isinstance(part, list) else pictures[part] for part in parts))
        self._asked = self._decoder.position
        timings.recalled_tokens = self._decoder.recalled
        timings.prefill_s = time.perf_counter() - begin - timings.encode_s
        computed = timings.prompt_tokens - timings.recalled_tokens
        if count := len(turn.frames):  # another prompt would pass for the one that opened the eyes
            self._ladder.note(timings.encode_s / count, timings.prefill_s, computed, rung.input_px if rung else None)
        return turn.settings.sampler.pick(logits)

    def _pieces(self, turn: _Turn, token: int) -> Iterator[str]:
        """Decode on from the first token; yield what is certain to belong to the answer."""
        language, state, tokens = self._language, turn.state, turn.state.tokens
        detokenizer, told = language.detokenizer(), 0
        with closing(draw(self._decoder, turn.settings, state, token)) as drawn:
            for drawn_token in drawn:
                tokens.append(drawn_token)
                if ended := language.ends(tokens):
                    del tokens[-ended:]
                    state.finish, state.overrun = "stop", ended - 1
                    break
                # What may turn out to be the beginning of a stop of several tokens is held back.
                for certain in tokens[told : len(tokens) - language.may_end(tokens)]:
                    told += 1
                    yield from self._say(turn, turn.stop.push(detokenizer.push(certain)))
                if turn.stop.found:
                    state.finish, state.overrun = "stop", len(tokens)
                    return
        rest = "".join(detokenizer.push(token) for token in tokens[told:]) + detokenizer.flush()
        yield from self._say(turn, turn.stop.push(rest) + turn.stop.flush())

    def _say(self, turn: _Turn, piece: str) -> Iterator[str]:
        if piece:
            turn.state.text.append(piece)
            yield piece
            self._check(turn)

    def _cancel(self, turn: _Turn) -> None:
        """Stop one answer, from any thread; another answer that goes on by now is left alone."""
        turn.state.cancelled = True
        if self._turn is turn:
            self._decoder.cancel()

    def _supersede(self) -> None:
        """Have the answer that is being read end soon: its cache is about to change."""
        if (turn := self._turn) is not None and not turn.state.finish:
            turn.state.superseded = True
            self._decoder.cancel()

    def _checkpoint(self) -> None:
        """End the work between two runs of the engine, where it is not wanted any more."""
        if self._turn is not None:
            self._check(self._turn)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"The conversation with {self._language.name} was closed.", fix="Start a new one.")

    def _check(self, turn: _Turn) -> None:
        state = turn.state
        if state.finish in ("stop", "length", "memory"):
            return
        self._check_open()
        if state.superseded:
            raise Cancelled(
                "This answer was given up: another question was asked in the same conversation.",
                fix="Read an answer to its end first, or use a conversation for each.",
            )
        if state.cancelled:
            raise Cancelled("The answer was cancelled.")

    def _settle(self, turn: _Turn) -> None:
        """End a turn, however far it came, and keep the history in step with what was said."""
        state = turn.state
        # Without a reason by now, something failed, or the reader went away in the middle.
        state.finish = state.finish or "cancelled"
        state.timings.tokens = len(state.tokens)
        if self._turn is not turn:
            return
        self._turn = None
        reply = "".join(state.text)
        if reply or state.finish != "cancelled":
            self._messages = [*turn.messages, {"role": "assistant", "content": reply}]
            self._embeddings = [*self._embeddings, *turn.seen]
        if state.finish != "cancelled":
            self._decoder.kin.keep_head(self._language.head, self._decoder)
        if state.finish != "cancelled" and not state.overrun:
            self._said = turn.text + reply
            self._unfed = state.tokens[-1:] if state.finish in ("length", "memory") else []
        if self._when_done is not None:
            self._when_done(self)
