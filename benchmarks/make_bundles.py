"""Make bundles to measure with: a known shape, random weights (they mean nothing, and take as long as good ones).

    python benchmarks/make_bundles.py 135m        # SmolLM2-135M's shape: about 5 minutes and 4 GB on one core
    python benchmarks/make_bundles.py 360m        # SmolLM2-360M's: thrice that
    python benchmarks/make_bundles.py tiny        # a small one for short forms: half a minute

Needs the `train` extra (pip install -e .[train]). Each bundle goes to build/bundles/NAME.litertlm and has two cache
lengths: plain `prefill_128` and `decode` for the long one, which any runtime finds, and the same for a short one
under names that LiteRT-LM 0.18 overlooks. It takes every signature that begins with `prefill` for one of the long
cache, and fails on a file with `prefill_128_cache_256` in it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

SEED = 7
PREFILL, SHORT, LONG = 128, 256, 1024
# The shapes of https://huggingface.co/HuggingFaceTB/SmolLM2-135M and SmolLM2-360M (config.json).
SHAPES: dict[str, dict[str, Any]] = {
    "135m": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "vocab_size": 49152,
        "rope_theta": 100000.0,
        "max_position_embeddings": 8192,
    },
    "360m": {
        "hidden_size": 960,
        "intermediate_size": 2560,
        "num_hidden_layers": 32,
        "num_attention_heads": 15,
        "num_key_value_heads": 5,
        "vocab_size": 49152,
        "rope_theta": 100000.0,
        "max_position_embeddings": 8192,
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


def make(name: str, folder: Path) -> Path:
    """Make one bundle and return its path."""
    target = folder / f"{name}.litertlm"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        source = Path(scratch, "source")
        write_model(SHAPES[name], source)
        print(f"{name}: exporting, which takes a while", flush=True)
        with _own_names() as export:
            export(
                str(source),
                scratch,
                prefill_lengths=[PREFILL],
                cache_lengths=[LONG, SHORT],
                cache_length=LONG,
                quantization_recipe="dynamic_wi8_afp32",
            )
        shutil.move(str(Path(scratch, "model.litertlm")), target)
    return target


def write_model(shape: dict[str, Any], folder: Path) -> None:
    """Write an untrained Llama model and a tokenizer of the same vocabulary, as Hugging Face files."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(SEED)
    config = LlamaConfig(**shape, tie_word_embeddings=True, rms_norm_eps=1e-5, bos_token_id=0, eos_token_id=0)
    LlamaForCausalLM(config).eval().save_pretrained(folder)
    end = "<|endoftext|>"
    tokenizer = train_tokenizer(shape["vocab_size"], end)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=end, eos_token=end).save_pretrained(folder)


def train_tokenizer(size: int, end: str) -> Any:
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
        special_tokens=[end],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((" ".join(words[at : at + 100]) for at in range(0, len(words), 100)), trainer)
    if tokenizer.get_vocab_size() != size:
        raise SystemExit(f"The tokenizer got {tokenizer.get_vocab_size()} tokens instead of {size}.")
    return tokenizer


def _stand_in_for_tensorflow() -> None:
    """Give litert-torch 0.10.0 the module that it looks for in TensorFlow; ai-edge-litert has the same one."""
    from ai_edge_litert import schema_py_generated

    for name in ("tensorflow", "tensorflow.lite", "tensorflow.lite.python"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []  # type: ignore[attr-defined]
    sys.modules["tensorflow.lite.python"].schema_py_generated = schema_py_generated  # type: ignore[attr-defined]


@contextmanager
def _own_names() -> Iterator[Any]:
    """Give the exporter, with signatures named as told at the top of this file."""
    from litert_torch.generative.export_hf.core import export_lib
    from litert_torch.generative.export_hf.export import export

    converter = export_lib.converter_utils.Converter
    add = converter.add_signature

    def add_renamed(self: Any, name: str, *arguments: Any, **options: Any) -> Any:
        base, _, length = name.partition("_cache_")
        return add(self, base if int(length) == LONG else f"cache_{length}_{base}", *arguments, **options)

    with mock.patch.object(converter, "add_signature", add_renamed):
        yield export


def main() -> None:
    """Make the bundles that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=SHAPES, metavar="NAME", help=f"one of: {', '.join(SHAPES)}")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "build" / "bundles")
    asked = parser.parse_args()
    try:
        import litert_torch  # noqa: F401
    except ImportError:
        raise SystemExit("litert-torch is not installed: pip install -e '.[train]'") from None
    _stand_in_for_tensorflow()
    for name in asked.names:
        target = make(name, asked.out)
        print(f"{target}: {target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
