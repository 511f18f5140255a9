"""The scripts of models/language are a package of the checkout, which is not installed."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

_WIDTH, _HIDDEN, _LAYERS, _WORDS = 64, 128, 2, 48


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Give the folder of a small model with random weights, as Hugging Face keeps it, less the tokenizer."""
    said = {"hidden_size": _WIDTH, "intermediate_size": _HIDDEN, "num_hidden_layers": _LAYERS, "vocab_size": _WORDS}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5}
    (tmp_path / "config.json").write_text(json.dumps(said | heads))
    chance, about, data = np.random.default_rng(8), {}, b""
    for name, size in _sizes().items():
        begin = len(data)
        drawn = chance.normal(1, 0.1, size) if len(size) == 1 else chance.normal(0, size[-1] ** -0.5, size)
        data += drawn.astype("<f4").tobytes()
        about[name] = {"dtype": "F32", "shape": size, "data_offsets": [begin, len(data)]}
    head = json.dumps(about).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
    return tmp_path


def _sizes() -> dict[str, tuple[int, ...]]:
    sizes: dict[str, tuple[int, ...]] = {"model.norm.weight": (_WIDTH,), "model.embed_tokens.weight": (_WORDS, _WIDTH)}
    for number in range(_LAYERS):
        at = f"model.layers.{number}"
        for name, rows in {"q": _WIDTH, "k": _WIDTH // 2, "v": _WIDTH // 2, "o": _WIDTH}.items():
            sizes[f"{at}.self_attn.{name}_proj.weight"] = (rows, _WIDTH)
        for name in ("input", "post_attention"):
            sizes[f"{at}.{name}_layernorm.weight"] = (_WIDTH,)
        for name in ("gate", "up"):
            sizes[f"{at}.mlp.{name}_proj.weight"] = (_HIDDEN, _WIDTH)
        sizes[f"{at}.mlp.down_proj.weight"] = (_WIDTH, _HIDDEN)
    return sizes
