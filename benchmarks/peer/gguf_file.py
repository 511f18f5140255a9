"""Write the shared weights as llama.cpp's files: Q8_0, and Q4_0 as llama.cpp's own quantizer mixes it.

A matrix of Q4_0 whose rows are no multiple of 256 cannot have the 6 bits that llama.cpp gives to the head; the
embeddings, which are the head too here, are Q8_0 then, in its quantizer and here.
Source: src/llama-quant.cpp, https://github.com/ggml-org/llama.cpp
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from peer.source import Source

KINDS = ("q8_0", "q4_0")

_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(source: Source, kind: str, target: Path) -> None:
    """Write one file, beside its name first."""
    import gguf

    half = target.with_suffix(".part")
    writer = gguf.GGUFWriter(half, "llama")
    _describe(writer, source, kind)
    _add_words(writer, source)
    for name, array in source.weights():
        if name == "lm_head.weight":  # tied: llama.cpp takes the embeddings
            continue
        named = gguf_name(name)
        if array.ndim == 1:
            writer.add_tensor(named, np.ascontiguousarray(array))
            continue
        if heads := _heads(name, source.config):
            array = interleave(array, heads)
        stored = gguf.GGMLQuantizationType[("q8_0" if named == "token_embd.weight" else kind).upper()]
        writer.add_tensor(named, gguf.quants.quantize(np.ascontiguousarray(array), stored), raw_dtype=stored)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    half.replace(target)


def gguf_name(name: str) -> str:
    """Return a weight's name in a GGUF file: ``model.layers.3.mlp.up_proj.weight`` is ``blk.3.ffn_up.weight``."""
    base = name.removesuffix(".weight")
    if base.startswith("model.layers."):
        number, _, part = base.removeprefix("model.layers.").partition(".")
        return f"blk.{number}.{_NAMES[part]}.weight"
    return f"{_NAMES[base]}.weight"


def interleave(rows: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Put the rows that rotary positions turn together beside each other, as llama.cpp has them.

    Parameters
    ----------
    rows : (heads * width, inputs) float32
        Of each head, the first halves of the pairs, then the second halves.
    """
    return rows.reshape(heads, 2, -1, rows.shape[-1]).swapaxes(1, 2).reshape(rows.shape)


def _heads(name: str, config: dict[str, Any]) -> int:
    if ".q_proj." in name:
        return int(config["num_attention_heads"])
    return int(config["num_key_value_heads"]) if ".k_proj." in name else 0


def _describe(writer: Any, source: Source, kind: str) -> None:
    import gguf

    config = source.config
    writer.add_name("random weights")
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(theta_of(config))
    writer.add_file_type(getattr(gguf.LlamaFileType, f"MOSTLY_{kind.upper()}"))


def theta_of(config: dict[str, Any]) -> float:
    """Return the base of the rotary positions, which moved within ``config.json`` between versions of transformers."""
    return float(config["rope_theta"] if "rope_theta" in config else config["rope_parameters"]["rope_theta"])


def _add_words(writer: Any, source: Source) -> None:
    import gguf

    tokens, merges = source.words()
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([control if word.startswith("<|") else normal for word in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(source.config["bos_token_id"])
    writer.add_eos_token_id(source.config["eos_token_id"])
    writer.add_add_bos_token(False)
