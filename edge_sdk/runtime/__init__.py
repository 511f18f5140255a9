"""Run models: one small interface, and the engines behind it.

Names are loaded on first use: a model on the CPU does not pay for delegates.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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

_NAMES = {
    "delegate": ("DELEGATES", "ladder"),
    "delegate_finding": ("DelegateFinding", "delegate_findings"),
    "engine": ("ENGINES", "is_packed", "open_model", "pack_weights"),
    "model": ("Array", "Model", "Quantization", "Run", "Signature", "TensorSpec", "aligned"),
    "weight_cache": ("WeightCache",),
}
_HOME = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'edge_sdk.runtime' has no attribute {name!r}")
    value = getattr(import_module(f"edge_sdk.runtime.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
