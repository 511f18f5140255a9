"""What `edge_sdk.runtime.delegate_check` runs in a process of its own: a delegate, which may do anything."""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge_sdk.errors import EdgeError
from edge_sdk.runtime.agreement import TOLERANCE, check_inputs, disagreement
from edge_sdk.runtime.delegate import Delegate
from edge_sdk.runtime.interpreter import InterpreterModel
from edge_sdk.runtime.model import Array, Model
from edge_sdk.runtime.region import Region

__all__ = ["main"]


def main() -> None:
    """Compare a delegate's answers with the CPU's, and say at every step what comes next."""
    request = json.loads(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def tell(**said: object) -> None:
        os.write(request["pipe"], json.dumps(said).encode() + b"\n")

    outcome, reason, operators = _try(request, lambda step: tell(step=step))
    tell(outcome=outcome, reason=reason, operators=operators)


def _try(request: dict[str, Any], next_step: Callable[[str], None]) -> tuple[str, str, int | None]:
    name, library, options = request["delegate"]
    delegate = Delegate(name, library, tuple((key, value) for key, value in options))
    program, reference = (Region(Path(path), offset, size) for path, offset, size in request["regions"])
    try:
        with InterpreterModel(reference, reference.describe(), request["threads"]) as model:
            right = _answers(model)
    except EdgeError as error:
        return "unclear", f"The CPU has no answer to compare with: {error.why or error.what}", None
    next_step("load")
    description = program.describe()
    try:
        model = InterpreterModel(program, description, request["threads"], delegate)
        next_step("run")
        answers = _answers(model)
    except EdgeError as error:
        return "refused", f"It refused: {error.why or error.what}", None
    taken = model.operators_taken
    next_step("close")
    model.close()
    outcome, said = _compare(right, answers)
    return outcome, f"It took {taken} of {sum(description.subgraphs[0].operators.values())} operators. {said}", taken


def _answers(model: Model) -> list[list[Array]]:
    """Return for every output of every signature its values for each check input."""
    found: list[list[Array]] = []
    for name, signature in model.signatures.items():
        run = model.bind(name)
        parts = []
        for arrays in check_inputs(list(signature.inputs.values())):
            for target, array in zip(run.inputs.values(), arrays, strict=True):
                target[...] = array
            run()
            parts.append([output.copy() for output in run.outputs.values()])
        found += [list(values) for values in zip(*parts, strict=True)]
    return found


def _compare(right: Sequence[Sequence[Array]], other: Sequence[Sequence[Array]]) -> tuple[str, str]:
    if len(right) != len(other):
        return "wrong", f"It gives {len(other)} outputs, the CPU {len(right)}."
    telling = [apart for pair in zip(right, other, strict=True) if (apart := disagreement(*pair)) is not None]
    if not telling:
        return "unclear", "The CPU's answer is the same for all check inputs, which tells nothing about its own."
    worst = max(telling)
    measure = f"off by {worst:.2f} of what the CPU's changes with the input, where {TOLERANCE} is allowed"
    return ("taken", f"Its answer agrees: {measure}.") if worst <= TOLERANCE else ("wrong", f"Its answer is {measure}.")
