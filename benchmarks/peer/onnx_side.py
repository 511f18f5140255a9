"""ONNX Runtime: the decoder with its caches bound in place, and the encoder."""

from __future__ import annotations

from typing import Any

import numpy as np

from peer.picture import as_input, read_picture
from peer.sight import encode
from peer.turn import Job, Watch


def onnx_runtime(job: Job) -> dict[str, Any]:
    """Answer with one session whose caches are the same memory on both sides."""
    import onnxruntime as library

    watch = Watch()
    watch.start()
    session = _open(job)
    binding = session.io_binding()
    for item in session.get_inputs():
        if item.name.startswith("past_"):
            shape = [len(job.prompt) + job.answer if n == "room" else n for n in item.shape]
            cache = library.OrtValue.ortvalue_from_numpy(np.zeros(shape, np.float32))
            binding.bind_ortvalue_input(item.name, cache)
            binding.bind_ortvalue_output(item.name.replace("past_", "present_"), cache)
    logits = library.OrtValue.ortvalue_from_numpy(np.zeros([1, 1, session.get_outputs()[0].shape[-1]], np.float32))
    binding.bind_ortvalue_output("logits", logits)
    load_s = watch.lap()
    position = 0

    def step(tokens: list[int]) -> Any:
        nonlocal position
        position += len(tokens)
        binding.bind_cpu_input("input_ids", np.array([tokens], np.int64))
        binding.bind_cpu_input("seqlens_k", np.array([position - 1], np.int32))
        binding.bind_cpu_input("total_sequence_length", np.array(position, np.int32))
        session.run_with_iobinding(binding)
        return logits.numpy().reshape(-1)

    first = int(step(list(job.prompt)).argmax())
    question_s = watch.lap()
    watch.answer_times(load_s, question_s, len(job.prompt), question_s)
    watch.decode(job, first, lambda token: step([token]))
    return watch.finish()


def onnx_runtime_smear(job: Job) -> dict[str, Any]:
    """Encode with ONNX Runtime, and nothing else: there is no bundle of that kind."""
    watch = Watch()
    watch.start()
    session = _open(job)
    watch.found["load_s"] = watch.lap()
    name = session.get_inputs()[0].name
    pixels = read_picture(job.pictures[0])
    encode(watch, lambda: session.run(None, {name: as_input(pixels)}))
    return watch.finish()


def _open(job: Job) -> Any:
    """Open a graph with the threads that were asked for."""
    import onnxruntime as library

    options = library.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = job.threads, 1
    options.log_severity_level = 3
    return library.InferenceSession(str(job.file), options, providers=["CPUExecutionProvider"])
