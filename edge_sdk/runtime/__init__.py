"""Run models: one small interface, and the engines behind it."""

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
