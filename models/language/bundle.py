"""Pack a language model's sections into one ``.litertlm`` file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litert_lm_builder import litertlm_builder as builder
from litert_lm_builder.runtime.proto import executor_metadata_pb2, llm_metadata_pb2

from edge_sdk.bundle.byte_pair import SECTION
from models.language.vocabulary import tables

__all__ = ["IMAGE", "executor_metadata", "pack", "take_pictures"]

IMAGE = "<image>"
# For a model that takes frames and has no template of its own.
_SEEING = (
    "{%- for message in messages -%}{%- if message.content is string -%}{{ message.content }}{%- else -%}"
    "{%- for part in message.content -%}{%- if part.type == 'image' -%}" + IMAGE + "{%- else -%}{{ part.text }}"
    "{%- endif -%}{%- endfor -%}{%- endif -%}{%- endfor -%}"
)


def pack(
    models: Mapping[str, Path],
    source: Path,
    target: Path,
    *,
    length: int,
    picture_px: int = 0,
) -> None:
    """Write a bundle.

    Parameters
    ----------
    models : mapping of str to Path
        TensorFlow Lite files by what they are, as the builder names it: ``prefill_decode``, ``embedder``,
        ``vision_encoder``, ``vision_adapter``.
    source : Path
        Folder with ``config.json``, ``tokenizer.json`` and, where there is one, ``tokenizer_config.json``.
    target : Path
        File to write.
    length : int
        The most tokens of a conversation.
    picture_px : int
        Side of the pictures that it takes; 0 where it takes none.
    """
    config = json.loads((source / "config.json").read_text())
    out = builder.LitertLmFileBuilder()
    out.add_system_metadata(builder.Metadata("Authors", "edge-sdk", builder.DType.STRING))
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        files = {name: Path(scratch, name) for name in ("llm.pb", "executor.pb")}
        files["llm.pb"].write_bytes(_llm(config, source, length, picture_px).SerializeToString())
        files["executor.pb"].write_bytes(executor_metadata(config["num_hidden_layers"], length).SerializeToString())
        out.add_llm_metadata(str(files["llm.pb"]))
        out.add_executor_metadata(str(files["executor.pb"]))
        out.add_hf_tokenizer(str(source / "tokenizer.json"))
        if content := tables(source / "tokenizer.json"):  # LiteRT-LM passes it over
            file = Path(scratch, "tokenizer.tables")
            file.write_bytes(content)
            out.add_generic_binary_data(str(file), [builder.Metadata("name", SECTION, builder.DType.STRING)])
        for name, file in models.items():
            out.add_tflite_model(str(file), builder.TfLiteModelType(f"tf_lite_{name}"))
        part = target.with_suffix(".part")
        with part.open("wb") as stream:
            out.build(stream, validate_metadata=True)
        part.replace(target)


def _llm(config: Mapping[str, Any], source: Path, length: int, picture_px: int) -> llm_metadata_pb2.LlmMetadata:
    """Say how a conversation is spelled and ends."""
    file = source / "tokenizer_config.json"
    tokens = json.loads(file.read_text()) if file.exists() else {}
    message = llm_metadata_pb2.LlmMetadata(
        max_num_tokens=length,
        supports_thinking=False,
        supports_function_calling=False,
    )
    # Without one, messages are put behind each other, which needs no process of its own.
    if template := tokens.get("chat_template") or (_SEEING if picture_px else ""):
        message.jinja_prompt_template = template
    if tokens.get("add_bos_token") and config.get("bos_token_id") is not None:
        message.start_token.token_ids.ids.append(config["bos_token_id"])
    ends = config.get("eos_token_id")
    for end in ends if isinstance(ends, list) else [] if ends is None else [ends]:
        message.stop_tokens.add().token_ids.ids.append(end)
    if picture_px:
        take_pictures(message, IMAGE, picture_px)
    else:
        message.llm_model_type.generic_model.SetInParent()
    return message


def take_pictures(message: llm_metadata_pb2.LlmMetadata, token: str, side_px: int) -> None:
    """Say that a model takes square pictures, each where this token stands."""
    model = message.llm_model_type.generic_model
    model.image_enabled = True
    model.delimiter_regex = model.image_token_regex = f"({token})"
    model.image_tensor_height = model.image_tensor_width = side_px
    model.start_of_image_token.token_str = token
    model.image_prefix = model.image_suffix = ""
    model.add_image_end = False


def executor_metadata(layers: int, length: int) -> executor_metadata_pb2.ExecutorMetadata:
    """Say which tensors are caches, and along which axis they grow."""
    message = executor_metadata_pb2.ExecutorMetadata()
    part = message.llm_executor_metadata
    part.max_history_size = length
    for layer in range(layers):
        for letter, kind, axis in (("k", "KEY", 2), ("v", "VALUE", 3)):
            name = f"kv_cache_{letter}_{layer}"
            part.state_buffers.add(
                prefill_input_name=name,
                prefill_output_name=name,
                decode_input_name=name,
                decode_output_name=name,
                type=f"TYPE_GLOBAL_{kind}_CACHE",
                sequence_axis=axis,
                maximum_sequence_length=length,
            )
    return message
