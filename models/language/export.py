"""Make a ``.litertlm`` bundle of a Llama-shaped model in seconds.

    python -m models.language.export FOLDER TARGET [--recipe int8] [--lengths 256,1024] [--prefill 16,128] [--verify 4]

FOLDER is as Hugging Face keeps models: ``config.json``, ``tokenizer.json``, ``*.safetensors``. Run it from the root of
the checkout; it needs litert-lm-builder and ai-edge-litert, and no framework.

For each length of cache the bundle has runs that the SDK looks for: ``cache_256_decode`` (one token),
``cache_256_prefill_128`` (so many tokens, and scores after one of them: a question's last), ``cache_256_begin_128``
(the same where nothing stands before them: it looks at no more of the caches than it fills, and takes an eighth less
time) and ``cache_256_verify_4`` (scores after each: guesses are checked in one run). Of the longest, ``decode`` and
``verify_4`` go by these names alone, and beside ``cache_1024_prefill_128`` there is ``prefill_128``, without scores:
LiteRT-LM looks for ``decode``, and takes every signature that begins with ``prefill`` for a run of that kind over the
longest cache. The longest is float32, as it wants it; the shorter ones are float16.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from models.language.bundle import pack
from models.language.checkpoint import load_llama
from models.language.graph import Graph
from models.language.llama import Llama, build_embedder, build_step
from models.language.range import check_caches
from models.language.recipe import RECIPES
from models.language.sight import PICTURE_PX, build_adapter, build_encoder
from models.language.tflite import write_tflite

__all__ = ["Plan", "export"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which signatures a bundle gets.

    Attributes
    ----------
    lengths : tuple of int
        Of caches, in tokens.
    prefill : tuple of int
        Tokens that a prompt is cut into.
    verify : tuple of int
        Tokens that are checked at once.
    scored : bool
        Have prompts' runs that give scores: LiteRT-LM makes none of these, and takes them for memory that it needs.
    """

    lengths: tuple[int, ...] = (256, 1024)
    prefill: tuple[int, ...] = (16, 128)
    verify: tuple[int, ...] = (4,)
    scored: bool = True


def export(source: Path, target: Path, recipe: str = "int8", plan: Plan | None = None, *, seeing: bool = False) -> None:
    """Write the bundle of a model.

    Parameters
    ----------
    source : Path
        Folder of the model.
    target : Path
        File to write.
    recipe : str
        One of `models.language.recipe.RECIPES`.
    plan : Plan, optional
        Which signatures it gets.
    seeing : bool
        Have it take frames, by an encoder that was never trained; its decoder then takes embeddings.

    Raises
    ------
    SystemExit
        The model is of no kind that is known here, or holds numbers that do not fit.
    """
    plan = plan or Plan()
    model = load_llama(source, RECIPES[recipe])
    if len(plan.lengths) > 1:  # the shorter ones are float16
        check_caches(model)
    graphs = {"prefill_decode": list(decoder_graphs(model, plan, embedded=seeing))}
    if seeing:
        graphs["embedder"] = [build_embedder(model)]
        graphs["vision_encoder"], graphs["vision_adapter"] = [build_encoder()], [build_adapter(model.shape.width)]
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        files = {name: Path(scratch, f"{name}.tflite") for name in graphs}
        for name, file in files.items():
            write_tflite(graphs[name], file)
        pack(files, source, target, length=max(plan.lengths), picture_px=PICTURE_PX if seeing else 0)


def decoder_graphs(model: Llama, plan: Plan, *, embedded: bool = False) -> Iterator[Graph]:
    """Make a decoder's graphs, those that LiteRT-LM looks for first."""
    for length in sorted(plan.lengths, reverse=True):
        ours, plain = f"cache_{length}_", length == max(plan.lengths)
        before = "" if plain else ours
        build = partial(build_step, model, length=length, embedded=embedded, cache="float32" if plain else "float16")
        yield build(f"{before}decode", 1, speak=True)
        for size in plan.prefill if plain or not plan.scored else ():
            yield build(f"{before}prefill_{size}", size, speak=False)
        for size in plan.prefill if plan.scored else ():
            yield build(f"{ours}prefill_{size}", size, speak=True, last=True)
        longest = max(plan.prefill, default=length)
        if plan.scored and longest < length:
            yield build(f"{ours}begin_{longest}", longest, speak=True, last=True, sees=longest)
        for size in plan.verify:
            yield build(f"{before}verify_{size}", size, speak=True)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


def main(arguments: Sequence[str] | None = None) -> None:
    """Export what the command line says."""
    usual = Plan()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="int8")
    parser.add_argument("--lengths", type=_numbers, default=usual.lengths)
    parser.add_argument("--prefill", type=_numbers, default=usual.prefill)
    parser.add_argument("--verify", type=_numbers, default=usual.verify)
    parser.add_argument(
        "--seeing", action="store_true", help="have it take frames, by an encoder that was never trained"
    )
    asked = parser.parse_args(arguments)
    plan = Plan(asked.lengths, asked.prefill, asked.verify)
    export(asked.source, asked.target, asked.recipe, plan, seeing=asked.seeing)
    print(f"{asked.target}: {asked.target.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
