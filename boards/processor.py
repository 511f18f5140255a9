"""The processor as it is: architecture, cores and features, from ``/proc/cpuinfo``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from boards.cluster import Cluster, common_features

__all__ = ["Processor", "parse_cpuinfo", "this_processor"]

# Implementer and part numbers as in util-linux' lscpu and Linux' cputype.h. Only cores of boards that we know.
CORES = {
    (0x41, 0xB76): "ARM1176",
    (0x41, 0xC07): "Cortex-A7",
    (0x41, 0xC08): "Cortex-A8",
    (0x41, 0xC0F): "Cortex-A15",
    (0x41, 0xD03): "Cortex-A53",
    (0x41, 0xD05): "Cortex-A55",
    (0x41, 0xD07): "Cortex-A57",
    (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD09): "Cortex-A73",
    (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD42): "Cortex-A78AE",
    (0x4E, 0x004): "Carmel",
}


@dataclass(frozen=True, slots=True)
class Processor:
    """What the cores of this machine can do.

    Attributes
    ----------
    architecture : str
        ``aarch64``, ``armv7l``, ``armv6l``, ``x86_64``, ``i686``, ``riscv64``, or ``unknown``. It is that of the kernel
        as this process sees it.
    clusters : tuple of Cluster
        Equal cores together, in the order of their first core.
    """

    architecture: str
    clusters: tuple[Cluster, ...]

    @property
    def cores(self) -> int:
        """Count the cores that are switched on."""
        return sum(cluster.count for cluster in self.clusters)

    @property
    def features(self) -> frozenset[str]:
        """Name the features that every core has: a thread may run on any of them."""
        return common_features(self.clusters)

    @property
    def name(self) -> str:
        """Name the cores, as in ``4 x Cortex-A76 + 4 x Cortex-A55``."""
        return " + ".join(f"{cluster.count} x {cluster.core}" for cluster in self.clusters) or "unknown"


@cache
def this_processor() -> Processor:
    """Read the processor that this process runs on, once; unknown where the kernel does not tell."""
    try:
        return parse_cpuinfo(Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return parse_cpuinfo("")


def parse_cpuinfo(text: str) -> Processor:
    """Read the text of ``/proc/cpuinfo``; whatever is missing in it stays unknown, and nothing is raised."""
    counts: dict[tuple[str, frozenset[str]], int] = {}
    architecture = "unknown"
    shared: dict[str, str] = {}
    for block in _blocks(text):
        # Old kernels give features and part once for all cores, before the first or after the last.
        if "processor" not in block or not block["processor"].isdigit():
            shared.update(block)
    for block in _blocks(text):
        if not block.get("processor", "").isdigit():
            continue
        core = {**shared, **block}
        features = _features(core)
        key = (_core_name(core), features)
        counts[key] = counts.get(key, 0) + 1
        architecture = _architecture(core, features)
    if not counts and shared:
        features = _features(shared)
        architecture = _architecture(shared, features)
        if architecture != "unknown":
            counts[(_core_name(shared), features)] = 1
    clusters = tuple(Cluster(name, count, features) for (name, features), count in counts.items())
    return Processor(architecture, clusters)


def _blocks(text: str) -> Iterator[dict[str, str]]:
    for paragraph in text.replace("\0", "").split("\n\n"):
        pairs = (line.partition(":") for line in paragraph.splitlines() if ":" in line)
        block = {key.strip(): value.strip() for key, _, value in pairs}
        if block:
            yield block


def _features(core: dict[str, str]) -> frozenset[str]:
    return frozenset((core.get("Features") or core.get("flags") or "").split())


def _core_name(core: dict[str, str]) -> str:
    part = _number(core.get("CPU part")), _number(core.get("CPU implementer"))
    known = CORES.get((part[1], part[0]))
    return known or core.get("model name") or core.get("uarch") or core.get("Processor") or "unknown core"


def _number(text: str | None) -> int:
    try:
        return int(text or "-1", 0)
    except ValueError:
        return -1


def _architecture(core: dict[str, str], features: frozenset[str]) -> str:
    if "isa" in core:
        return "riscv64" if core["isa"].startswith("rv64") else "unknown"
    if "flags" in core:
        return "x86_64" if "lm" in features else "i686"
    if "asimd" in features:
        return "aarch64"
    # "CPU architecture" says 7 even on the ARM1176, whose name says v6.
    if "(v6" in core.get("model name", "") + core.get("Processor", "") or _core_name(core) == "ARM1176":
        return "armv6l"
    return "armv7l" if _number(core.get("CPU architecture")) >= 7 else "unknown"
