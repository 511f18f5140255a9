"""Run models: one small interface, and the engines behind it.

Names are loaded on first use: a model on the CPU does not pay for delegates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_sdk.late import late_names

if TYPE_CHECKING:
    from edge_sdk.runtime.delegate import DELEGATES, ladder
    from edge_sdk.runtime.delegate_finding import DelegateFinding, delegate_findings
    from edge_sdk.runtime.engine import ENGINES, is_packed, open_model, pack_weights
    from edge_sdk.runtime.model import Array, Model, Quantization, Run, Signature, TensorSpec, aligned
    from edge_sdk.runtime.weight_cache import WeightCache

__all__ = [
    "DELEGATES",
    "ENGINES",
    "Array",
    "DelegateFinding",
    "Model",
    "Quantization",
    "Run",
    "Signature",
    "TensorSpec",
    "WeightCache",
    "aligned",
    "delegate_findings",
    "is_packed",
    "ladder",
    "open_model",
    "pack_weights",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "delegate": ("DELEGATES", "ladder"),
        "delegate_finding": ("DelegateFinding", "delegate_findings"),
        "engine": ("ENGINES", "is_packed", "open_model", "pack_weights"),
        "model": ("Array", "Model", "Quantization", "Run", "Signature", "TensorSpec", "aligned"),
        "weight_cache": ("WeightCache",),
    },
)
