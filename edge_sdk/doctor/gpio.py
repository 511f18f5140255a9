"""The check of GPIO chips: known by their labels, for their numbers depend on the kernel."""

from __future__ import annotations

from collections.abc import Iterator

from edge_sdk.doctor.finding import Finding, failure, nothing, ok
from edge_sdk.doctor.surroundings import Surroundings

__all__ = ["gpio_chips"]

_RULE = (
    """echo 'SUBSYSTEM=="gpio", GROUP="dialout", MODE="0660"' | sudo tee /etc/udev/rules.d/60-gpio.rules && """
    "sudo udevadm trigger"
)


def gpio_chips(here: Surroundings) -> Iterator[Finding]:
    """Ask every chip for its label, and look for those that the board's profile names."""
    nodes = [f"/dev/{name}" for name in here.files.names("/dev", "gpiochip[0-9]+")]
    board = here.board.profile
    labels = []
    unknown = False
    for node in nodes:
        if not here.may_use(node):
            unknown = True
            yield _locked(here, node)
            continue
        try:
            chip = here.chip(here.path(node))
        except OSError as error:
            yield failure(
                f"{node} does not answer: {error.strerror}.", "If it is on USB, plug it in again; else restart."
            )
            continue
        labels.append(chip.label)
        yield ok(f"{chip.label}: {node}, {chip.lines} lines.")
    missing = [label for label in board.gpio_chip_labels if label not in labels]
    if missing and not unknown:
        yield failure(
            f"{board.name} should have {', '.join(missing)}; found: {', '.join(labels) or 'no GPIO chip'}.",
            "Use the maker's own kernel and device tree; ls -l /sys/bus/gpio/devices shows what there is.",
        )
    elif not nodes:
        yield nothing("There is no GPIO chip.")


def _locked(here: Surroundings, node: str) -> Finding:
    if here.board.profile.id == "pc":
        return nothing(f"{node} is for root alone, as usual on PCs.")
    facts = here.path(node).stat()
    fix = _RULE if facts.st_gid == 0 else here.group_fix(node)
    return failure(f"This user may not open {node}.", fix)
