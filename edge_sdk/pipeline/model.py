"""A loaded bundle: ask it, have it count, take its embedding, or talk with it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from edge_sdk.bundle import Bundle
from edge_sdk.errors import BundleError, ClosedError, EdgeError
from edge_sdk.frame import Frame
from edge_sdk.memory import HEAD, LANGUAGE, SIGHT, WORDS, Guard, Loader, Plan, trim
from edge_sdk.pipeline.answer import Answer
from edge_sdk.pipeline.conversation import Conversation
from edge_sdk.pipeline.count import Count
from edge_sdk.pipeline.counter import Counter
from edge_sdk.pipeline.decoder import Decoder
from edge_sdk.pipeline.language import Language
from edge_sdk.pipeline.prefix import Kin
from edge_sdk.pipeline.vision import Vision, preprocess_for
from edge_sdk.pulse import PULSE

__all__ = ["VisionLanguageModel"]


class VisionLanguageModel:
    """A bundle that is ready to be asked; made by `load`. All of it may be used from several threads.

    Attributes
    ----------
    name : str
        The bundle's name.
    bundle : Bundle
        What it was loaded from.
    plan : Plan or None
        How it is held in memory, where that was planned.
    """

    def __init__(self, bundle: Bundle, loader: Loader, plan: Plan | None = None, guard: Guard | None = None) -> None:
        self.bundle = bundle
        self.name = bundle.card.name if bundle.card else Path(bundle.path).stem
        self.plan = plan
        self._loader = loader
        self._guard = guard
        self._lock = threading.RLock()
        self._vision: Vision | None = None
        self._counter: Counter | None = None
        self._language: Language | None = None
        self._kin: Kin | None = None
        # What the next `ask` may use: one conversation at rest, so that its cache is not made anew every time.
        self._idle: deque[Conversation] = deque(maxlen=1)
        self._closed = False
        PULSE.loaded(self.name, plan.budget.total_bytes if plan else None)

    def __enter__(self) -> VisionLanguageModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<VisionLanguageModel {self.name}{' (closed)' if self._closed else ''}>"

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that `count` tells apart; empty where the bundle cannot count."""
        cells = self.bundle.card.cells if self.bundle.card else None
        return tuple(item.name for item in cells.classes) if cells else ()

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
        """Ask one question, with nothing remembered of earlier ones.

        Answers may be read at the same time and from several threads; each has a cache of its own while it is
        being read.

        Parameters
        ----------
        prompt : str
            The question.
        frames : frame or list of frames, optional
            What it is about: anything that `Frame.of` takes. A frame that was just asked about or counted is
            not encoded again.
        max_tokens : int, optional
            Most tokens of the answer; by default until the bundle stops or its cache is full.
        temperature : float
            0 takes the likeliest token every time; above that tokens are drawn.
        top_k, top_p : int, float, optional
            Draw from the k likeliest tokens, or from the likeliest that together have probability p.
        stop : str or sequence of str
            The answer ends before any of these.
        seed : int, optional
            Makes drawing repeatable.

        Returns
        -------
        Answer
            An iterator of text pieces; it decodes as far as it is read.

        Raises
        ------
        PromptError
            The question or a setting makes no sense, or the bundle does not take the frames.
        PromptTooLong
            Question and frames do not fit into the cache.
        FrameError
            Something given as a frame is none.

        Examples
        --------
        >>> from edge_sdk.pipeline import load
        >>> with load("smear") as model:
        ...     model.ask("How many cells are there?").text
        'Please show me a frame of a blood film.'
        """
        try:
            talk = self._idle.pop()
        except IndexError:
            talk = self._converse(self._idle_again)
        try:
            return talk.ask(
                prompt,
                frames,
                max_tokens=max_tokens,
                temperature=temperature,
                top_k=top_k,
                top_p=top_p,
                stop=stop,
                seed=seed,
            )
        except EdgeError:
            self._idle_again(talk)
            raise

    def conversation(self) -> Conversation:
        """Start a dialogue that remembers: what was said is kept in a key-value cache of its own."""
        return self._converse(None)

    def count(self, frame: object) -> Count:
        """Count the cells of a frame.

        Parameters
        ----------
        frame : frame
            Anything that `Frame.of` takes.

        Returns
        -------
        Count
            The number of each class, and every cell's place, box and score in the frame's own pixels.

        Raises
        ------
        BundleError
            The bundle has no cell-centre head.
        FrameError
            What was given is no frame.
        """
        with self._lock:
            if self._counter is None:
                self._counter = Counter(self._eyes(), self.bundle)
            self._look_at_memory(SIGHT)
            return self._counter.count(Frame.of(frame))

    def embed(self, frame: object) -> npt.NDArray[np.float32]:
        """Give the pooled visual embedding of a frame: ``(D,) float32``, the mean of its features.

        Raises
        ------
        BundleError
            The bundle has no vision encoder.
        FrameError
            What was given is no frame.
        """
        with self._lock:
            self._look_at_memory(SIGHT)
            return self._eyes().embedding(Frame.of(frame))

    def close(self) -> None:
        """Free the models' memory; twice is harmless."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()
            self._loader.close()
            self.bundle.close()

    def _converse(self, when_done: Callable[[Conversation], None] | None) -> Conversation:
        with self._lock:
            language, card = self._words(), self.bundle.card
            eyes = self._eyes() if language.pictures else None
            return Conversation(language, eyes, card.frames_per_question if card else None, when_done)

    def _idle_again(self, talk: Conversation) -> None:
        talk.rest()
        if not self._closed:
            self._idle.append(talk)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError(f"{self.name} was closed.", fix="Load it again, or move the work into its `with` block.")

    def _words(self) -> Language:
        self._check_open()
        if self._language is None:
            self._language = Language.of(self.bundle, self.name, self._new_decoder)
        return self._language

    def _new_decoder(self, checkpoint: Callable[[], None]) -> Decoder:
        def pause() -> None:
            checkpoint()
            self._look_at_memory(LANGUAGE)

        longest = self.plan.cache_length if self.plan else None
        decoder = Decoder(self.bundle, self._loader.acquire, pause, longest, self._kin)
        self._kin = decoder.kin
        return decoder

    def _look_at_memory(self, needed: Collection[str]) -> None:
        """Where there is a plan, keep to it: give up what can be had again, but for models that are needed next."""
        if self._guard is not None:
            self._guard.check(
                (
                    ("the conversation at rest", self._drop_idle),
                    ("the last frame", self._vision.forget if self._vision else trim),
                    ("models that are not in use", lambda: self._loader.drop_idle(needed)),
                )
            )

    def _drop_idle(self) -> None:
        with suppress(IndexError):
            self._idle.pop().close()

    def _eyes(self) -> Vision:
        self._check_open()
        if self._vision is None:
            if self.plan is not None and any(section.name == WORDS for section in self.plan.sections):
                self._words()  # takes most while it is read, so that is before anything else is there
            plain = self.bundle.version is None
            if not plain and not self.bundle.has("tf_lite_vision_encoder"):
                raise BundleError(
                    f"{self.name} has no vision encoder.",
                    why="It is a bundle for text alone.",
                    fix="Take a bundle with one; edge bundle list shows them.",
                )
            pixels = "tf_lite_pixel_encoder"  # takes a quarter of the bytes that a float picture is
            encoder = pixels if self.bundle.has(pixels) else "tf_lite_vision_encoder"
            channels = self.bundle.section(pixels).items.get("channels") if encoder == pixels else None
            order = str(channels) if channels else None
            adapter, head = (name if self.bundle.has(name) else None for name in ("tf_lite_vision_adapter", HEAD))
            self._vision = Vision(
                self._loader.acquire,
                "tflite" if plain else encoder,
                lambda spec: preprocess_for(self.bundle.card, spec, self.name, order),
                adapter=adapter,
                head=head,
                for_good=self.plan is None,
            )
        return self._vision
