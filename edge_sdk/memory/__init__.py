"""How much memory there is, what a bundle will take of it, and how it is made to fit."""

from edge_sdk.memory.budget import Budget, BudgetPart, board_budget, budget_of
from edge_sdk.memory.family import best_variant
from edge_sdk.memory.guard import Guard, Relief
from edge_sdk.memory.ladder import WORDS
from edge_sdk.memory.loader import Acquire, Loader, Part
from edge_sdk.memory.outline import DECODER, HEAD, LANGUAGE, SIGHT
from edge_sdk.memory.part import bundle_parts, pack_planned, part_files
from edge_sdk.memory.plan import Moment, Plan, SectionPlan, Step
from edge_sdk.memory.planner import check_settings, engine_threads, plan_for
from edge_sdk.memory.private import private_bytes
from edge_sdk.memory.trim import trim

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
