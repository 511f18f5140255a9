"""Parts that can run a model, and whether a TFLite engine reaches them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CPU", "EDGE_TPU", "Accelerator", "unreachable_gpu"]


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A part that could run a model, and whether a TFLite engine can reach it.

    Attributes
    ----------
    delegate : str or None
        How the engine reaches it (``cpu``, ``teflon``, ``edgetpu``); None says that it cannot.
    built_in : bool
        On the board itself, rather than on a plug.
    note : str
        A sentence for the user: what it needs, or why it is out of reach.
    """

    name: str
    delegate: str | None
    built_in: bool
    note: str


CPU = Accelerator("CPU", "cpu", True, "The engine's own CPU kernels (XNNPACK); nothing to install.")
EDGE_TPU = Accelerator(
    "Coral Edge TPU",
    "edgetpu",
    False,
    "On USB or PCIe; needs a community build of libedgetpu and a model compiled for it.",
)


def unreachable_gpu(name: str) -> Accelerator:
    """Say why the GPU of most boards stays idle."""
    return Accelerator(
        name,
        None,
        True,
        "Not reachable: the engine has only a WebGPU plug-in for it, which does not check what the CPU can do and is "
        "not loaded.",
    )
