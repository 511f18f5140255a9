"""What a bundle says about its language model: tokens, templates, sampling, pictures, and the caches.

Source: the messages LlmMetadata, LlmModelType and ExecutorMetadata of LiteRT-LM 0.18 (field numbers).
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_sdk.bundle.special import Token, read_token
from edge_sdk.bundle.vision import Vision, read_vision
from edge_sdk.bundle.wire import Message

__all__ = [
    "Affix",
    "ExecutorMetadata",
    "LlmMetadata",
    "Sampler",
    "StateBuffer",
    "read_executor_metadata",
    "read_llm_metadata",
]

# Field number in LlmModelType -> name; the numbers are those of the oneof ``model_type``.
_MODEL_TYPES = {
    1: "generic_model",
    2: "gemma3n",
    3: "function_gemma",
    4: "gemma3",
    5: "qwen3",
    7: "qwen2p5",
    8: "gemma4",
    9: "fast_vlm",
    11: "lfm2",
    12: "minicpm5",
    13: "minicpmv4",
}
_SAMPLERS = {0: "unspecified", 1: "top_k", 2: "top_p", 3: "greedy"}
_BUFFERS = {
    0: "unspecified",
    1: "global_key_cache",
    2: "global_value_cache",
    3: "local_key_cache",
    4: "local_value_cache",
    5: "linear_attention",
}


@dataclass(frozen=True, slots=True)
class Affix:
    """What stands before and behind the words of one side of a conversation."""

    prefix: str = ""
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Sampler:
    """How the publisher wants tokens drawn; ``kind`` is unspecified, top_k, top_p or greedy."""

    kind: str
    k: int
    p: float
    temperature: float
    seed: int | None


@dataclass(frozen=True, slots=True)
class LlmMetadata:
    """What a bundle says about its language model; everything may be missing."""

    model_type: str = ""
    start_token: Token | None = None
    stop_tokens: tuple[Token, ...] = ()
    pad_token: Token | None = None
    user: Affix = Affix()
    model: Affix = Affix()
    system: Affix = Affix()
    jinja_template: str | None = None
    sampler: Sampler | None = None
    max_num_tokens: int = 0
    suppress_tokens: tuple[int, ...] = ()
    cache_init_value: int = 0
    vision: Vision | None = None


@dataclass(frozen=True, slots=True)
class StateBuffer:
    """A cache: its names in the signatures, and the axis along which it grows (``None``: it does not)."""

    prefill_input: str
    prefill_output: str
    decode_input: str
    decode_output: str
    kind: str
    sequence_axis: int | None
    sequence_max: int | None


@dataclass(frozen=True, slots=True)
class ExecutorMetadata:
    """How the language model is to be run: its caches, and how far attention looks back."""

    max_history: int
    buffers: tuple[StateBuffer, ...]
    sliding_window: int | None


def read_llm_metadata(view: memoryview, name: str) -> LlmMetadata:
    """Read an LlmMetadata message.

    Raises
    ------
    BundleError
        The bytes are no such message.
    """
    message = Message(view, name)
    templates = message.message(3)
    suppressed = message.message(9)
    kinds = message.message(6)
    number = next((number for number in _MODEL_TYPES if kinds and kinds.has(number)), 0)
    model_type = _MODEL_TYPES.get(number, "")
    inner = kinds.message(number) if kinds and number else None
    return LlmMetadata(
        model_type=model_type,
        start_token=read_token(message.message(1)),
        stop_tokens=tuple(token for item in message.messages(2) if (token := read_token(item))),
        pad_token=read_token(message.message(13)),
        user=_affix(templates, 1),
        model=_affix(templates, 2),
        system=_affix(templates, 3),
        jinja_template=message.text(7) if message.has(7) else None,
        sampler=_sampler(message.message(4)),
        max_num_tokens=message.integer(5),
        suppress_tokens=suppressed.integers(1) if suppressed else (),
        cache_init_value=message.integer(10),
        vision=read_vision(inner, model_type, name) if inner else None,
    )


def read_executor_metadata(view: memoryview, name: str) -> ExecutorMetadata | None:
    """Read an ExecutorMetadata message; ``None`` where it says nothing of a language model.

    Raises
    ------
    BundleError
        The bytes are no such message.
    """
    message = Message(view, name).message(1)
    if message is None:
        return None
    attention = message.message(3)
    return ExecutorMetadata(
        max_history=message.integer(1),
        buffers=tuple(_state_buffer(item) for item in message.messages(2)),
        sliding_window=attention.integer(3) if attention and attention.has(3) else None,
    )


def _state_buffer(message: Message) -> StateBuffer:
    return StateBuffer(
        prefill_input=message.text(1),
        prefill_output=message.text(2),
        decode_input=message.text(3),
        decode_output=message.text(4),
        kind=_BUFFERS.get(message.integer(6), f"unknown {message.integer(6)}"),
        sequence_axis=message.integer(7) if message.has(7) else None,
        sequence_max=message.integer(9) if message.has(9) else None,
    )


def _affix(templates: Message | None, number: int) -> Affix:
    message = templates.message(number) if templates else None
    return Affix(message.text(1), message.text(2)) if message else Affix()


def _sampler(message: Message | None) -> Sampler | None:
    if message is None:
        return None
    return Sampler(
        kind=_SAMPLERS.get(message.integer(1), "unspecified"),
        k=message.integer(2),
        p=message.real(3),
        temperature=message.real(4),
        seed=message.integer(5) if message.has(5) else None,
    )
