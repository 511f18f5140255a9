"""Edge SDK: a language model by what `model.ask` runs, and smear through the public interface."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peer.sight import QUESTION, SECOND, encode, look
from peer.turn import Job, Watch


def answer(job: Job) -> dict[str, Any]:
    """Run what `model.ask` runs, with token numbers in and out, greedy."""
    return _answer(job, prepared=False)


def answer_prepared(job: Job) -> dict[str, Any]:
    """Do the same after what `model.prepare` does, which is part of loading then."""
    return _answer(job, prepared=True)


def _answer(job: Job, *, prepared: bool) -> dict[str, Any]:
    import edge_sdk as edge
    from edge_sdk.runtime import WeightCache

    load = edge.load  # imports what it needs
    watch = Watch()
    watch.start()
    with load(job.file, engine="litert", threads=job.threads, weight_cache=WeightCache(job.cache)) as model:
        # With tokenizer and template: a conversation needs them, and the others load theirs too.
        decoder = model._words().new_decoder(lambda: None)
        if prepared:
            decoder.prepare()
        load_s = watch.lap()
        first = int(decoder.prefill(job.prompt).argmax())
        question_s = watch.lap()
        watch.answer_times(load_s, question_s, len(job.prompt), question_s)
        watch.decode(job, first, decoder.step)
        return watch.finish()


def answer_smear(job: Job) -> dict[str, Any]:
    """Ask through the public interface."""
    watch = Watch()
    watch.start()
    import cv2  # noqa: F401  as all else that is imported: beforehand, though `load` and `ask` would do so
    import sentencepiece  # noqa: F401

    import edge_sdk as edge
    import edge_sdk.bundle.card
    import edge_sdk.bundle.spiece
    import edge_sdk.pipeline.vision
    from edge_sdk.runtime import WeightCache

    load, frame = edge.load, edge.Frame  # imports what they need
    watch.found["import_s"] = watch.lap()
    with load(job.file, engine="litert", threads=job.threads, weight_cache=WeightCache(job.cache)) as model:
        load_s = watch.lap()
        frames = {}

        def ask(path: Path) -> Iterator[str]:
            frames[path] = frame.open(path)
            return model.ask(QUESTION, frames[path])

        first = job.pictures[0]
        look(watch, job, load_s, ask, lambda: model.ask(SECOND, frames[first]))
        pixels = frames[first].pixels
        encode(watch, lambda: model.embed(frame.of(pixels)))  # a new frame each time: one that was seen is kept
    return watch.finish()
