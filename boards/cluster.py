"""Equal cores of a processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Cluster", "common_features"]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Some equal cores; ``features`` are named as ``/proc/cpuinfo`` names them under the board's usual kernel."""

    core: str
    count: int
    features: frozenset[str]


def common_features(clusters: Sequence[Cluster]) -> frozenset[str]:
    """Name the features that every core has: a thread may run on any of them."""
    return frozenset.intersection(*(cluster.features for cluster in clusters)) if clusters else frozenset()
