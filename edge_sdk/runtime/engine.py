"""Open a model in one of the engines."""

from __future__ import annotations

import logging
import os

from edge_sdk.bundle.tflite import TfliteModel
from edge_sdk.errors import EdgeError, MissingDependency, ModelError
from edge_sdk.runtime.interpreter import InterpreterModel
from edge_sdk.runtime.litert import LiteRtModel
from edge_sdk.runtime.litert_library import load_library
from edge_sdk.runtime.model import Model
from edge_sdk.runtime.packing import IN_MEMORY, pack
from edge_sdk.runtime.region import Region
from edge_sdk.runtime.weight_cache import WeightCache

__all__ = ["ENGINES", "open_model"]

logger = logging.getLogger(__name__)
ENGINES = ("litert", "interpreter")  # in the order in which "auto" tries them
# Below this, packing takes some 10 ms and the packed weights little memory.
_WORTH_CACHING_BYTES = 2 << 20
# Past four threads a step of a small decoder gains nothing on the boards' shared memory bus.
_THREADS_MAX = 4


def open_model(
    path: str | os.PathLike[str],
    *,
    offset: int = 0,
    size: int | None = None,
    engine: str = "auto",
    threads: int | None = None,
    weight_cache: WeightCache | None = None,
) -> Model:
    """Open a ``.tflite`` model, a file of its own or a part of one, which is read in place.

    Parameters
    ----------
    path : path
        The file.
    offset, size : int, optional
        The part of it that is the model, in bytes.
    engine : str
        ``litert``, ``interpreter``, or ``auto`` for the first of them that is installed and takes the model.
    threads : int, optional
        How many threads the engine works with; as many as there are processors, four at most, by default.
    weight_cache : WeightCache, optional
        Where the engine keeps packed weights between runs; only ``litert`` uses it.

    Raises
    ------
    BundleError
        The file is missing, too short, damaged or no model; it is checked before an engine sees it.
    ModelError
        No engine runs it: it needs operators that they lack, or was made for another chip.
    MissingDependency
        The engine is not installed.
    """
    if engine not in ("auto", *ENGINES):
        raise ModelError(f"There is no engine {engine!r}.", fix=f"Use one of: auto, {', '.join(ENGINES)}.")
    if threads is None:
        threads = min(len(os.sched_getaffinity(0)), _THREADS_MAX)
    region = Region.of(path, offset, size)
    description = region.describe()
    if engine == "auto":
        return _first(region, description, threads, weight_cache)
    return _open(engine, region, description, threads, weight_cache)


def _first(region: Region, description: TfliteModel, threads: int, weight_cache: WeightCache | None) -> Model:
    refused: EdgeError | None = None
    for name in ENGINES:
        try:
            return _open(name, region, description, threads, weight_cache)
        except (MissingDependency, ModelError) as error:
            logger.info("%s does not take %s: %s", name, region.name, error.why or error.what)
            # A missing engine says less than one that looked at the model.
            if refused is None or isinstance(refused, MissingDependency):
                refused = error
    assert refused is not None
    raise refused


def _open(
    engine: str, region: Region, description: TfliteModel, threads: int, weight_cache: WeightCache | None
) -> Model:
    if engine == "interpreter":
        return InterpreterModel(region, description, threads)
    if weight_cache is None or region.size < _WORTH_CACHING_BYTES:
        return LiteRtModel(region, description, threads)
    file = weight_cache.ready(region, load_library().path, lambda part: pack(region, threads, part))
    model = LiteRtModel(region, description, threads, str(file or IN_MEMORY))
    if file and model.cache_refused:
        weight_cache.discard(file)
    return model
