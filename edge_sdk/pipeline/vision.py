"""The way of a frame through a bundle: pixels, features, and from these visual tokens, cells, an embedding."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from edge_sdk.bundle import Bundle, Card
from edge_sdk.errors import BundleError
from edge_sdk.frame import Frame
from edge_sdk.memory import HEAD, Acquire
from edge_sdk.pipeline.frame_encoder import FrameEncoder
from edge_sdk.pipeline.preprocess import Geometry, Preprocess
from edge_sdk.runtime import Run, TensorSpec

__all__ = ["SmallEyes", "Vision", "open_eyes", "preprocess_for"]

Found = TypeVar("Found")


class Vision:
    """Vision encoder, adapter and centre head over one set of buffers: what one writes the next reads in place.

    Their models may be closed between two frames, where something else needs the room, and come back with the next.

    Parameters
    ----------
    acquire : function
        Gives the model of a section for the length of a ``with`` block, and calls a method of ours before it is
        closed; see `Loader.acquire`.
    encoder : str
        The section that takes one picture; its first output are the features.
    prepare : function
        Makes the preprocessing for the encoder's input, given its specification.
    adapter, head : str, optional
        Sections that take the features, opened when they are first needed: who only counts has no adapter in
        memory. Without an adapter the features are the visual tokens.
    for_good : bool
        Nothing else will need the room: what was opened once is kept, and no frame has to ask for it.
    """

    def __init__(
        self,
        acquire: Acquire,
        encoder: str,
        prepare: Callable[[TensorSpec], Preprocess],
        *,
        adapter: str | None = None,
        head: str | None = None,
        for_good: bool = False,
    ) -> None:
        self._lock = threading.Lock()  # of the encoder, and of what reads its features in place
        self._speaking = threading.Lock()  # of the adapter, which has features of its own; taken before the other
        self._turns = ExitStack() if for_good else None
        self._kept: dict[str | None, tuple[FrameEncoder, Run | None]] = {}
        self._acquire, self._prepare = acquire, prepare
        self._encoder, self._adapter, self._head = encoder, adapter, head
        self._eyes: FrameEncoder | None = None
        self._maps_told: Mapping[str, TensorSpec] | None = None
        self._token_count: int | None = None
        self._last: tuple[Frame, npt.NDArray[np.float32]] | None = None

    @property
    def token_count(self) -> int:
        """Visual tokens that a frame becomes."""
        with self._lock:
            if self._token_count is None:
                with self._open(self._adapter) as (eyes, after):
                    self._token_count = int(eyes.tokens(after).shape[-2])
            return self._token_count

    @property
    def maps_told(self) -> Mapping[str, TensorSpec]:
        """The centre head's outputs."""
        with self._lock:
            if self._maps_told is None:
                with self._open(self._head) as (_, head):
                    self._maps_told = head.signature.outputs if head else {}
            return self._maps_told

    def prepare(self) -> None:
        """Open what makes visual tokens of a frame, and have the engine ready for it; only where that is for good."""
        with self._lock, self._open(self._adapter) as (eyes, _):
            models = tuple(eyes.models)
        for model in models:  # a frame may be encoded while the adapter is prepared
            model.prepare()

    def tokens(self, frame: Frame) -> npt.NDArray[np.float32]:
        """Give a frame's visual tokens, ``(T, E) float32``, not to be written to; the last frame's are kept."""
        with self._speaking:
            if self._last is None or self._last[0] is not frame:
                self._last = None
                tokens = self._speak(frame)
                tokens.flags.writeable = False
                self._last = frame, tokens
            return self._last[1]

    def _speak(self, frame: Frame) -> npt.NDArray[np.float32]:
        with self._lock, self._open(self._adapter) as (eyes, adapt):
            tokens = eyes.tokens(adapt)
            tokens = tokens.reshape(tokens.shape[-2:])  # now: the processor's caches are swept by what runs next
            if adapt is None:
                eyes.look(frame)
                return tokens.astype(np.float32)
            eyes.look_for_words(frame)
            if self._turns is None:
                adapt()
                return tokens.astype(np.float32)
        adapt()  # nothing takes turns in memory: the next frame may be counted meanwhile
        return tokens.astype(np.float32)

    def embedding(self, frame: Frame) -> npt.NDArray[np.float32]:
        """Give the mean of a frame's features over its places: ``(D,) float32``."""
        with self._lock, self._open(None) as (eyes, _):
            eyes.look(frame)
            return np.asarray(eyes.features.reshape(-1, eyes.features.shape[-1]).mean(axis=0), np.float32)

    def maps(self, frame: Frame, read: Callable[[Mapping[str, npt.NDArray[Any]], Geometry], Found]) -> Found:
        """Run the centre head and hand its outputs to `read` while they are valid; give what it gives."""
        with self._lock, self._open(self._head) as (eyes, head):
            assert head is not None, "who asks for maps knows that there are some"
            geometry = eyes.look(frame)
            head()
            return read(head.outputs, geometry)

    def forget(self) -> None:
        """Let go of the last frame and what became of it, unless one is being looked at."""
        if self._speaking.acquire(blocking=False):
            self._last = None
            self._speaking.release()
        if self._lock.acquire(blocking=False):
            if self._eyes is not None:
                self._eyes.forget()
            self._lock.release()

    def _open(self, after: str | None) -> AbstractContextManager[tuple[FrameEncoder, Run | None]]:
        """Have the encoder open, and a section that goes on from its features."""
        if self._turns is None:
            return self._take_turn(after)
        if after not in self._kept:
            self._kept[after] = self._turns.enter_context(self._take_turn(after))
        return nullcontext(self._kept[after])

    @contextmanager
    def _take_turn(self, after: str | None) -> Iterator[tuple[FrameEncoder, Run | None]]:
        with self._acquire(self._encoder, self._close_eyes) as encoder:
            eyes = self._eyes = self._eyes or FrameEncoder(encoder, self._prepare)
            if after is None:
                yield eyes, None
                return
            with self._acquire(after, self._close_eyes) as model:
                yield eyes, eyes.after(after, model, in_place=after != self._adapter)

    def _close_eyes(self) -> None:
        self._eyes = None
        self._kept.clear()


def open_eyes(bundle: Bundle, name: str, acquire: Acquire, *, for_good: bool) -> Vision:
    """Make the visual side of a bundle, with the encoder that takes the fewest bytes.

    Parameters
    ----------
    bundle : Bundle
        The bundle, or a bare model.
    name : str
        What to call it in errors.
    acquire, for_good
        See `Vision`.

    Raises
    ------
    BundleError
        It has no vision encoder.
    """
    plain = bundle.version is None
    if not plain and not bundle.has("tf_lite_vision_encoder"):
        raise BundleError(
            f"{name} has no vision encoder.",
            why="It is a bundle for text alone.",
            fix="Take a bundle with one; edge bundle list shows them.",
        )
    pixels = "tf_lite_pixel_encoder"  # takes a quarter of the bytes that a float picture is
    encoder = pixels if bundle.has(pixels) else "tf_lite_vision_encoder"
    channels = bundle.section(pixels).items.get("channels") if encoder == pixels else None
    order = str(channels) if channels else None
    adapter, head = (part if bundle.has(part) else None for part in ("tf_lite_vision_adapter", HEAD))
    return Vision(
        acquire,
        "tflite" if plain else encoder,
        lambda spec: preprocess_for(bundle.card, spec, name, order),
        adapter=adapter,
        head=head,
        for_good=for_good,
    )


class SmallEyes:
    """Eyes that take smaller pictures, by sections of their own whose names end in that side; opened when needed.

    Parameters
    ----------
    bundle, name, acquire
        See `open_eyes`.
    """

    def __init__(self, bundle: Bundle, name: str, acquire: Acquire) -> None:
        self._bundle, self._name, self._acquire = bundle, name, acquire
        self._lock = threading.Lock()
        self._open: dict[int, Vision] = {}

    def __call__(self, frame: Frame, side_px: int) -> npt.NDArray[np.float32]:
        """Give a frame's visual tokens, seen in a picture of that side: ``(T, E) float32``.

        Raises
        ------
        BundleError
            The bundle has no such sections.
        """
        return self._eyes(side_px).tokens(frame)

    def prepare(self, side_px: int) -> None:
        """Open those that take pictures of that side, and have the engine ready for them."""
        self._eyes(side_px).prepare()

    def _eyes(self, side_px: int) -> Vision:
        with self._lock:
            if side_px not in self._open:
                self._open[side_px] = self._new(side_px)
            return self._open[side_px]

    def _new(self, side_px: int) -> Vision:
        encoder, adapter = f"tf_lite_pixel_encoder_{side_px}", f"tf_lite_vision_adapter_{side_px}"
        order, card = str(self._bundle.section(encoder).items.get("channels", "RGB")), self._bundle.card
        if card is not None:
            card = replace(card, input=replace(card.input, width_px=side_px, height_px=side_px))
        prepare = partial(preprocess_for, card, name=self._name, channels=order)
        return Vision(self._acquire, encoder, prepare, adapter=adapter, for_good=True)


def preprocess_for(card: Card | None, spec: TensorSpec, name: str, channels: str | None = None) -> Preprocess:
    """Make what a bundle's card asks for; without one: stretched to the input's size, RGB, from 0 to 1.

    Parameters
    ----------
    card : Card or None
        The bundle's.
    spec : TensorSpec
        The encoder's input.
    name : str
        The bundle, for errors.
    channels : str, optional
        Their order where this encoder wants another than the card says; mean and std must then be one for all.

    Raises
    ------
    BundleError
        The input is no picture, or not of the size that the card says.
    """
    if len(spec.shape) != 4 or spec.shape[3] not in (1, 3):
        raise BundleError(
            f"The vision encoder of {name} takes {list(spec.shape)}.", why="[1, height, width, 1 or 3] is known here."
        )
    _, height, width, depth = spec.shape
    if card is None:
        return Preprocess(width, height, channels="grey" if depth == 1 else "rgb", dtype=spec.dtype)
    wanted = card.input
    if (wanted.width_px, wanted.height_px) != (width, height):
        raise BundleError(
            f"The card of {name} says {wanted.width_px}x{wanted.height_px}; its encoder takes {width}x{height}."
        )
    return Preprocess(
        width,
        height,
        resize=wanted.resize,
        channels=(channels or wanted.channels).lower(),
        mean=wanted.mean,
        std=wanted.std,
        dtype=spec.dtype,
        quantization=(spec.quantization.scale, spec.quantization.zero_point) if spec.quantization else None,
    )
