"""Convert the mapping network and the decoder to TensorFlow Lite, and make them INT8."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import litert_torch
import torch
from ai_edge_quantizer import quantizer, recipe
from language import Decoder
from tokenizer import CACHE_LENGTH
from torch import Tensor, nn
from vision import FEATURES, GRID

# One run takes a frame's tokens with a question; the short one takes what comes later in a conversation.
PREFILL_LENGTHS = (16, 64)


class Step(nn.Module):
    """One signature of the decoder: caches go in and come out under the same names."""

    def __init__(self, decoder: Decoder, *, speak: bool) -> None:
        super().__init__()
        self.decoder, self.speak = decoder, speak

    def forward(
        self,
        embeddings: Tensor,
        input_pos: Tensor,
        mask: Tensor,
        last_row: Tensor | None = None,
        **caches: Tensor,
    ) -> dict[str, Tensor]:
        return self.decoder.step(embeddings, input_pos, mask, caches, speak=self.speak, last_row=last_row)


class Embedder(nn.Module):
    """Look a token's embedding up."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.table = decoder.embedding

    def forward(self, token_ids: Tensor) -> dict[str, Tensor]:
        return {"embeddings": self.table(token_ids)}


def export_decoder(
    decoder: Decoder,
    path: Path,
    prefills: Sequence[int] = PREFILL_LENGTHS,
    cache_lengths: Sequence[int] = (CACHE_LENGTH,),
) -> None:
    """Write the decoder: for each length of the cache a signature to decode, and one per prefill length.

    Those for prompts score what may follow one token. Of the longest cache there are also those that do not, and have
    plain names like its `decode`: LiteRT-LM looks for these, and passes over the others.
    """
    converter = None
    for cache_length in cache_lengths:
        ours, longest = f"cache_{cache_length}_", cache_length == max(cache_lengths)
        runs = [(f"prefill_{n}", n, False, False) for n in prefills if longest]
        runs += [(f"{ours}prefill_{n}", n, True, True) for n in prefills]
        runs += [("decode" if longest else f"{ours}decode", 1, True, False)]
        for name, length, speak, last in runs:
            module = Step(decoder, speak=speak).eval()
            add = litert_torch.signature if converter is None else converter.signature
            inputs = _inputs(decoder, length, cache_length)
            if last:
                inputs["last_row"] = torch.zeros(1, 1, length)
            converter = add(name, module, sample_kwargs=inputs)
    converter.convert(strict_export=False).export(str(path))


def _inputs(decoder: Decoder, length: int, cache_length: int) -> dict[str, Tensor]:
    shape = decoder.shape
    inputs = {
        "embeddings": torch.zeros(1, length, shape.width),
        "input_pos": torch.arange(length, dtype=torch.int32),
        "mask": torch.zeros(1, 1, length, cache_length),
    }
    for i in range(shape.layers):
        inputs[f"kv_cache_k_{i}"] = torch.zeros(1, shape.heads, cache_length, shape.head_width)
        inputs[f"kv_cache_v_{i}"] = torch.zeros(1, shape.heads, shape.head_width, cache_length)
    return inputs


def export_embedder(decoder: Decoder, path: Path) -> None:
    """Write the table of embeddings."""
    inputs = {"token_ids": torch.zeros(1, 1, dtype=torch.int32)}
    litert_torch.signature("embedder", Embedder(decoder).eval(), sample_kwargs=inputs).convert().export(str(path))


def export_adapter(adapter: nn.Module, path: Path, side: int = GRID) -> None:
    """Write the mapping network, for features of ``side`` by ``side`` places."""
    inputs = {"soft_tokens": torch.rand(1, side * side, FEATURES)}
    litert_torch.signature("vision_adapter", adapter.eval(), sample_kwargs=inputs).convert().export(str(path))


def make_int8(source: Path, target: Path) -> None:
    """Quantize weights to INT8; activations are quantized as they come."""
    tool = quantizer.Quantizer(str(source))
    tool.load_quantization_recipe(recipe.dynamic_wi8_afp32())
    cast(quantizer.QuantizationResult, tool.quantize()).export_model(str(target), overwrite=True)
