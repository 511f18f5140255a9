"""What the sections of real bundles take: measured where that was done, worked out from headers where not."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from boards import Profile
from edge_sdk.bundle import Bundle
from edge_sdk.bundle.row_scale import row_scaled
from edge_sdk.errors import MissingDependency
from edge_sdk.memory.family import Member
from edge_sdk.memory.footprint import (
    BASE,
    SIGHT,
    Footprint,
    cache_bytes,
    packing_footprint,
    predict,
    predict_words,
    used_graphs,
)
from edge_sdk.memory.ladder import Process, Rung
from edge_sdk.memory.measurement import Measurement, remembered
from edge_sdk.memory.section import DECODER
from edge_sdk.memory.workload import workload
from edge_sdk.runtime import ENGINES, WeightCache
from edge_sdk.runtime.interpreter import OLD_REASON, is_old
from edge_sdk.runtime.litert_library import library_path
from edge_sdk.runtime.region import Region

__all__ = ["BundleCosts"]

# Pages of libraries that are used at every step, of the 34 MB that starting touches: 5.5 MB for a count, 4.4 for an
# answer about a frame, 2.4 for one without (x86-64; pages marked as referenced in /proc/self/smaps after writing 1
# to clear_refs and doing it again); and 2 MB of the kernel's own, such as page tables, that a control group is
# charged for.
_USED_SEEING_BYTES, _USED_BYTES = 8_000_000, 4_500_000
# What a bundle says was measured of it is believed down to this share of what its headers tell, which is never too low
# and too high by half of what is taken at the most, as far as was seen.
_TRUSTED = 0.5
# 32-bit Arm: only tflite-runtime has wheels for it.
_NARROW = ("armv7l", "armv6l")
# Two frames, the one that is looked at and the one that just came, at 1280x960, as most microscope cameras give them.
_FRAME_BYTES = 2 * 1280 * 960 * 3


class BundleCosts:
    """The costs of a family's variants on this machine, or on a board that is not here.

    Parameters
    ----------
    members : sequence of Member
        The variants, open for their headers.
    threads : int
        Of the engine.
    weight_cache : WeightCache or None
        Where packed weights are kept between runs.
    board : Profile, optional
        A board that is not this machine: its weight cache is empty.
    """

    def __init__(
        self, members: Sequence[Member], threads: int, weight_cache: WeightCache | None, board: Profile | None = None
    ) -> None:
        self._bundles: dict[str, Bundle] = {member.outline.bundle: member.bundle for member in members}
        self._threads = threads
        self._cache = weight_cache
        self._board = board
        self._packing: dict[tuple[str, str], int] = {}
        self._obstacles: dict[tuple[str, tuple[str, ...]], str] = {}
        self._measurements: dict[tuple[str, str, bool], Measurement | None] = {}
        self._scaled: dict[tuple[str, str], tuple[str, ...]] = {}

    @property
    def frame_bytes(self) -> int:
        """What frames take while they are looked at."""
        return _FRAME_BYTES

    def engines(self, wanted: str) -> list[tuple[str, bool]]:
        """Give the engines that may be used, with and without a weight cache, the best first.

        Raises
        ------
        MissingDependency
            None is installed.
        """
        there = [name for name in ENGINES if wanted in ("auto", name) and self._runs(name)]
        if not there:
            raise MissingDependency(
                f"The engine {wanted} is not there." if wanted != "auto" else "No engine is installed.",
                fix="pip install 'ai-edge-litert>=2.3,<3' (64-bit) or 'tflite-runtime==2.14.0' 'numpy<2' (32-bit).",
            )
        kept = [(name, True) for name in there if name == "litert" and (self._cache or self._board)]
        return kept + [(name, False) for name in there]

    def process(self, rung: Rung) -> Process:
        """Tell what the process takes before any section is open."""
        measured = self._measurement(rung)
        base = measured.base if measured else BASE[rung.engine]
        if rung.sight:
            base += SIGHT
        used = _USED_SEEING_BYTES if rung.sight else _USED_BYTES
        return Process(base.private_bytes, base.file_bytes, used)

    def words(self, rung: Rung) -> Footprint:
        """Tell what the tokenizer and the prompt template's process take."""
        return predict_words(self._bundle(rung))

    def section(self, rung: Rung, name: str) -> Footprint:
        """Tell what a section takes on a rung."""
        return self._measured(rung, name) or self._predict(rung, name, weight_cached=rung.weight_cache)

    def caches_bytes(self, rung: Rung) -> int:
        """Tell what the key-value caches take, which stay when the decoder is dropped."""
        if DECODER not in rung.sections:
            return 0
        return cache_bytes(used_graphs(workload(self._bundle(rung), DECODER), rung.cache_length))

    def packing_bytes(self, rung: Rung, name: str) -> int:
        """Tell what packing a section takes beside the idle process; 0 where it is packed, or never will be."""
        if not rung.weight_cache or not self._packs(rung, name):
            return 0
        key = (rung.outline.bundle, name)
        if key not in self._packing:
            self._packing[key] = 0 if self._packed(rung, name) else self._packing_bytes(rung, name)
        return self._packing[key]

    def obstacle(self, rung: Rung) -> str:
        """Say why a rung's packed weights could not be kept, empty where they can or need not be."""
        if not rung.weight_cache or self._cache is None or self._board is not None:
            return ""
        key = (rung.outline.bundle, rung.sections)
        if key not in self._obstacles:
            bundle = self._bundle(rung)
            sizes = {name: bundle.section(name).size for name in rung.sections if self._packs(rung, name)}
            missing = sum(size for name, size in sizes.items() if not self._packed(rung, name))
            self._obstacles[key] = self._cache.obstacle(sum(sizes.values()), missing)
        return self._obstacles[key]

    def refusal(self, rung: Rung) -> str:
        """Say why the engine does not take all sections of a rung, empty where it does.

        What `InterpreterModel` refuses when it is opened is refused here before.
        """
        if rung.engine != "interpreter" or not (self._board.architecture in _NARROW if self._board else is_old()):
            return ""
        kinds = sorted({kind for name in rung.sections for kind in self._row_scaled(rung, name)})
        return OLD_REASON.format(", ".join(kinds)) if kinds else ""

    def measured(self, rung: Rung) -> bool:
        """Whether all of a rung was measured."""
        return all(self._measured(rung, name) for name in rung.sections)

    def carried(self, rung: Rung) -> bool:
        """Whether what was measured came with the bundle, from another machine."""
        found = self._measurement(rung)
        return found is not None and found.carried

    def _row_scaled(self, rung: Rung, name: str) -> tuple[str, ...]:
        key = (rung.outline.bundle, name)
        if key not in self._scaled:
            bundle = self._bundle(rung)
            bundle.model(name)  # checks it
            section = bundle.section(name)
            self._scaled[key] = row_scaled(bundle.view(section), bundle.label(section))
        return self._scaled[key]

    def _packs(self, rung: Rung, name: str) -> bool:
        """Say whether a section has weights that a cache file keeps out of private memory."""
        cached, plain = (self._predict(rung, name, weight_cached=kept) for kept in (True, False))
        return cached != plain

    def _measured(self, rung: Rung, name: str) -> Footprint | None:
        measurement = self._measurement(rung)
        found = measurement.footprint(self._bundle(rung), name, cache_length=rung.cache_length) if measurement else None
        if found is None or measurement is None or not measurement.carried:
            return found
        told = self._predict(rung, name, weight_cached=rung.weight_cache)
        return Footprint(*(max(getattr(found, key), int(_TRUSTED * getattr(told, key))) for key in Footprint.__slots__))

    def _measurement(self, rung: Rung) -> Measurement | None:
        """Return what was measured of a variant in the same circumstances; nothing was for a board not here."""
        if self._board is not None:
            return None
        key = (rung.outline.bundle, rung.engine, rung.weight_cache)
        if key not in self._measurements:
            self._measurements[key] = remembered(
                self._bundle(rung),
                engine=rung.engine,
                threads=self._threads,
                weight_cache=self._cache,
                weight_cached=rung.weight_cache,
            )
        return self._measurements[key]

    def _bundle(self, rung: Rung) -> Bundle:
        return self._bundles[rung.outline.bundle]

    def _predict(self, rung: Rung, name: str, *, weight_cached: bool) -> Footprint:
        return predict(
            self._bundle(rung),
            name,
            engine=rung.engine,
            threads=self._threads,
            weight_cached=weight_cached,
            cache_length=rung.cache_length,
        )

    def _packing_bytes(self, rung: Rung, name: str) -> int:
        found = packing_footprint(self._bundle(rung), name, threads=self._threads)
        return max(found.load_private_bytes, found.private_bytes) + _USED_BYTES

    def _packed(self, rung: Rung, name: str) -> bool:
        """Say whether packed weights are known to lie in the cache; nothing is hashed to find out."""
        if self._cache is None or self._board is not None:
            return False
        bundle = self._bundle(rung)
        section = bundle.section(name)
        return self._cache.find(Region.of(bundle.path, section.offset, section.size), library_path()) is not None

    def _runs(self, engine: str) -> bool:
        if self._board is not None:
            return engine == "interpreter" or self._board.architecture not in _NARROW
        packages = ("ai_edge_litert",) if engine == "litert" else ("tflite_runtime", "ai_edge_litert")
        return any(importlib.util.find_spec(package) for package in packages)
