"""The check of memory: what there is against what the shipped model takes."""

from __future__ import annotations

from collections.abc import Iterator

from boards.telemetry import read_cgroup, read_memory
from edge_sdk.doctor.finding import Finding, failure, ok, warning
from edge_sdk.doctor.surroundings import Surroundings
from edge_sdk.errors import OverBudget
from edge_sdk.memory import Budget, Plan, budget_of, plan_for
from edge_sdk.runtime.interpreter import NEWER
from edge_sdk.units import format_bytes

__all__ = ["memory_free"]

_CLOSE = "Close other programs: ps -eo rss,comm --sort=-rss | head shows the largest."


def memory_free(here: Surroundings) -> Iterator[Finding]:
    """Plan the shipped model within what there is."""
    budget = budget_of(root=here.root)
    memory, group = read_memory(here.root), read_cgroup(here.root)
    # What this check itself takes is free again after it.
    free = next(part.size_bytes for part in budget.parts if part.name == "memory available")
    told = f"{format_bytes(free)} of {format_bytes(memory.total_bytes or 0)} are free"
    if group.limit_bytes is not None:
        told += f", the control group {group.path} allows {format_bytes(group.limit_bytes)}"
    told += f"; the SDK may take {format_bytes(budget.total_bytes)}"
    yield _within(budget, told)


def _within(budget: Budget, told: str) -> Finding:
    try:
        plan = plan_for("smear", budget=budget)
    except OverBudget as error:
        return failure(f"{told}: too little. {error.what}", _CLOSE)
    need = f"smear needs {format_bytes(plan.needed_bytes)}"
    given_up = [step.name for step in plan.steps if step.taken and step.name != "everything resident"]
    if plan.unfit:
        return warning(f"{told}; {need} without {_left_out(plan)}: {plan.unfit}", NEWER)
    if given_up:
        return warning(f"{told}; {need}, and gives something up for it: {', '.join(given_up)}.", _CLOSE)
    return ok(f"{told}; {need}.")


def _left_out(plan: Plan) -> str:
    return ", ".join(section.name for section in plan.sections if section.mode == "refused")
