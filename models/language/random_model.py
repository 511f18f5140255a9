"""Models that were never trained: a known shape, random weights (they mean nothing, and take as long as good ones)."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

__all__ = ["SEED", "SHAPES", "train_tokenizer", "write_model"]

SEED = 7
END = "<|endoftext|>"
_SMOL = {"vocab_size": 49152, "rope_theta": 100000.0, "max_position_embeddings": 8192}
# Source: config.json of HuggingFaceTB/SmolLM2-135M, SmolLM2-360M and Qwen/Qwen2.5-1.5B (that one without its biases).
SHAPES: dict[str, dict[str, Any]] = {
    "135m": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        **_SMOL,
    },
    "360m": {
        "hidden_size": 960,
        "intermediate_size": 2560,
        "num_hidden_layers": 32,
        "num_attention_heads": 15,
        "num_key_value_heads": 5,
        **_SMOL,
    },
    "1500m": {
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_hidden_layers": 28,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
        "vocab_size": 151936,
        "rope_theta": 1000000.0,
        "max_position_embeddings": 32768,
    },
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 160,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 2048,
        "rope_theta": 10000.0,
        "max_position_embeddings": 2048,
    },
}


def write_model(shape: dict[str, Any], folder: Path, specials: tuple[str, ...] = ()) -> None:
    """Write an untrained Llama model and a tokenizer of the same vocabulary, as Hugging Face files.

    Parameters
    ----------
    shape : dict
        What ``config.json`` says of sizes; one of `SHAPES`.
    folder : Path
        Where to; the same weights come each time.
    specials : tuple of str
        Tokens of their own beside the one that ends a text.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(SEED)
    config = LlamaConfig(**shape, tie_word_embeddings=True, rms_norm_eps=1e-5, bos_token_id=0, eos_token_id=0)
    LlamaForCausalLM(config).eval().save_pretrained(folder)
    tokenizer = train_tokenizer(shape["vocab_size"], (END, *specials))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=END, eos_token=END).save_pretrained(folder)


def train_tokenizer(size: int, specials: tuple[str, ...] = (END,)) -> Any:
    """Train byte-pair encoding on words made of random syllables: as many merges as wanted, and no download."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    chance = random.Random(SEED)
    syllables = [a + b + c for a in "bcdfghjklmnprstvwz" for b in "aeiou" for c in ("", "l", "n", "r", "s")]
    words = sorted({"".join(chance.choices(syllables, k=chance.randint(1, 4))) for _ in range(2 * size)})
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(specials),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((" ".join(words[at : at + 100]) for at in range(0, len(words), 100)), trainer)
    if tokenizer.get_vocab_size() != size:
        raise SystemExit(f"The tokenizer got {tokenizer.get_vocab_size()} tokens instead of {size}.")
    return tokenizer
