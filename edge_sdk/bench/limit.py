"""What this machine could do at most: how fast it reads memory, and how fast the engine multiplies INT8 matrices.

Both are the best of several tries, since other work on the machine only ever takes away.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_sdk.bench.product import product_model
from edge_sdk.runtime import open_model

__all__ = ["int8_macs_per_s", "read_bandwidth_bytes_per_s", "read_s"]

# Beyond the caches of any board; not of a server, whose last cache may hold 260 MB and more.
WORKING_SET_BYTES = 128 << 20
_TRIES = 7
# Long enough that starting the threads (0.1 ms) does not show.
_TRY_S, _ROUNDS_MAX = 0.03, 10_000
# 1 MB of weights stays in a second-level cache, so what is measured is arithmetic. More rows, longer sides or more
# products give the same rate to within a few percent.
_SIDE, _PRODUCTS = 1024, 8


def read_bandwidth_bytes_per_s(
    threads: int,
    working_set_bytes: int = WORKING_SET_BYTES,
    *,
    tries: int = _TRIES,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Measure how fast threads together read a piece of memory, over and over.

    numpy's `maximum.reduce` of int32 does it: vector loads with next to no arithmetic, the GIL free. On x86-64 with
    AVX-512 it reads as fast as a loop of C with 64-byte loads does (0.96 to 1.04 of it, 135 and 600 MB, one and two
    threads); `np.dot` and `np.add.reduce` reach 0.3 to 0.8.

    Parameters
    ----------
    threads : int
        How many, each with a part of its own.
    working_set_bytes : int
        What is read: as much as the work that it is compared with reads, or a cache that holds the one and not
        the other makes it another limit.
    tries : int
        The best of them counts.
    clock : function
        Gives seconds.

    Returns
    -------
    float
        Bytes a second.

    Examples
    --------
    >>> read_bandwidth_bytes_per_s(1, 1 << 20, tries=1) > 0
    True
    """
    # Filled, because pages that were never written to are all one page of zeros.
    parts = [np.ones(max(1, working_set_bytes // 4 // threads), np.int32) for _ in range(threads)]
    total = sum(part.nbytes for part in parts)
    read_s(parts, 1, clock)  # brings it into the caches, as far as it fits
    taken_s = read_s(parts, 1, clock)
    rounds = max(1, min(_ROUNDS_MAX, int(_TRY_S / max(taken_s, 1e-9))))
    return max(rounds * total / max(read_s(parts, rounds, clock), 1e-9) for _ in range(tries))


def read_s(
    parts: Sequence[npt.NDArray[np.int32]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Read each part in a thread of its own, as often as told; give the seconds that it took."""

    def read(part: npt.NDArray[np.int32]) -> None:
        for _ in range(rounds):
            np.maximum.reduce(part)

    threads = [threading.Thread(target=partial(read, part)) for part in parts[1:]]
    begin = clock()
    for thread in threads:
        thread.start()
    read(parts[0])
    for thread in threads:
        thread.join()
    return clock() - begin


def int8_macs_per_s(
    threads: int,
    rows: int = 128,
    *,
    engine: str = "auto",
    tries: int = _TRIES,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Measure how fast the engine multiplies by INT8 weights that lie in a cache.

    The model is a chain of products of ``(rows, 1024)`` with ``(1024, 1024)``, float activations quantized as it runs:
    what prefill does with many rows, and decoding with one.

    Parameters
    ----------
    threads : int
        Threads of the engine.
    rows : int
        Rows at once.
    engine : {'auto', 'litert', 'interpreter'}
        Which runtime.
    tries : int
        The best of them counts.
    clock : function
        Gives seconds.

    Returns
    -------
    float
        Multiplications with an addition each, a second; twice that in operations.

    Raises
    ------
    ModelError
        The engine does not run it.
    """
    with (
        _file(product_model(rows, _SIDE, _PRODUCTS)) as path,
        open_model(path, engine=engine, threads=threads) as model,
    ):
        run = model.bind()
        next(iter(run.inputs.values()))[:] = np.linspace(-1, 1, _SIDE, dtype=np.float32)
        run()  # the first one packs
        macs = rows * _SIDE * _SIDE * _PRODUCTS
        best = 0.0
        for _ in range(tries):
            begin, done = clock(), 0
            while not done or clock() - begin < _TRY_S:
                run()
                done += 1
            best = max(best, done * macs / max(clock() - begin, 1e-9))
    return best


@contextmanager
def _file(content: bytes) -> Iterator[Path]:
    """Give a path to a file in memory, which goes with its last user whatever happens."""
    descriptor = os.memfd_create("product.tflite")
    try:
        os.write(descriptor, content)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
