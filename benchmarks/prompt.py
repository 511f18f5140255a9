"""What is not computed twice, and what is not computed one by one: prompts and answers of a language model.

    python benchmarks/make_bundles.py 135m
    python benchmarks/prompt.py --bundle build/bundles/135m.litertlm --json OUT [--threads 2] [--turns 7] [--short]

In turns, in one process, over the same open model:

- `begins_alike`: a prompt of a head and a question. First from nothing; then another question after the same head in
  the same caches; in caches of another conversation, which copies; and in those of a new process, which finds the head
  on flash. Seconds to the scores of the first token, and each to the first.
- `chunks`: prompts of several lengths, cut by what runs cost, and as before: the largest run that the rest fills by
  half. Seconds, and rows that were computed for each token.
- `guesses`: an answer by single steps, and with guesses that are checked several at a time, where the bundle has
  signatures for that. The tokens must be the same. `natural` is whatever the model says; in `repeating` the prompt
  holds what will be said, as where an answer quotes its question: the model is asked beforehand. `drawn` tokens of an
  untrained model hardly ever repeat: what guessing costs where there is nothing to guess.
- `step`: a step with the choice of a token, and what of it is not the engine's call.

What the model says means nothing with random weights; that changes none of the times, only how often guesses are right.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from edge_sdk.bundle import Bundle, open_bundle
from edge_sdk.memory import Loader, bundle_parts
from edge_sdk.pipeline.answer import State
from edge_sdk.pipeline.chunk import Chunk
from edge_sdk.pipeline.decoder import Decoder
from edge_sdk.pipeline.generation import draw
from edge_sdk.pipeline.head import HeadFile
from edge_sdk.pipeline.kv_cache import Stage
from edge_sdk.pipeline.prefix import Kin
from edge_sdk.pipeline.settings import Settings
from edge_sdk.runtime import WeightCache

HEAD, QUESTION = 96, 12
LENGTHS = (5, 20, 40, 70, 100, 140, 190)


class Desk:
    """An open model, and decoders that know of each other or do not."""

    def __init__(self, bundle: Bundle, loader: Loader) -> None:
        self._bundle, self._loader = bundle, loader
        self.weights_bytes = bundle.section("tf_lite_prefill_decode").size
        self.words = bundle.tokenizer().vocab_size
        first = self.decoder(None)
        self.pace = first.kin.pace  # what runs cost is learned once, as in a process that goes on
        first.close()

    def decoder(self, kin: Kin | None) -> Decoder:
        """Give a decoder; without kin one that shares nothing but what runs cost."""
        if kin is None and hasattr(self, "pace"):
            kin = self.kin()
        return Decoder(self._bundle, self._loader.acquire, None, None, kin, for_good=True)

    def kin(self, head: Path | None = None) -> Kin:
        """Give what decoders share, with a head on flash or without."""
        kin = Kin(self.weights_bytes, HeadFile(head) if head else None)
        kin.pace = self.pace
        return kin

    def tokens(self, count: int, seed: int) -> list[int]:
        """Make up a prompt."""
        return random.Random(seed).choices(range(5, self.words), k=count)


def timed(work: Callable[..., object], *arguments: object) -> float:
    """Return the seconds that something takes."""
    begin = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - begin


def begins_alike(desk: Desk, turns: int, folder: Path) -> dict[str, Any]:
    """Ask after the same head again, where it is known from different places."""
    found: dict[str, list[float]] = {"first": [], "same_caches": [], "other_caches": [], "new_process": []}
    read = 0
    for turn in range(turns + 1):
        head, path = desk.tokens(HEAD, turn), folder / f"{turn}.head"
        kin = desk.kin(path)
        one, questions = desk.decoder(kin), [desk.tokens(QUESTION, 1000 + 9 * turn + n) for n in range(4)]
        seconds = {"first": timed(one.prefill, [*head, *questions[0]])}
        kin.keep_head(head.copy, one)
        one.start()
        seconds["same_caches"] = timed(one.prefill, [*head, *questions[1]])
        other = desk.decoder(kin)
        seconds["other_caches"] = timed(other.prefill, [*head, *questions[2]])
        assert one.recalled == other.recalled == HEAD
        if (thread := kin._head_file.writing) is not None:
            thread.join()
        new = desk.decoder(desk.kin(path))
        seconds["new_process"] = timed(new.prefill, [*head, *questions[3]])
        read += new.recalled == HEAD
        for decoder in (one, other, new):
            decoder.close()
        if turn:  # the first one wakes everything
            for key, value in seconds.items():
                found[key].append(value)
    result: dict[str, Any] = {f"{key}_s": round(median(values), 6) for key, values in found.items()}
    for key in ("same_caches", "other_caches", "new_process"):
        pairs = zip(found[key], found["first"], strict=True)
        result[f"{key}_to_first"] = round(median(own / first for own, first in pairs), 3)
    return result | {"head_tokens": HEAD, "question_tokens": QUESTION, "heads_read": read, "heads": turns + 1}


def chunks(desk: Desk, turns: int, lengths: tuple[int, ...]) -> list[dict[str, Any]]:
    """Run prompts cut in both ways."""
    rows = []
    for length in lengths:
        decoder = desk.decoder(None)
        found: dict[str, list[float]] = {"planned": [], "half_full": []}
        sizes = {}
        for turn in range(turns + 1):
            prompt = desk.tokens(length, turn)
            ways = {"planned": decoder._plan(length, 0), "half_full": half_full(decoder, length)}
            for way in sorted(ways, reverse=turn % 2 == 0):  # neither is always the first
                stage, plan = ways[way]
                decoder.reset()
                seconds = timed(run, decoder, stage, plan, prompt)
                sizes[way] = sum(chunk.size for chunk in plan)
                if turn:
                    found[way].append(seconds)
        decoder.close()
        row: dict[str, Any] = {"tokens": length}
        for way, values in found.items():
            row |= {f"{way}_s": round(median(values), 6), f"{way}_rows_per_token": round(sizes[way] / length, 2)}
        both = zip(found["planned"], found["half_full"], strict=True)
        rows.append(row | {"planned_to_half_full": round(median(own / other for own, other in both), 3)})
    return rows


def half_full(decoder: Decoder, left: int) -> tuple[Stage, list[Chunk]]:
    """Cut a prompt as before: the largest run that the rest fills by half."""
    stage = next(stage for stage in decoder._stages if stage.length >= left)
    names = {run.name for run in (*stage.prefills.values(), stage.decode)}
    offered = sorted((c for c in decoder.kin.pace.chunks(stage) if c.name in names), key=lambda c: -c.size)
    plan, position = [], 0
    while left > 0:
        fitting = [c for c in offered if position + c.size <= stage.length and c.size > 1]
        last = len(fitting) - 1
        chosen = next((c for n, c in enumerate(fitting) if 2 * left >= c.size or (n == last and left > 1)), offered[-1])
        plan.append(replace(chosen, count=min(chosen.size, left)))
        position, left = position + chosen.size, left - chosen.size
    return stage, plan


def run(decoder: Decoder, stage: Stage, plan: list[Chunk], prompt: list[int]) -> None:
    """Run a prompt by a plan."""
    done = 0
    for chunk in plan:
        with decoder._open(stage) as binding:
            decoder._call(binding.run(chunk.name), prompt[done : done + chunk.count])
        done += chunk.count


def answer(decoder: Decoder, prompt: list[int], count: int, **how: float) -> tuple[list[int], float, int]:
    """Give an answer, the seconds that it took after its first token, and how many tokens were guessed."""
    settings, state = Settings(max_tokens=count, **how), State(())  # type: ignore[arg-type]
    decoder.start()
    first = settings.sampler.pick(decoder.prefill(prompt))
    begin = time.perf_counter()
    for token in draw(decoder, settings, state, first):
        state.tokens.append(token)
    return state.tokens, time.perf_counter() - begin, state.timings.guessed_tokens


class Plain(Decoder):
    """A decoder that never checks several tokens at once."""

    @property
    def verifies(self) -> tuple[tuple[int, float], ...]:
        """None."""
        return ()


def guesses(desk: Desk, turns: int, count: int) -> dict[str, Any]:
    """Decode with guesses and without."""
    guessing, plain = desk.decoder(desk.kin()), desk.decoder(desk.kin())
    guessing.prefill(desk.tokens(9, 0))
    if not guessing.verifies:
        return {"skipped": "The bundle has no signatures that check several tokens."}
    plain.__class__ = Plain
    result = {}
    for name in ("natural", "repeating", "drawn"):
        found, kept = [], []
        for turn in range(turns + 1):
            prompt = desk.tokens(24, 50 + turn)
            if name == "repeating":
                prompt = [*prompt, *answer(plain, prompt, count)[0], *prompt]
            texts, seconds = [], []
            for decoder in (plain, guessing):
                how = {"temperature": 1.0, "seed": turn} if name == "drawn" else {}
                text, took, right = answer(decoder, prompt, count, **how)
                texts.append(text)
                seconds.append(took)
            assert texts[0] == texts[1], "guessing changed what is said"
            if turn:
                found.append(seconds)
                kept.append(right / count)
        result[name] = {
            "steps_tokens_per_s": round(median((count - 1) / one for one, _ in found), 1),
            "guessed_tokens_per_s": round(median((count - 1) / other for _, other in found), 1),
            "times_faster": round(median(one / other for one, other in found), 3),
            "share_guessed": round(median(kept), 3),
        }
    guessing.close()
    plain.close()
    return result


def step(desk: Desk, turns: int, count: int) -> dict[str, float]:
    """Clock steps, and the engine's call within each."""
    decoder = desk.decoder(None)
    decoder.prefill(desk.tokens(16, 3))
    decoder.step(7)
    assert decoder._binding is not None
    run = decoder._binding.step.run
    function, engine_s = run._function, 0.0

    def clocked(*arguments: object) -> int:
        nonlocal engine_s
        begin = time.perf_counter()
        status: int = function(*arguments)
        engine_s = time.perf_counter() - begin
        return status

    run._function = clocked
    found = []
    sampler = Settings().sampler
    for _ in range(turns * count):
        step_s = timed(lambda: sampler.pick(decoder.step(7)))
        decoder.rewind(1)
        found.append((step_s, engine_s))
    decoder.close()
    steps, calls = ([pair[side] for pair in found] for side in (0, 1))
    return {
        "step_s": round(median(steps), 7),
        "engine_s": round(median(calls), 7),
        "around_it_s": round(median(one - other for one, other in found), 7),
        "around_it_share": round(median((one - other) / one for one, other in found), 4),
    }


def measure(path: Path, turns: int, threads: int, *, short: bool) -> dict[str, Any]:
    """Measure all."""
    with tempfile.TemporaryDirectory() as scratch, open_bundle(path) as bundle:
        parts = bundle_parts(bundle, threads=threads, weight_cache=WeightCache(Path(scratch, "weights")))
        with Loader(parts) as loader:
            desk = Desk(bundle, loader)
            return {
                "begins_alike": begins_alike(desk, turns, Path(scratch, "heads")),
                "chunks": chunks(desk, turns, LENGTHS[1:3] if short else LENGTHS),
                "guesses": guesses(desk, turns, 16 if short else 96),
                "step": step(desk, turns, 5 if short else 20),
            }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=min(4, len(os.sched_getaffinity(0))))
    parser.add_argument("--short", action="store_true", help="one turn, to see that it runs")
    asked = parser.parse_args()
    turns = 1 if asked.short else asked.turns
    result = measure(asked.bundle, turns, asked.threads, short=asked.short)
    result |= {"bundle": asked.bundle.name, "turns": turns, "threads": asked.threads}
    text = json.dumps(result, indent=1)
    if asked.json:
        asked.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
