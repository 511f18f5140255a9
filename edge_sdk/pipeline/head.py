"""What all prompts of a bundle begin with, kept on flash: the next start reads it instead of computing it.

One file for a bundle lies beside the folder of its packed weights and is named after these, which are named after
content, engine and processor. It is written beside its place and then renamed, and checked when it is read.
"""

from __future__ import annotations

import json
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from edge_sdk.bundle import Bundle
from edge_sdk.late import LateLogger
from edge_sdk.pipeline.item import Item, common
from edge_sdk.pipeline.kv_cache import Caches, Layout
from edge_sdk.runtime import Array

__all__ = ["Head", "HeadFile"]

logger = LateLogger(__name__)
_MAGIC, _FORMAT = b"edge head\n", 1
_START = struct.Struct("<10sII")  # the above, then size and checksum of the header
_SUFFIX, _UNFINISHED = ".head", ".unfinished"
_HEADER_MOST_BYTES = 1 << 20
# Fewer tokens are computed in next to no time; more bytes are no longer read in next to none.
_LEAST_TOKENS, _MOST_BYTES = 16, 16 << 20
_QUOTA_BYTES = 64 << 20
# What comes of a file that somebody else wrote, or that a failing card gave back.
_ODD = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


@dataclass(slots=True, eq=False)
class Head:
    """The first places of caches; what another decoder computed, as `Computed` has it."""

    rows: list[Item]
    caches: Caches | None
    rewrites: int = field(default=0, init=False)


class HeadFile:
    """The place of a bundle's head on flash.

    Parameters
    ----------
    path : Path
        The file.
    quota_bytes : int
        What all files of its folder may take; those that were written longest ago go first.
    clock : function
        Gives seconds.
    """

    def __init__(
        self, path: Path, *, quota_bytes: int = _QUOTA_BYTES, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.path, self._quota_bytes, self._clock = path, quota_bytes, clock
        self._settled = False  # it was read, or there is a reason not to write it
        self._kinds: tuple[np.dtype[Any], ...] | None = None  # of the caches that it was to be read for
        self.writing: threading.Thread | None = None

    @classmethod
    def of(cls, bundle: Bundle, weights: Path | None) -> HeadFile | None:
        """Name the file for a bundle; None where its weights are not kept either."""
        if weights is None:
            return None
        try:
            facts = Path(bundle.path).stat()  # its other sections may have changed: embeddings come from one of them
        except OSError:  # the bundle's stick was pulled out: what is open of it goes on
            return None
        stamp = zlib.crc32(f"{facts.st_size} {facts.st_mtime_ns}".encode())
        return cls(weights.parent.parent / "heads" / f"{weights.stem}-{stamp:08x}{_SUFFIX}")

    def read(self, layout: Layout) -> Head | None:
        """Read the head, unless there is none for caches of this layout, or reading takes longer than computing.

        Its numbers stay pages of the file, which the kernel can drop.
        """
        begin, self._kinds = self._clock(), layout.kinds
        try:
            with self.path.open("rb") as stream:
                header, start = _read_header(stream.read(_HEADER_MOST_BYTES))
            self._settled = True
            if header["slow"]:
                return None
            arrays = self._map(header, start, layout)
            head = Head(list(header["tokens"]), Caches(layout.stage, arrays, layout.axes))
            if self._clock() - begin <= header["computed_s"]:
                return head
            logger.info("The head in %s is computed faster than it is read.", self.path)
            self._replace(header | {"slow": True}, [])
        except FileNotFoundError:
            pass
        except _ODD as error:
            logger.info("The head in %s is made anew: %s", self.path, error)
            self._settled = False
        return None

    @property
    def due(self) -> bool:
        """Whether a head is to be kept that is not there yet."""
        return not self._settled

    def keep(self, head: Sequence[int], rows: Sequence[Item], caches: Caches, computed_s: float) -> None:
        """Write a head in the background, once, where the caches begin with it and it is worth the room.

        Parameters
        ----------
        head : sequence of int
            What the bundle's prompts begin with.
        rows : sequence
            What the caches were computed from.
        caches : Caches
            The caches.
        computed_s : float
            What computing it takes.
        """
        if not self.due or caches.axes is None:
            return
        count = len(head)
        # As the next start wants them: longer caches may be of another type than the shortest, for which it asks.
        kinds = self._kinds or tuple(array.dtype for array in caches.arrays)
        ends = list(zip(caches.arrays, caches.axes, kinds, strict=True))
        size = sum(array.size // array.shape[axis] * kind.itemsize for array, axis, kind in ends)
        if count < _LEAST_TOKENS or size * count > _MOST_BYTES:
            self._settled = True
            return
        if common(rows, head) < count:
            return
        self._settled = True
        arrays = [  # copies: the caches are used meanwhile
            np.array(array[(slice(None),) * axis + (slice(count),)], kind, order="C") for array, axis, kind in ends
        ]
        header = {"tokens": [int(token) for token in head], "computed_s": computed_s, "slow": False}
        # No daemon: a program that asks once ends sooner than a card has written, and would never keep anything.
        self.writing = threading.Thread(target=self._write, args=(header, arrays), name="keep head")
        self.writing.start()

    def _write(self, header: dict[str, Any], arrays: list[Array]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._make_room(sum(array.nbytes for array in arrays))
            self._replace(header, arrays)
        except OSError as error:
            logger.info("The head of prompts is not kept: %s", error)

    def _replace(self, header: dict[str, Any], arrays: list[Array]) -> None:
        checksum = 0
        for array in arrays:
            checksum = zlib.crc32(array.data, checksum)
        told = header | {"format": _FORMAT, "checksum": checksum}
        told["caches"] = [[list(array.shape), array.dtype.name] for array in arrays]
        text = json.dumps(told).encode()
        part = self.path.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}{_UNFINISHED}")
        try:
            with part.open("wb") as stream:
                stream.write(_START.pack(_MAGIC, len(text), zlib.crc32(text)) + text)
                for array in arrays:
                    stream.write(array.data)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(self.path)
        finally:
            with suppress(OSError):
                part.unlink()

    def _map(self, header: dict[str, Any], start: int, layout: Layout) -> list[Array]:
        """Map the numbers, after a look at all that is said of them."""
        count = len(header["tokens"])
        wanted = layout.cut(count)
        if header["caches"] != [[list(shape), kind.name] for shape, kind in wanted]:
            raise ValueError("It is one of other caches.")
        sizes = [prod(shape) * kind.itemsize for shape, kind in wanted]
        if self.path.stat().st_size != start + sum(sizes):
            raise ValueError("It is cut off.")
        data = np.memmap(self.path, np.uint8, "r", offset=start)
        if zlib.crc32(data.data) != header["checksum"]:
            raise ValueError("It is damaged.")
        ends = np.cumsum(sizes)
        # Numbers may begin anywhere in the file: what they are copied to is aligned.
        return [
            np.ndarray(shape, kind, data, offset=int(end) - size)
            for (shape, kind), end, size in zip(wanted, ends, sizes, strict=True)
        ]

    def _make_room(self, needed_bytes: int) -> None:
        files = sorted(self.path.parent.iterdir(), key=lambda file: file.stat().st_mtime)
        total = sum(file.stat().st_size for file in files) + needed_bytes
        for file in files:
            if total > self._quota_bytes:
                total -= file.stat().st_size
                file.unlink(missing_ok=True)


def _read_header(data: bytes) -> tuple[dict[str, Any], int]:
    """Read what a file says of itself; anything that is not as it was written is one of the errors in `_ODD`."""
    if len(data) < _START.size:
        raise ValueError("It is cut off.")
    magic, size, checksum = _START.unpack_from(data)
    end = _START.size + size
    if magic != _MAGIC or zlib.crc32(data[_START.size : end]) != checksum:
        raise ValueError("It is no head, or damaged.")
    header = json.loads(data[_START.size : end])
    if header["format"] != _FORMAT or not isinstance(header["computed_s"], float):
        raise ValueError("It is of another version.")
    if not all(type(token) is int and token >= 0 for token in header["tokens"]):
        raise ValueError("Its tokens are none.")
    return header, end
