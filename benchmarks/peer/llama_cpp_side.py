"""llama.cpp through llama-cpp-python's C functions, as fast as they go: scores are read where they are."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from peer.turn import Job, Watch


def answer(job: Job) -> dict[str, Any]:
    """Answer with token numbers in and out; the prompt goes in as one batch."""
    import llama_cpp as library

    library.llama_log_set(_QUIET, ctypes.c_void_p())
    watch = Watch()
    watch.start()
    library.llama_backend_init()
    model, context = _open(library, job)
    size = library.llama_vocab_n_tokens(library.llama_model_get_vocab(model))
    load_s = watch.lap()

    def step(tokens: list[int]) -> Any:
        ids = (library.llama_token * len(tokens))(*tokens)
        if library.llama_decode(context, library.llama_batch_get_one(ids, len(tokens))):
            raise SystemExit("llama.cpp: llama_decode failed.")
        return np.ctypeslib.as_array(library.llama_get_logits_ith(context, -1), (size,))

    first = int(step(list(job.prompt)).argmax())
    question_s = watch.lap()
    watch.answer_times(load_s, question_s, len(job.prompt), question_s)
    watch.decode(job, first, lambda token: step([token]))
    found = watch.finish()
    library.llama_free(context)
    library.llama_model_free(model)
    return found


def _open(library: Any, job: Job) -> tuple[Any, Any]:
    of_model = library.llama_model_default_params()
    of_model.use_mmap, of_model.n_gpu_layers = True, 0
    model = library.llama_model_load_from_file(str(job.file).encode(), of_model)
    of_context = library.llama_context_default_params()
    of_context.n_ctx, of_context.n_batch = len(job.prompt) + job.answer, len(job.prompt)
    of_context.n_ubatch, of_context.flash_attn_type = of_context.n_batch, library.LLAMA_FLASH_ATTN_TYPE_ENABLED
    of_context.n_threads = of_context.n_threads_batch = job.threads
    of_context.no_perf = True
    context = library.llama_init_from_model(model, of_context)
    if not model or not context:
        raise SystemExit(f"llama.cpp does not open {job.file}.")
    return model, context


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def _QUIET(level: int, text: bytes, data: int | None) -> None:  # noqa: N802
    """Throw a line of its log away."""
