"""How much memory there is, what a bundle will take of it, and how it is made to fit."""

from edge_sdk.memory.budget import Budget, BudgetPart, board_budget, budget_of
from edge_sdk.memory.plan import Moment, Plan, SectionPlan, Step
from edge_sdk.memory.planner import engine_threads, plan_for

__all__ = [
    "Budget",
    "BudgetPart",
    "Moment",
    "Plan",
    "SectionPlan",
    "Step",
    "board_budget",
    "budget_of",
    "engine_threads",
    "plan_for",
]
