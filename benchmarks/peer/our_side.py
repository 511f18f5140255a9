"""Edge SDK: a language model by what `model.ask` runs, and smear through the public interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peer.sight import QUESTION, SECOND, encode, look
from peer.turn import Job, Watch


def answer(job: Job) -> dict[str, Any]:
    """Run what `model.ask` runs."""
    from edge_sdk.bundle import open_bundle
    from edge_sdk.memory import Loader, bundle_parts
    from edge_sdk.pipeline.decoder import Decoder
    from edge_sdk.runtime import WeightCache

    watch = Watch()
    watch.start()
    with open_bundle(job.file) as opened:
        opened.tokenizer()  # a conversation needs it; LiteRT-LM and llama.cpp load theirs too
        parts = bundle_parts(opened, threads=job.threads, weight_cache=WeightCache(job.cache))
        with Loader(parts) as loader:
            decoder = Decoder(opened, loader.acquire)
            load_s = watch.lap()
            *head, last = job.prompt
            decoder.feed(head)
            prefill_s = watch.lap()
            first = int(decoder.step(last).argmax())  # what `ask` does where it is greedy
            watch.answer_times(load_s, prefill_s, len(head), prefill_s + watch.lap())
            watch.decode(job, first, decoder.step)
            return watch.finish()


def answer_smear(job: Job) -> dict[str, Any]:
    """Ask through the public interface."""
    import edge_sdk as edge
    from edge_sdk.runtime import WeightCache

    watch = Watch()
    watch.start()
    with edge.load(job.file, engine="litert", threads=job.threads, weight_cache=WeightCache(job.cache)) as model:
        load_s = watch.lap()
        frames = {}

        def ask(path: Path) -> Iterator[str]:
            frames[path] = edge.Frame.open(path)
            return model.ask(QUESTION, frames[path])

        first = job.pictures[0]
        look(watch, job, load_s, ask, lambda: model.ask(SECOND, frames[first]))
        pixels = frames[first].pixels
        encode(watch, lambda: model.embed(edge.Frame.of(pixels)))  # a new frame each time: one that was seen is kept
    return watch.finish()
