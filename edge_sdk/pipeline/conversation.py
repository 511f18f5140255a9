"""Turns of question and answer over one key-value cache: what was said before is never computed again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import Cancelled, ClosedError, PromptError, PromptTooLong
from edge_sdk.frame import Frame
from edge_sdk.pipeline.answer import Answer, State, StopText
from edge_sdk.pipeline.language import Language
from edge_sdk.pipeline.prompt import check_question, message, split_prompt
from edge_sdk.pipeline.sampler import Sampler

__all__ = ["Conversation", "Eyes"]


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
    sampler: Sampler
    max_tokens: int | None
    stop: StopText
    seen: list[npt.NDArray[np.float32]] = field(default_factory=list)


class Conversation:
    """A dialogue with a bundle; ask follow-up questions about the same frames without paying for them twice.

    Made by ``model.conversation()``. Only the newest answer can be read on: asking again ends the one before.
    """

    def __init__(self, language: Language, eyes: Eyes | None, frames_most: int | None = None) -> None:
        self._language = language
        self._eyes = eyes
        self._frames_most = frames_most
        self._decoder = language.new_decoder()
        self._messages: list[dict[str, object]] = []
        self._embeddings: list[npt.NDArray[np.float32]] = []
        self._said = ""  # the rendered text whose tokens the cache holds, but for those in _unfed
        self._unfed: list[int] = []
        self._state: State | None = None
        self._closed = False

    def __repr__(self) -> str:
        used = f"{self._decoder.position} of {self._decoder.capacity} tokens used"
        return f"<Conversation with {self._language.name}, {used}>"

    def reset(self) -> None:
        """Forget everything that was said."""
        self._abandon()
        self._messages, self._embeddings, self._said = [], [], ""

    def close(self) -> None:
        """Let go of the cache's memory; twice is harmless."""
        self._closed = True
        self._abandon()
        self._decoder.close()

    def ask(
        self,
        prompt: str,
        frames: object = None,
        *,
        max_tokens: int | None = None,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] = (),
        seed: int | None = None,
    ) -> Answer:
        """Ask the next question; see `edge_sdk.pipeline.model.Model.ask`."""
        check_question(prompt, limit=self._decoder.capacity * 64)
        if max_tokens is not None and max_tokens < 1:
            raise PromptError(f"max_tokens is {max_tokens}.", fix="Give at least 1, or leave it out.")
        sampler = Sampler(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
        stops = (stop,) if isinstance(stop, str) else tuple(stop)
        pictures = self._frames(frames)
        self._abandon()
        messages = [*self._messages, message(prompt, len(pictures))]
        text = self._language.template.render(messages)
        fresh = not (self._said and text.startswith(self._said))
        turn = _Turn(text, messages, pictures, fresh, sampler, max_tokens, StopText(tuple(s for s in stops if s)))
        parts = self._parts(turn)
        state = State(frames=tuple(f"{f.source}#{f.sequence}" for f in pictures))
        self._state = state
        return Answer(self._decode(turn, parts, state), state, self._decoder.cancel)

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
        cut = split_prompt(text, self._language.pictures if count else None, count)
        encode = self._language.tokenizer.encode
        parts: list[list[int] | int] = [part if isinstance(part, int) else encode(part) for part in cut]
        head = self._language.start if turn.fresh else self._unfed
        if head:
            parts.insert(0, list(head))
        visual = self._eyes.token_count if self._eyes else 0
        needed = sum(visual if isinstance(part, int) else len(part) for part in parts)
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

    def _decode(self, turn: _Turn, parts: list[list[int] | int], state: State) -> Iterator[str]:
        begin = time.perf_counter()
        try:
            token = self._prefill(turn, parts, state)
            state.timings.first_token_s = first = time.perf_counter() - begin
            yield from self._pieces(turn, token, state)
            state.timings.decode_s = time.perf_counter() - begin - first
            state.timings.tokens = len(state.tokens)
        except Cancelled:
            state.finish = "cancelled"
        finally:
            # Without a reason by now, something failed or the reader went away in the middle.
            state.finish = state.finish or "cancelled"
            if self._state is state:
                self._remember(turn, state)

    def _prefill(self, turn: _Turn, parts: list[list[int] | int], state: State) -> int:
        """Feed the prompt; give the first token of the answer."""
        begin = time.perf_counter()
        turn.seen = [self._eyes.tokens(frame) for frame in turn.frames] if self._eyes else []
        pictures = [*self._embeddings, *turn.seen] if turn.fresh else turn.seen
        timings = state.timings
        timings.encode_s = time.perf_counter() - begin
        *rest, last = [part if isinstance(part, list) else pictures[part] for part in parts]
        timings.prompt_tokens = sum(len(part) for part in [*rest, last])
        timings.visual_tokens = sum(len(part) for part in rest if not isinstance(part, list))
        if turn.fresh:
            self._decoder.reset()
        self._said = ""  # until the turn is over, what the cache holds has no text
        self._check(state)
        self._decoder.feed(*rest, last[:-1])
        self._check(state)
        logits = self._decoder.step(int(last[-1]))
        timings.prefill_s = time.perf_counter() - begin - timings.encode_s
        return turn.sampler.pick(logits)

    def _pieces(self, turn: _Turn, token: int, state: State) -> Iterator[str]:
        """Decode on from the first token; yield what is certain to belong to the answer."""
        detokenizer, language, tokens = self._language.detokenizer(), self._language, state.tokens
        told = 0
        while True:
            tokens.append(token)
            if ended := language.ends(tokens):
                del tokens[-ended:]
                state.finish, state.overrun = "stop", ended - 1
                break
            # What may turn out to be the beginning of a stop of several tokens is held back.
            for token in tokens[told : len(tokens) - language.may_end(tokens)]:
                told += 1
                yield from self._say(turn.stop.push(detokenizer.push(token)), state)
            if turn.stop.found:
                state.finish, state.overrun = "stop", len(tokens)
                return
            if len(tokens) == turn.max_tokens or self._decoder.position >= self._decoder.capacity:
                state.finish = "length"
                break
            self._check(state)
            token = turn.sampler.pick(self._decoder.step(tokens[-1]))
        rest = "".join(detokenizer.push(token) for token in tokens[told:]) + detokenizer.flush()
        yield from self._say(turn.stop.push(rest) + turn.stop.flush(), state)

    def _say(self, piece: str, state: State) -> Iterator[str]:
        if piece:
            state.text.append(piece)
            yield piece

    def _check(self, state: State) -> None:
        if self._closed:
            raise ClosedError(f"The conversation with {self._language.name} was closed.", fix="Start a new one.")
        if state.cancelled or self._state is not state:
            raise Cancelled("The answer was cancelled.")

    def _remember(self, turn: _Turn, state: State) -> None:
        """Keep the history in step with what was said, and know whether the cache holds just that."""
        reply = "".join(state.text)
        if not reply and state.finish == "cancelled":
            return
        self._messages = [*turn.messages, {"role": "assistant", "content": reply}]
        self._embeddings = [*self._embeddings, *turn.seen]
        if state.finish in ("stop", "length") and not state.overrun:
            self._said = turn.text + reply
            self._unfed = state.tokens[-1:] if state.finish == "length" else []

    def _abandon(self) -> None:
        """End the answer that is being read, if there is one: its cache is about to change."""
        if self._state is not None and not self._state.finish:
            self._state.cancelled = True
        self._state = None
