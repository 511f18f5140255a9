"""How much memory there is, what a bundle will take of it, and how it is made to fit.

Names are loaded on first use: who loads a bundle without a plan does not pay for planning, a megabyte and 30 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_sdk.late import late_names
from edge_sdk.memory.trim import trim  # now: once its module is there, that goes by the same name

if TYPE_CHECKING:
    from edge_sdk.memory.budget import Budget, BudgetPart, board_budget, budget_of
    from edge_sdk.memory.family import best_variant
    from edge_sdk.memory.flash import measure_read_rate
    from edge_sdk.memory.guard import Guard, Relief
    from edge_sdk.memory.loader import Acquire, Loader, Part
    from edge_sdk.memory.part import bundle_parts, pack_planned, part_files
    from edge_sdk.memory.plan import Moment, Plan, SectionPlan, Step
    from edge_sdk.memory.planner import engine_threads, plan_for
    from edge_sdk.memory.private import private_bytes
    from edge_sdk.memory.section import DECODER, HEAD, LANGUAGE, SIGHT, WORDS
    from edge_sdk.memory.setting import check_settings

__all__ = [
    "DECODER",
    "HEAD",
    "LANGUAGE",
    "SIGHT",
    "WORDS",
    "Acquire",
    "Budget",
    "BudgetPart",
    "Guard",
    "Loader",
    "Moment",
    "Part",
    "Plan",
    "Relief",
    "SectionPlan",
    "Step",
    "best_variant",
    "board_budget",
    "budget_of",
    "bundle_parts",
    "check_settings",
    "engine_threads",
    "measure_read_rate",
    "pack_planned",
    "part_files",
    "plan_for",
    "private_bytes",
    "trim",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "budget": ("Budget", "BudgetPart", "board_budget", "budget_of"),
        "family": ("best_variant",),
        "flash": ("measure_read_rate",),
        "guard": ("Guard", "Relief"),
        "loader": ("Acquire", "Loader", "Part"),
        "part": ("bundle_parts", "pack_planned", "part_files"),
        "plan": ("Moment", "Plan", "SectionPlan", "Step"),
        "planner": ("engine_threads", "plan_for"),
        "private": ("private_bytes",),
        "section": ("DECODER", "HEAD", "LANGUAGE", "SIGHT", "WORDS"),
        "setting": ("check_settings",),
    },
)
