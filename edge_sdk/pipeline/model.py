"""A loaded bundle: ask it, have it count, take its embedding, or talk with it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt

from edge_sdk.bundle import Bundle
from edge_sdk.errors import ClosedError, EdgeError
from edge_sdk.frame import Frame
from edge_sdk.late import Late
from edge_sdk.memory import LANGUAGE, SIGHT, WORDS
from edge_sdk.pipeline.ahead import begin_ahead
from edge_sdk.pipeline.answer import Answer
from edge_sdk.pipeline.conversation import Conversation
from edge_sdk.pipeline.cut import Cutter
from edge_sdk.pipeline.decoder import Decoder
from edge_sdk.pipeline.language import Language
from edge_sdk.pipeline.prefix import Kin
from edge_sdk.pipeline.reading_line import at_moment
from edge_sdk.pipeline.rest import Rest
from edge_sdk.pipeline.visual_ladder import Ladder, TokenWish
from edge_sdk.pipeline.watch import compare_frames, watch_answers, watch_counts
from edge_sdk.pulse import PULSE

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from edge_sdk.memory import Guard, Loader, Plan
    from edge_sdk.pipeline import counter, vision
    from edge_sdk.pipeline.count import Count
    from edge_sdk.pipeline.settings import SettingsArguments
else:  # not every bundle sees and counts
    counter, vision = Late("edge_sdk.pipeline.counter"), Late("edge_sdk.pipeline.vision")

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
        told = bundle.card.visual_ladder if bundle.card else None
        self._small = None if plan or not told else vision.SmallEyes(bundle, self.name, loader.acquire)
        self._ladder = Ladder(self.name, told, plan.visual_tokens if plan else None, self._small)
        self._lock = threading.RLock()
        self._talking = threading.Lock()  # taken after the other
        self._vision: vision.Vision | None = None
        self._counter: counter.Counter | None = None
        self._language: Language | None = None
        self._kin: Kin | None = None
        self._cutter = Cutter()
        self._rest = Rest()
        self._closed = False
        PULSE.loaded(self.name, plan.budget.total_bytes if plan else None)

    def __enter__(self) -> VisionLanguageModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<VisionLanguageModel {self.name}{' (closed)' if self._closed else ''}>"

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that `count` tells apart; empty where the bundle cannot count."""
        cells = self.bundle.card.cells if self.bundle.card else None
        return tuple(item.name for item in cells.classes) if cells else ()

    @property
    def visual_tokens(self) -> tuple[int, ...]:
        """The numbers of visual tokens that a frame may have, the most first; empty where there is no choice."""
        return tuple(dict.fromkeys(rung.tokens for rung in self._ladder.rungs))

    def ask(
        self,
        prompt: str,
        frames: object = None,
        *,
        region: Sequence[float] | None = None,
        **settings: Unpack[SettingsArguments],
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
        visual_tokens : int, optional
            How many tokens each frame gets, one of the bundle's `visual_tokens`; by default the most there are.
        deadline_ms : float, optional
            The most visual tokens with which the first word is expected in time, by what earlier answers took; the
            fewest while nothing is known. ``answer.rung`` says which it were.
        region : four numbers, optional
            The part of each frame that is looked at; see `Frame.crop`.
        sensors : sensors and readings, or ReadingLine, optional
            What is told before the question, at the frame's time; see `ReadingLine`, and ``answer.readings``.

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
        StaleReading
            A sensor has no reading near enough in time.

        Examples
        --------
        >>> from edge_sdk.pipeline import load
        >>> with load("smear") as model:
        ...     model.ask("How many cells are there?").text
        'Please show me a frame of a blood film.'
        """
        talk = self._rest.take() or self._converse(self._rest.put, None if frames is None else settings)
        try:
            return talk.ask(prompt, self._cutter.cut_all(frames, region), **settings)
        except EdgeError:
            self._rest.put(talk)
            raise

    def conversation(self) -> Conversation:
        """Start a dialogue that remembers: what was said is kept in a key-value cache of its own."""
        return self._converse(None)

    def prepare(self) -> None:
        """Open and warm up what the first answer needs, so that it comes as soon as later ones do.

        It takes about as long as a question does: of use while there is time, before a frame is there.
        Within a plan nothing happens: it says itself what is there when.

        Raises
        ------
        BundleError
            The bundle has no language model, or is damaged.
        """
        if self.plan is None:
            talk = self._rest.take() or self._converse(self._rest.put)
            if self._vision is not None:
                self._vision.prepare()
            talk.prepare()
            self._rest.put(talk)

    def count(self, frame: object, *, region: Sequence[float] | None = None) -> Count:
        """Count the cells of a frame.

        Parameters
        ----------
        frame : frame
            Anything that `Frame.of` takes.
        region : four numbers, optional
            The part of it that is looked at; see `Frame.crop`.

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
                self._counter = counter.Counter(self._eyes(), self.bundle)
            self._look_at_memory(SIGHT)
            whole = Frame.of(frame)
            count = self._counter.count(self._cutter.cut(whole, region))
            return count if region is None else count.within(whole, region)

    @overload
    def watch(
        self, frames: Iterable[object], *, region: Sequence[float] | None = None, gate: bool = True
    ) -> Iterator[Count]: ...
    @overload
    def watch(
        self,
        frames: Iterable[object],
        prompt: str,
        *,
        region: Sequence[float] | None = None,
        gate: bool = True,
        **settings: Unpack[SettingsArguments],
    ) -> Iterator[Answer]: ...
    def watch(
        self,
        frames: Iterable[object],
        prompt: str | None = None,
        *,
        region: Sequence[float] | None = None,
        gate: bool = True,
        **settings: Unpack[SettingsArguments],
    ) -> Iterator[Count] | Iterator[Answer]:
        """Count frame after frame of a camera, or ask about each; what shows nothing new is not encoded again.

        Of a frame that differs from the last encoded one by no more than the sensor's noise, the count or the answer
        is that one's; ``seen`` names both frames, and ``seen.kept`` says so. An answer is decoded only if it is read.

        Parameters
        ----------
        frames : camera, or any iterable of frames
            Of a camera always the newest frame.
        prompt : str, optional
            The question; without one, cells are counted.
        region : four numbers, optional
            The part of each frame that is looked at; outside of it nothing is news.
        gate : bool
            False: look at every frame.
        **settings
            As in `ask`.
        """
        pairs = compare_frames(frames, region, gate=gate)
        if prompt is None:
            return watch_counts(pairs, lambda frame: self.count(frame, region=region))
        return watch_answers(
            pairs, lambda frame, time_s: self.ask(prompt, frame, region=region, **at_moment(settings, time_s))
        )

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
        with self._lock, self._talking:
            self._closed = True
            self._rest.close()
            self._loader.close()
            self.bundle.close()

    def _converse(
        self, when_done: Callable[[Conversation], None] | None, sees: SettingsArguments | None = None
    ) -> Conversation:
        """Start a dialogue; where it is for a question about a frame, ``sees`` are the settings of that."""
        with self._lock:
            if sees is not None and self.plan is None and self._vision is None and self.bundle.metadata.vision:
                rung = self._ladder.choose(TokenWish(sees.get("visual_tokens"), sees.get("deadline_ms")), 0, 1)
                small = partial(self._small.prepare, rung.input_px) if self._small and rung and rung.input_px else None
                begin_ahead(small or self._eyes().prepare)  # beside the tokenizer's library and the language model
            language, card = self._words(), self.bundle.card
            eyes = self._eyes() if language.pictures else None
        most = card.frames_per_question if card else None
        with self._talking:  # the first opens the language model, which may take a second: frames are counted meanwhile
            self._check_open()
            return Conversation(language, eyes, most, when_done, self._ladder)

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
        decoder = Decoder(self.bundle, self._loader.acquire, pause, longest, self._kin, for_good=self.plan is None)
        self._kin = decoder.kin
        return decoder

    def _look_at_memory(self, needed: Collection[str]) -> None:
        """Where there is a plan, keep to it: give up what can be had again, but for models that are needed next."""
        if self._guard is not None:
            self._guard.check(
                (
                    ("the conversation at rest", self._rest.drop),
                    ("the last frame", self._forget_frame),
                    ("models that are not in use", lambda: self._loader.drop_idle(needed)),
                )
            )

    def _forget_frame(self) -> None:
        self._cutter.forget()
        if self._vision is not None:
            self._vision.forget()

    def _eyes(self) -> vision.Vision:
        self._check_open()
        if self._vision is None:
            if self.plan is not None and any(section.name == WORDS for section in self.plan.sections):
                self._words()  # takes most while it is read, so that is before anything else is there
            self._vision = vision.open_eyes(self.bundle, self.name, self._loader.acquire, for_good=self.plan is None)
        return self._vision
