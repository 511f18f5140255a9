"""Models that come when they are asked for and go when their room is needed: sections of a bundle, or plain files.

What is in use is never closed. What is not stays open until something else needs the room; the longest unused goes
first, and its memory goes back to the system.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol
from weakref import WeakMethod

from edge_sdk.errors import ClosedError, OverBudget
from edge_sdk.late import LateLogger
from edge_sdk.memory.trim import trim
from edge_sdk.runtime import Model
from edge_sdk.units import format_bytes

__all__ = ["Acquire", "Loader", "Part"]

logger = LateLogger(__name__)


class Acquire(Protocol):
    """What those who run models need of a loader: `Loader.acquire`."""

    def __call__(self, name: str, forget: Callable[[], None] | None = None, /) -> AbstractContextManager[Model]:
        """Give a model for the length of a ``with`` block."""


@dataclass(frozen=True, slots=True)
class Part:
    """Something that a loader opens.

    Attributes
    ----------
    open : function
        Opens its model.
    size_bytes : int
        What has to fit while it is open.
    group : str
        Parts of two different groups are never open together; one without a group goes with all.
    """

    open: Callable[[], Model]
    size_bytes: int = 0
    group: str = ""


@dataclass(slots=True, eq=False)
class _Held:
    """A part that is open, or about to be."""

    part: Part
    model: Model | None = None
    users: int = 1
    used_at: int = 0
    forgets: set[WeakMethod[Callable[[], None]]] = field(default_factory=set)


class Loader:
    """Opens each part once, however many ask for it, and closes what is not in use when room is needed.

    Parameters
    ----------
    find : function
        Gives the part of a name.
    room_bytes : int, optional
        What all that is open may take together; without it only groups make parts give way.
    trim : function
        Gives freed memory back to the system.

    Examples
    --------
    >>> from edge_sdk.bundle import find_bundle, open_bundle
    >>> from edge_sdk.memory import bundle_parts
    >>> with open_bundle(find_bundle("smear")) as bundle, Loader(bundle_parts(bundle)) as loader:
    ...     with loader.acquire("tf_lite_aux") as model:
    ...         print(*model.signature().outputs)
    scores sizes
    """

    def __init__(
        self, find: Callable[[str], Part], room_bytes: int | None = None, *, trim: Callable[[], None] = trim
    ) -> None:
        self._find, self._room_bytes, self._trim = find, room_bytes, trim
        self._held: dict[str, _Held] = {}
        self._changed = threading.Condition()
        self._uses: Counter[int] = Counter()  # how many parts each thread took and still has in use
        self._clock = 0
        self._closed = False

    def __enter__(self) -> Loader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Loader with {', '.join(self.open_parts) or 'nothing'} open>"

    @property
    def open_parts(self) -> tuple[str, ...]:
        """Names of what is open, the longest unused first."""
        with self._changed:
            return tuple(sorted(self._held, key=lambda name: self._held[name].used_at))

    def acquire(self, name: str, forget: Callable[[], None] | None = None) -> AbstractContextManager[Model]:
        """Give a model for the length of a ``with`` block; it is opened if it is not there.

        A thread that uses nothing yet waits until others let go of what is in the way. One that holds something
        does not: two that wait for each other would wait for ever.

        Parameters
        ----------
        name : str
            As the loader's `find` knows it.
        forget : method, optional
            Called once the model is about to be closed: whatever it is bound to is to be let go of.

        Raises
        ------
        OverBudget
            It does not fit, or not beside what this thread uses.
        """
        return _Lease(self, name, forget)

    def prefetch(self, name: str) -> threading.Thread:
        """Open a part in the background, for whoever asks for it next; nothing happens where room is lacking now."""
        thread = threading.Thread(target=self._prefetch, args=(name,), name=f"prefetch {name}", daemon=True)
        thread.start()
        return thread

    def drop_idle(self, keep: Collection[str] = ()) -> None:
        """Close what is not in use, but for some."""
        with self._changed:
            self._drop([name for name, held in self._held.items() if not held.users and name not in keep])

    def close(self) -> None:
        """Close everything, after runs in progress are done; twice is harmless."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            while any(held.model is None for held in self._held.values()):
                self._changed.wait()
            self._drop(list(self._held))

    def _take(self, name: str, forget: Callable[[], None] | None, *, wait: bool = True) -> _Held | None:
        """Count one more user of a part, after opening it; None where there is no room and waiting is not wanted."""
        with self._changed:
            while True:
                if self._closed:
                    raise ClosedError(f"{name} is not to be had any more: what it belongs to was closed.")
                held = self._held.get(name)
                if held is not None and held.model is not None:
                    held.users += 1
                    return self._used(held, forget)
                if held is None:
                    part = self._find(name)
                    if self._make_room(name, part):
                        held = self._held[name] = _Held(part)
                        break
                    if not wait:
                        return None
                    if self._uses[threading.get_ident()]:
                        raise self._too_much(name, part)
                self._changed.wait()
        return self._open(name, held, forget)

    def _open(self, name: str, held: _Held, forget: Callable[[], None] | None) -> _Held:
        """Open a part outside the lock: others go on meanwhile, and those who want this one wait."""
        try:
            model = held.part.open()
        except BaseException:
            with self._changed:
                del self._held[name]
                self._changed.notify_all()
            raise
        with self._changed:
            held.model = model
            self._changed.notify_all()
            return self._used(held, forget)

    def _used(self, held: _Held, forget: Callable[[], None] | None) -> _Held:
        self._clock += 1
        held.used_at = self._clock
        self._uses[threading.get_ident()] += 1
        if forget is not None and (one := WeakMethod(forget)) not in held.forgets:
            held.forgets = {other for other in held.forgets if other() is not None} | {one}
        return held

    def _give(self, held: _Held, taker: int) -> None:
        with self._changed:
            self._uses[taker] -= 1
            self._uses += Counter()  # forgets threads that use nothing
            held.users -= 1
            if not held.users:
                self._changed.notify_all()

    @property
    def _in_use_bytes(self) -> int:
        return sum(held.part.size_bytes for held in self._held.values() if held.users)

    def _make_room(self, name: str, part: Part) -> bool:
        """Close what is in the way of a part, unless some of that is in use."""
        apart = [key for key, held in self._held.items() if part.group and held.part.group not in ("", part.group)]
        if any(self._held[key].users for key in apart):
            return False
        if self._room_bytes is not None:
            if part.size_bytes > self._room_bytes:
                raise self._too_much(name, part)
            left_bytes = self._room_bytes - part.size_bytes - self._in_use_bytes
            if left_bytes < 0:
                return False
            for key in reversed(self.open_parts):
                held = self._held[key]
                if not held.users and key not in apart:
                    left_bytes -= held.part.size_bytes
                    apart += [key] if left_bytes < 0 else []
        self._drop(apart)
        return True

    def _drop(self, names: list[str]) -> None:
        """Close parts, with all that is bound to them, and give their memory back."""
        with ExitStack() as stack:  # whatever goes wrong with one part, the others are closed
            if names:
                stack.callback(self._trim)
            for name in reversed(names):
                stack.callback(self._close, name, self._held.pop(name))

    @staticmethod
    def _close(name: str, held: _Held) -> None:
        model, held.model = held.model, None
        assert model is not None, "what is being opened is in use"
        try:
            for forget in held.forgets:
                if method := forget():
                    method()
        finally:
            model.close()
        logger.debug("%s was closed to make room.", name)

    def _prefetch(self, name: str) -> None:
        try:
            held = self._take(name, None, wait=False)
        except Exception as error:  # whoever asks for it will be told
            logger.debug("%s was not fetched ahead: %s", name, error)
        else:
            if held is not None:
                self._give(held, threading.get_ident())

    def _too_much(self, name: str, part: Part) -> OverBudget:
        if self._room_bytes is None:
            used = ", ".join(key for key, held in self._held.items() if held.users)
            return OverBudget(f"{name} cannot be loaded now.", why=f"It takes turns with {used}, in use meanwhile.")
        return OverBudget(
            f"{name} does not fit: it takes {format_bytes(part.size_bytes)} of {format_bytes(self._room_bytes)}"
            + (f", of which {format_bytes(self._in_use_bytes)} are in use." if self._in_use_bytes else "."),
            fix="Give it more memory, or use less at the same time.",
        )


class _Lease(AbstractContextManager[Model]):
    """One use of a part; it counts for the thread that began it, whichever ends it."""

    __slots__ = ("_asked", "_held", "_loader", "_taker")

    def __init__(self, loader: Loader, name: str, forget: Callable[[], None] | None) -> None:
        self._loader, self._asked = loader, (name, forget)
        self._held: _Held | None = None

    def __enter__(self) -> Model:
        self._taker = threading.get_ident()
        self._held = self._loader._take(*self._asked)
        assert self._held is not None
        assert self._held.model is not None
        return self._held.model

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._held is not None
        self._loader._give(self._held, self._taker)
