"""LiteRT-LM: a language model by its own benchmark, and smear by a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peer.sight import QUESTION, SECOND, look
from peer.turn import Job, Watch


def answer(job: Job) -> dict[str, Any]:
    """Run LiteRT-LM's own benchmark, which takes made-up tokens, and quote its own counters."""
    import litert_lm as library

    library.set_min_log_severity(library.LogSeverity.ERROR)
    watch = Watch()
    told = library.Benchmark(
        str(job.file),
        backend=library.Backend.CPU(thread_count=job.threads),
        prefill_tokens=len(job.prompt),
        decode_tokens=job.answer,
        cache_dir=str(job.cache),
    )
    found = told.run()
    watch.found = {
        "load_s": found.init_time_in_second,
        "question_s": found.time_to_first_token_in_second,
        "open_s": found.init_time_in_second + found.time_to_first_token_in_second,
        "prefill_tokens_per_s": found.last_prefill_tokens_per_second,
        "decode_tokens_per_s": found.last_decode_tokens_per_second,
    }
    return watch.finish()


def answer_smear(job: Job) -> dict[str, Any]:
    """Ask LiteRT-LM; the second question goes into the same conversation, where it has the picture already."""
    watch = Watch()
    watch.start()
    import litert_lm as library

    watch.found["import_s"] = watch.lap()
    library.set_min_log_severity(library.LogSeverity.ERROR)
    cpu = library.Backend.CPU(thread_count=job.threads)
    greedy = library.SamplerConfig(top_k=1, top_p=1.0, temperature=1.0)
    watch.start()
    engine = library.Engine(str(job.file), backend=cpu, vision_backend=cpu, cache_dir=str(job.cache))
    load_s = watch.lap()
    talks = []

    def ask(path: Path) -> Iterator[str]:
        talks.append(engine.create_conversation(sampler_config=greedy))
        return map(_text, talks[-1].send_message_async(_message(QUESTION, path)))

    look(watch, job, load_s, ask, lambda: map(_text, talks[0].send_message_async(_message(SECOND))))
    return watch.finish()


def _message(text: str, picture: Path | None = None) -> dict[str, Any]:
    parts: list[dict[str, str]] = [{"type": "image", "path": str(picture)}] if picture else []
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}


def _text(message: Any) -> str:
    return "".join(part.get("text", "") for part in message["content"])
