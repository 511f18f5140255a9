"""The sections of a bundle that take memory, by what they are for, and what a bundle may be loaded for."""

from __future__ import annotations

__all__ = ["ADAPTER", "DECODER", "ENCODERS", "HEAD", "LANGUAGE", "SIGHT", "TASKS", "WORDS"]

DECODER, HEAD = "tf_lite_prefill_decode", "tf_lite_aux"
ENCODERS = ("tf_lite_pixel_encoder", "tf_lite_vision_encoder", "tflite")  # the first that is there is the one used
ADAPTER = "tf_lite_vision_adapter"
SIGHT = (*ENCODERS, ADAPTER, HEAD)
LANGUAGE = ("tf_lite_embedder", "tf_lite_per_layer_embedder", DECODER)
# Not a model, but as large as one: the tokenizer, and the process that fills in the prompt template.
WORDS = "tokenizer"
# all: whatever the bundle can. ask: questions about frames, and without. count: cells, and embeddings of frames.
# text: questions without frames.
TASKS = ("all", "ask", "count", "text")
