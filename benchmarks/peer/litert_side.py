"""LiteRT's two Python interfaces as they are: the runs of the engine, and what a script must do around them.

Of smear they run encoder, adapter and the prompt's chunk, with one step where that gives no scores; text tokens are
zeros, which take as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from peer.litert_model import Array, CompiledFile, InterpreterFile, LiteRtFile
from peer.picture import as_input, read_picture
from peer.sight import encode, look
from peer.turn import Job, Watch

_PROMPT = 48  # tokens of the question with its template and picture, and room to spare


def interpreter(job: Job) -> dict[str, Any]:
    """Run LiteRT's Interpreter as it is."""
    return _answer(job, lambda: InterpreterFile(job.file, job.threads))


def compiled_model(job: Job) -> dict[str, Any]:
    """Run LiteRT's CompiledModel as it is."""
    return _answer(job, lambda: CompiledFile(job.file, job.threads, job.cache / "packed"))


def _answer(job: Job, open_file: Callable[[], LiteRtFile]) -> dict[str, Any]:
    """Feed the prompt in chunks, with a step for its last token where they give no scores, and decode.

    There is no tokenizer to load.
    """
    watch = Watch()
    watch.start()
    model = open_file()
    prefill, decode = model.fitting(len(job.prompt), job.answer)
    load_s = watch.lap()
    position = 0

    def run(signature: str, tokens: Sequence[int]) -> Any:
        nonlocal position
        found = model.run(signature, model.step_inputs(signature, tokens, position))
        position += len(tokens)
        return found.get("logits")

    fed, size, scores = job.prompt if model.scores(prefill) else job.prompt[:-1], model.size(prefill), None
    for at in range(0, len(fed), size):
        scores = run(prefill, fed[at : at + size])
    first = int((run(decode, job.prompt[-1:]) if scores is None else scores).argmax())
    question_s = watch.lap()
    watch.answer_times(load_s, question_s, len(job.prompt), question_s)
    watch.decode(job, first, lambda token: run(decode, [token]).reshape(-1))
    return watch.finish()


def interpreter_smear(job: Job) -> dict[str, Any]:
    """Run the engine's parts of an answer in LiteRT's Interpreter."""
    return _see(job, lambda path: InterpreterFile(path, job.threads))


def compiled_model_smear(job: Job) -> dict[str, Any]:
    """Run the engine's parts of an answer in LiteRT's CompiledModel."""
    return _see(job, lambda path: CompiledFile(path, job.threads, job.cache / path.stem))


def _see(job: Job, open_file: Callable[[Path], Any]) -> dict[str, Any]:
    import cv2  # noqa: F401  beforehand, as in all sides

    watch = Watch()
    watch.start()
    encoder, adapter, decoder = (open_file(job.file / f"{part}.tflite") for part in ("encoder", "adapter", "decoder"))
    prefill, decode = decoder.fitting(_PROMPT, 64)
    load_s = watch.lap()

    def see(pixels: Array) -> Array:
        (features,) = encoder.run(encoder.only(), {"images": as_input(pixels)}).values()
        return features

    def adapt(features: Array) -> None:
        adapter.run(adapter.only(), {"soft_tokens": features.reshape(adapter.shapes[adapter.only()]["soft_tokens"])})

    def speak() -> Iterator[str]:
        for signature in (prefill,) if decoder.scores(prefill) else (prefill, decode):
            decoder.run(signature, decoder.blank(signature))
        yield ""

    def ask(path: Path) -> Iterator[str]:
        adapt(see(read_picture(path)))
        yield from speak()

    look(watch, job, load_s, ask, speak)
    pixels = read_picture(job.pictures[0])
    encode(watch, lambda: see(pixels))
    return watch.finish()
