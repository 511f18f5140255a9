"""Asks LiteRT-LM, greedily, in a process of its own: JSON in on standard input, JSON out on standard output."""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def answer(engine: Any, litert_lm: Any, question: dict[str, Any]) -> dict[str, str]:
    """Ask one question in a new conversation; give the rendered prompt and the text."""
    parts = [{"type": "image", "path": path} for path in question["pictures"]]
    content = [*parts, {"type": "text", "text": question["text"]}] if parts else question["text"]
    turn = {"role": "user", "content": content}
    greedy = litert_lm.SamplerConfig(top_k=1, top_p=1.0, temperature=1.0)
    with engine.create_conversation(sampler_config=greedy, max_output_tokens=question["max_tokens"]) as talk:
        prompt = talk.render_message_to_string(turn)
        reply = talk.send_message(turn)
    return {"prompt": prompt, "text": "".join(part["text"] for part in reply["content"])}


def main() -> None:
    """Answer all questions of the request with one engine."""
    # The library logs on both streams: keep a way to the real standard output to ourselves.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import litert_lm

    litert_lm.set_min_log_severity(litert_lm.LogSeverity.ERROR)
    request = json.load(sys.stdin)
    cpu = litert_lm.Backend.CPU
    vision = {"vision_backend": cpu()} if any(q["pictures"] for q in request["questions"]) else {}
    engine = litert_lm.Engine(request["bundle"], backend=cpu(thread_count=1), cache_dir=":nocache", **vision)
    with engine:
        json.dump([answer(engine, litert_lm, question) for question in request["questions"]], out)
    out.flush()
    # Its threads sometimes outlive it and crash at exit; the answers are out.
    os._exit(0)


if __name__ == "__main__":
    main()
