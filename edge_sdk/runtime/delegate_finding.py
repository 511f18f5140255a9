"""What was found out about delegates: kept beside packed weights, so that a start does not check again."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["DelegateFinding", "delegate_findings", "keep", "recall"]

logger = logging.getLogger(__name__)
_FOLDER = "delegates"
_seen: dict[str, DelegateFinding] = {}  # of this process, for those who keep no files


@dataclass(frozen=True, slots=True)
class DelegateFinding:
    """What came of a delegate and a model.

    Attributes
    ----------
    delegate, model : str
        The delegate's name, and what the model is called.
    outcome : str
        ``taken``; or why not: ``missing`` (not installed), ``unfit`` (not for this graph), ``refused`` (it does
        not load here), ``wrong`` (its answer differs from the CPU's), ``crashed``, ``hung``, ``unclear``
        (the check inputs tell nothing).
    reason : str
        The same in a sentence.
    fix : str
        What to do about it; may be empty.
    operators : int or None
        How many of the model's operators it took, where that is known.
    """

    delegate: str
    model: str
    outcome: str
    reason: str
    fix: str = ""
    operators: int | None = None

    @property
    def taken(self) -> bool:
        """Whether the delegate is used."""
        return self.outcome == "taken"

    @property
    def lasting(self) -> bool:
        """Whether it holds until a file changes; a device may be plugged in, and a library installed."""
        return self.outcome in ("taken", "wrong", "crashed", "hung", "unclear")

    def __str__(self) -> str:
        return f"{self.delegate} is {'' if self.taken else 'not '}used for {self.model}: {self.reason}"


def delegate_findings(folder: str | os.PathLike[str] | None = None) -> list[DelegateFinding]:
    """Return what is known about delegates here, by delegate and model.

    Parameters
    ----------
    folder : path, optional
        Of the weight cache, where findings of other processes are kept; without it, only this process's.
    """
    found: dict[str, DelegateFinding] = {}
    if folder is not None:
        for file in sorted((Path(folder) / _FOLDER).glob("*.json")):
            kept = _read(file)
            if kept is not None:
                found[file.stem] = kept[1]
    return sorted((found | _seen).values(), key=lambda finding: (finding.delegate, finding.model))


def recall(folder: Path | None, identity: dict[str, Any]) -> DelegateFinding | None:
    """Return what was found for exactly these files and this engine, if it still holds."""
    kept = _read(folder / _FOLDER / f"{_key(identity)}.json") if folder else None
    return kept[1] if kept and kept[0] == identity and kept[1].lasting else None


def keep(folder: Path | None, identity: dict[str, Any], finding: DelegateFinding) -> None:
    """Keep a finding; where it cannot be written down, it holds for this process."""
    key = _key(identity)
    _seen[key] = finding
    if folder is None:
        return
    file = folder / _FOLDER / f"{key}.json"
    if _read(file) == (identity, finding):  # flash wears out
        return
    part = file.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps({"identity": identity, "finding": asdict(finding)}, indent=1))
        part.replace(file)
    except OSError as error:
        logger.info("The finding on %s could not be kept: %s", finding.delegate, error.strerror)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _key(identity: dict[str, Any]) -> str:
    """Name a file after the delegate and the model's place; two that meet in a name write over each other."""
    return f"{zlib.crc32(json.dumps(identity['place']).encode()):08x}"


def _read(file: Path) -> tuple[dict[str, Any], DelegateFinding] | None:
    try:
        found = json.loads(file.read_bytes())
        return found["identity"], DelegateFinding(**found["finding"])
    except (OSError, ValueError, KeyError, TypeError):  # none, cut off, or of another version
        return None
