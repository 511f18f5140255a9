"""What a plan says: which section is held how, what that takes at each moment, and what was given up for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from edge_sdk.errors import ModelError, OverBudget
from edge_sdk.memory.budget import Budget
from edge_sdk.memory.footprint import Footprint
from edge_sdk.memory.table import columns
from edge_sdk.memory.thread_choice import ThreadChoice
from edge_sdk.runtime.interpreter import NEWER
from edge_sdk.units import format_bytes

__all__ = ["MODES", "Moment", "Plan", "SectionPlan", "Step"]

# resident: opened once and kept. sequential: opened for its moment and dropped after it. streamed: kept, but its
# weights are read from flash again and again. refused: never opened.
MODES = ("resident", "sequential", "streamed", "refused")
_TOLD_BYTES = 50_000  # less is not worth a place in a table


@dataclass(frozen=True, slots=True)
class SectionPlan:
    """How a section of the bundle is held in memory.

    Attributes
    ----------
    name : str
        As `Bundle.section` knows it.
    mode : str
        One of `MODES`.
    footprint : Footprint
        What it takes while it is open.
    packing_bytes : int
        What packing its weights takes, in a process that does nothing else, before anything is opened; 0 where the
        packed weights are there already or none are kept.
    """

    name: str
    mode: str
    footprint: Footprint
    packing_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Moment:
    """What the process takes at one moment of its work.

    Attributes
    ----------
    name : str
        ``load``, ``encode``, ``prefill`` or ``decode``.
    private_bytes : int
        Memory that only the process can give back.
    file_bytes : int
        Pages of files: the kernel may drop them and read them again.
    needed_bytes : int
        What must fit: the private memory and those file pages that this moment reads over and over.
    """

    name: str
    private_bytes: int
    file_bytes: int
    needed_bytes: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step of degradation that was looked at.

    Attributes
    ----------
    name : str
        What would be done.
    taken : bool
        Whether it was; one that was not either could not be, or did not help.
    cost : str
        What it costs whoever uses the bundle, or why it was not taken.
    needed_bytes : int or None
        The most that was needed with it, where that was worked out.
    """

    name: str
    taken: bool
    cost: str
    needed_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """How a bundle is run within a budget; made by `plan_for`, followed by `edge_sdk.load`.

    Attributes
    ----------
    name, variant : str
        The family, and which of its variants (``int4`` of ``smear@int4``; empty for the plain one).
    path : Path
        The variant's file.
    task : str
        What must work: ``all``, ``ask``, ``count`` or ``text``.
    sections : tuple of SectionPlan
        In the order in which they are opened.
    cache_length : int or None
        Tokens that the longest cache to be used holds; None without a language model.
    visual_tokens : int or None
        Places that a frame takes in it.
    threads : int
        Of the engine.
    thread_choice : ThreadChoice or None
        What the number of threads was chosen by, where that was measured.
    weight_cache : bool
        Whether packed weights are kept in files.
    moments : tuple of Moment
        In the order in which they come.
    steps : tuple of Step
        What was looked at on the way here, in the order of degradation.
    tokens_per_s : float or None
        At the best, where weights are streamed from flash; None where nothing holds decoding up.
    measured : bool
        Whether all footprints were measured; else they are worked out from the file's headers.
    carried : bool
        They were measured on another machine of this kind, and came with the bundle; else on this one.
    """

    name: str
    variant: str
    path: Path
    task: str
    budget: Budget
    sections: tuple[SectionPlan, ...]
    cache_length: int | None
    visual_tokens: int | None
    engine: str
    threads: int
    weight_cache: bool
    moments: tuple[Moment, ...]
    steps: tuple[Step, ...]
    tokens_per_s: float | None = None
    measured: bool = False
    carried: bool = False
    thread_choice: ThreadChoice | None = None

    def __str__(self) -> str:
        head = [
            f"{self.bundle} within {self.budget}: {self._source()}",
            self._settings(),
        ]
        rows = [
            (item.name, item.mode, *_amounts(item.footprint.private_bytes, item.footprint.file_bytes))
            for item in self.sections
        ]
        sections = columns(("section", "held", "private", "files"), rows)
        rows = [(item.name, *_amounts(item.private_bytes, item.file_bytes, item.needed_bytes)) for item in self.moments]
        rows.append(
            (
                "peak",
                *_amounts(self.peak_private_bytes, max(item.file_bytes for item in self.moments), self.needed_bytes),
            )
        )
        moments = columns(("moment", "private", "files", "must fit"), rows)
        steps = [f"{'+' if item.taken else '-'} {item.name}: {item.cost}" for item in self.steps]
        return "\n".join([*head, "", *sections, "", *moments, "", *steps])

    def _source(self) -> str:
        """Tell where the figures are from."""
        if not self.measured:
            return "worked out from its headers"
        return "measured where it was packed" if self.carried else "measured"

    def _settings(self) -> str:
        told = [f"{self.engine}, {self.threads} thread{'s' if self.threads > 1 else ''}"]
        if self.thread_choice:
            told[0] += f" (measured: {self.thread_choice})"
        told += [f"cache of {self.cache_length} tokens"] if self.cache_length else []
        told += [f"{self.visual_tokens} visual tokens a frame"] if self.visual_tokens else []
        told.append(
            "weight cache" + (f", to be written: {', '.join(self.to_pack)}" if self.to_pack else "")
            if self.weight_cache
            else "no weight cache"
        )
        told += [f"{self.tokens_per_s:.2g} tokens/s at the best"] if self.tokens_per_s else []
        return "; ".join(told)

    @property
    def bundle(self) -> str:
        """The name of the bundle as it may be given to `edge_sdk.load`."""
        return f"{self.name}@{self.variant}" if self.variant else self.name

    @property
    def peak_private_bytes(self) -> int:
        """The most private memory of any moment."""
        return max(moment.private_bytes for moment in self.moments)

    @property
    def peak_bytes(self) -> int:
        """The most memory, file pages included, of any moment, where the kernel has no reason to drop any."""
        return max(moment.private_bytes + moment.file_bytes for moment in self.moments)

    @property
    def needed_bytes(self) -> int:
        """The most that must fit at any moment."""
        return max(moment.needed_bytes for moment in self.moments)

    @property
    def sequential(self) -> bool:
        """Whether seeing and answering take turns in memory."""
        return any(section.mode == "sequential" for section in self.sections)

    @property
    def to_pack(self) -> tuple[str, ...]:
        """Sections whose weights are to be packed, one after the other, before anything is opened."""
        return tuple(section.name for section in self.sections if section.packing_bytes)

    @property
    def unfit(self) -> str:
        """Why the engine takes not all of it; empty where it does, and where memory is what lacks."""
        whole = self.steps[0] if self.task == "all" and self.steps else None
        return whole.cost if whole and not whole.taken and whole.needed_bytes is None else ""

    def section(self, name: str) -> SectionPlan:
        """Return how a section is held.

        Raises
        ------
        OverBudget
            The plan has no place for it.
        ModelError
            The engine does not take it.
        """
        found = next((section for section in self.sections if section.name == name), None)
        if found is None or found.mode == "refused":
            what = f"{self.bundle} runs without {name} here."
            if found and self.unfit:
                raise ModelError(what, why=self.unfit, fix=NEWER)
            left = f"It does not fit beside the rest into {self.budget}."
            unused = f"It was planned for the task {self.task!r}, which does without."
            raise OverBudget(
                what,
                why=left if found and self.task == "all" else unused,
                fix="Give it more memory, or plan for what is wanted alone: edge plan shows what fits.",
            )
        return found

    def as_json(self) -> dict[str, object]:
        """Give all of it as what JSON knows."""
        return {
            "bundle": self.bundle,
            "path": str(self.path),
            "task": self.task,
            "budget": self.budget.as_json(),
            "sections": [asdict(section) for section in self.sections],
            "cache_length": self.cache_length,
            "visual_tokens": self.visual_tokens,
            "variant": self.variant or None,
            "engine": self.engine,
            "threads": self.threads,
            "steps_s": dict(self.thread_choice.steps_s) if self.thread_choice else None,
            "weight_cache": self.weight_cache,
            "to_pack": list(self.to_pack),
            "moments": [asdict(moment) for moment in self.moments],
            "peak_private_bytes": self.peak_private_bytes,
            "peak_bytes": self.peak_bytes,
            "needed_bytes": self.needed_bytes,
            "steps": [asdict(step) for step in self.steps],
            "tokens_per_s": self.tokens_per_s,
            "measured": self.measured,
            "carried": self.carried,
        }


def _amounts(*sizes_bytes: int) -> tuple[str, ...]:
    return tuple(format_bytes(size) if size >= _TOLD_BYTES else "" for size in sizes_bytes)
