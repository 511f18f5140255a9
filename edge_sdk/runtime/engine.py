"""Open a model in one of the engines."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from boards.topology import big_processors
from edge_sdk.bundle.tflite import TfliteModel
from edge_sdk.errors import EdgeError, MissingDependency, ModelError
from edge_sdk.late import Late, LateLogger
from edge_sdk.runtime.litert import LiteRtModel
from edge_sdk.runtime.litert_library import load_library
from edge_sdk.runtime.model import CPU, Model
from edge_sdk.runtime.packing import IN_MEMORY, pack
from edge_sdk.runtime.region import Region
from edge_sdk.runtime.weight_cache import WeightCache

if TYPE_CHECKING:
    from boards import detection
    from edge_sdk.runtime import delegate as delegates
    from edge_sdk.runtime import delegate_check, interpreter
    from edge_sdk.runtime.delegate_finding import DelegateFinding
else:  # what a model in LiteRT on the CPU does without
    detection = Late("boards.detection")
    delegates, delegate_check = Late("edge_sdk.runtime.delegate"), Late("edge_sdk.runtime.delegate_check")
    interpreter = Late("edge_sdk.runtime.interpreter")

__all__ = ["ENGINES", "is_packed", "open_model", "pack_weights"]

logger = LateLogger(__name__)
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
    delegate: str | Sequence[str] = CPU,
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
        How many threads the engine works with; as many as there are strong cores, four at most, by default.
    weight_cache : WeightCache, optional
        Where the engine keeps packed weights between runs; only ``litert`` uses it. What is found out about
        delegates is kept there, too.
    delegate : str or sequence of str
        What runs the operators that it takes: ``cpu``; ``teflon``, ``edgetpu`` or the path of a delegate's
        library, which is used or an error says why not; a sequence of them, or ``auto`` for those of this
        board, for the first that is of use. One that is not the CPU is tried beforehand, in a process of its
        own, and must agree with the CPU.

    Raises
    ------
    BundleError
        The file is missing, too short, damaged or no model; it is checked before an engine sees it.
    ModelError
        No engine runs it: it needs operators that they lack, or was made for another chip; or the delegate
        that was asked for does not.
    MissingDependency
        The engine is not installed.
    """
    if engine not in ("auto", *ENGINES):
        raise ModelError(f"There is no engine {engine!r}.", fix=f"Use one of: auto, {', '.join(ENGINES)}.")
    if threads is None:
        threads = min(len(big_processors()), _THREADS_MAX)
    region = Region.of(path, offset, size)
    description = region.describe()
    if delegate != CPU:
        if engine == "litert":
            raise ModelError("Only the engine 'interpreter' takes delegates.", fix="Leave the choice to engine='auto'.")
        model = _delegated(delegate, region, description, threads, weight_cache)
        if model:
            return model
    if engine == "auto":
        return _first(region, description, threads, weight_cache)
    return _open(engine, region, description, threads, weight_cache)


def pack_weights(path: str | os.PathLike[str], offset: int, size: int, threads: int, weight_cache: WeightCache) -> bool:
    """Have the weight cache ready for a model that `open_model` will open with it, without opening it.

    A process of its own does so, whose memory is gone before the model's is taken. Small models have none.

    Returns
    -------
    bool
        False where the weights could not be kept, so that opening it would pack them into memory.

    Raises
    ------
    BundleError
        The file is missing, damaged or no model.
    ModelError
        The engine does not take it.
    """
    region = Region.of(path, offset, size)
    region.describe()
    return region.size < _WORTH_CACHING_BYTES or _packed(region, threads, weight_cache) is not None


def is_packed(path: str | os.PathLike[str], offset: int, size: int, weight_cache: WeightCache) -> bool:
    """Say whether a model's packed weights are known to be kept; small models have none. Nothing is read of it."""
    region = Region.of(path, offset, size)
    return region.size < _WORTH_CACHING_BYTES or weight_cache.find(region, load_library().path) is not None


def _packed(region: Region, threads: int, weight_cache: WeightCache) -> Path | None:
    """Return the file with a model's packed weights, made if need be; None where there is to be none."""
    return weight_cache.ready(region, load_library().path, lambda part: pack(region, threads, part))


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


def _delegated(
    wanted: str | Sequence[str],
    region: Region,
    description: TfliteModel,
    threads: int,
    weight_cache: WeightCache | None,
) -> Model | None:
    """Go down the ladder; ``None`` where it ends at the CPU."""
    asked = isinstance(wanted, str) and wanted != "auto"
    rungs = [wanted] if isinstance(wanted, str) else wanted
    if wanted == "auto":
        rungs = delegates.ladder(detection.detect().profile.accelerators)
    folder = weight_cache.folder if weight_cache else None
    for rung in rungs:
        if rung == CPU:
            break
        # One that takes nothing leaves all to the CPU, which the main engine uses better.
        model, finding = delegate_check.open_delegated(
            delegates.find_delegate(rung), region, description, threads, folder, idle=asked
        )
        if model:
            return model
        if asked:
            raise _not_used(finding)
    return None


def _not_used(finding: DelegateFinding) -> ModelError:
    return ModelError(
        f"The delegate {finding.delegate} is not used for {finding.model}.",
        why=finding.reason,
        fix=finding.fix or "Use delegate='cpu', or 'auto' for the best that works.",
    )


def _open(
    engine: str, region: Region, description: TfliteModel, threads: int, weight_cache: WeightCache | None
) -> Model:
    if engine == "interpreter":
        return interpreter.InterpreterModel(region, description, threads)
    if weight_cache is None or region.size < _WORTH_CACHING_BYTES:
        return LiteRtModel(region, description, threads)
    file = _packed(region, threads, weight_cache)
    model = LiteRtModel(region, description, threads, str(file or IN_MEMORY))
    if file and model.cache_refused:
        weight_cache.discard(file)
    return model
