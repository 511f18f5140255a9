"""Read a Llama-shaped model as Hugging Face keeps it, and quantize it matrix by matrix.

Source: the names of tensors in ``modeling_llama.py`` of the library transformers; the format of safetensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.language.llama import Layer, Llama, Shape
from models.language.recipe import Recipe

__all__ = ["Checkpoint", "load_llama", "read_shape"]

_KNOWN = frozenset({"llama", "mistral"})


class Checkpoint:
    """Tensors of a folder of ``.safetensors`` files, read one by one.

    Parameters
    ----------
    folder : path
        Where ``model.safetensors`` is, or ``model-00001-of-N.safetensors`` and so on.
    """

    def __init__(self, folder: Path) -> None:
        self._tensors: dict[str, npt.NDArray[Any]] = {}
        for file in sorted(folder.glob("*.safetensors")):
            whole = np.memmap(file, np.uint8, "r")
            begin = 8 + int(whole[:8].view("<u8")[0])
            for name, about in json.loads(bytes(whole[8:begin])).items():
                if name != "__metadata__":
                    first, last = (begin + at for at in about["data_offsets"])
                    self._tensors[name] = _array(whole[first:last], about["dtype"]).reshape(about["shape"])
        if not self._tensors:
            raise SystemExit(f"{folder} has no .safetensors files.")

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def __getitem__(self, name: str) -> npt.NDArray[np.float32]:
        """Return a tensor as float32.

        Raises
        ------
        SystemExit
            It holds what is no number: the file is damaged, or the training went wrong.
        """
        array = self._tensors[name]
        if array.dtype == np.uint16:  # bfloat16: the upper half of a float32
            array = (array.astype(np.uint32) << 16).view(np.float32)
        found = array.astype(np.float32)
        if not np.isfinite(found).all():
            raise SystemExit(f"{name} holds infinity or NaN: the file is damaged, or the training went wrong.")
        return found


def _array(data: npt.NDArray[np.uint8], kind: str) -> npt.NDArray[Any]:
    return data.view({"F32": "<f4", "F16": "<f2", "BF16": "<u2"}[kind])


def read_shape(config: Mapping[str, Any]) -> Shape:
    """Read a ``config.json``.

    Raises
    ------
    SystemExit
        It is of a kind that is not known here.
    """
    kind = config.get("model_type", "llama")
    odd = any(config.get(name) for name in ("rope_scaling", "attention_bias", "mlp_bias"))
    if kind not in _KNOWN or odd or config.get("hidden_act", "silu") != "silu":
        raise SystemExit(
            f"A {kind} model with these settings is not Llama-shaped: {sorted(_KNOWN)} without biases are."
        )
    heads = config["num_attention_heads"]
    rope = config.get("rope_parameters") or config
    return Shape(
        width=config["hidden_size"],
        hidden=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=heads,
        key_heads=config.get("num_key_value_heads") or heads,
        head_width=config.get("head_dim") or config["hidden_size"] // heads,
        vocabulary=config["vocab_size"],
        rope_theta=float(rope.get("rope_theta", 10_000.0)),
        epsilon=float(config["rms_norm_eps"]),
    )


def load_llama(folder: Path, recipe: Recipe) -> Llama:
    """Read a model and quantize it, one layer in memory at a time."""
    shape, tensors = read_shape(json.loads((folder / "config.json").read_text())), Checkpoint(folder)
    layers = tuple(_layer(tensors, shape, recipe, number) for number in range(shape.layers))
    norm, table = tensors["model.norm.weight"], tensors["model.embed_tokens.weight"]
    stored = recipe.table("table", table)
    # One table serves both ends where the checkpoint ties them and the last norm changes nothing.
    tied = "lm_head.weight" not in tensors
    if tied and bool((norm == 1).all()):
        return Llama(shape, stored, layers, stored)
    head = recipe.table("head", (table if tied else tensors["lm_head.weight"]) * norm)
    return Llama(shape, stored, layers, head)


def _layer(tensors: Checkpoint, shape: Shape, recipe: Recipe, number: int) -> Layer:
    at = f"model.layers.{number}"
    before, between = (tensors[f"{at}.{name}.weight"] for name in ("input_layernorm", "post_attention_layernorm"))
    query, key, value, out = (tensors[f"{at}.self_attn.{name}_proj.weight"] for name in "qkvo")
    gate, up, down = (tensors[f"{at}.mlp.{name}_proj.weight"] for name in ("gate", "up", "down"))
    turned = np.concatenate([query * shape.head_width**-0.5, key]) * before
    return Layer(
        recipe.layer(f"turned_{number}", turned),
        recipe.value(f"value_{number}", value * before),
        recipe.layer(f"out_{number}", out),
        recipe.layer(f"gate_{number}", gate * between),
        recipe.layer(f"up_{number}", up * between),
        recipe.layer(f"down_{number}", down),
    )
