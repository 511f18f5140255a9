"""Run models: one small interface, and the engines behind it."""

from edge_sdk.runtime.engine import ENGINES, open_model
from edge_sdk.runtime.model import Array, Model, Quantization, Run, Signature, TensorSpec
from edge_sdk.runtime.weight_cache import WeightCache

__all__ = [
    "ENGINES",
    "Array",
    "Model",
    "Quantization",
    "Run",
    "Signature",
    "TensorSpec",
    "WeightCache",
    "open_model",
]
