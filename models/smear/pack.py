"""Pack the sections of the smear bundle into one ``.litertlm`` file."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from data import SIDE_PX
from litert_lm_builder import litertlm_builder as builder
from litert_lm_builder.runtime.proto import llm_metadata_pb2
from pixels import take_pixels
from tokenizer import ANSWER, ASK, CACHE_LENGTH, FRAME, STOP, load_tokenizer

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from models.language.bundle import executor_metadata, take_pictures

# A frame before or behind the question: either way its tokens come first, as they did in training.
_EACH = "{%- for part in message.content -%}{%- if part.type == "
_END = "{%- endif -%}{%- endfor -%}"
_TEXTS = (
    "{%- if message.content is string -%}{{ message.content }}{%- else -%}"
    f"{_EACH}'text' -%}}{{{{ part.text }}}}{_END}"
    "{%- endif -%}"
)
TEMPLATE = (
    "{%- for message in messages -%}{%- if message.role == 'user' -%}"
    f"{ASK}{{%- if message.content is not string -%}}{_EACH}'image' -%}}{FRAME}{_END}{{%- endif -%}}{_TEXTS}"
    f"{{%- elif message.role != 'system' -%}}{ANSWER}{_TEXTS}{STOP}"
    f"{_END}"
    f"{{%- if add_generation_prompt -%}}{ANSWER}{{%- endif -%}}"
)
_PIXELS = "tf_lite_pixel_encoder"
_KINDS = {
    "encoder": builder.TfLiteModelType.VISION_ENCODER,
    "adapter": builder.TfLiteModelType.VISION_ADAPTER,
    "embedder": builder.TfLiteModelType.EMBEDDER,
    "decoder": builder.TfLiteModelType.PREFILL_DECODE,
    "head": builder.TfLiteModelType.AUX,
}


def language_metadata(tokenizer: Path, side_px: int, cache_length: int = CACHE_LENGTH) -> llm_metadata_pb2.LlmMetadata:
    """Say how a conversation is spelled, and where a frame's tokens stand."""
    pieces = load_tokenizer(tokenizer)
    message = llm_metadata_pb2.LlmMetadata(
        max_num_tokens=cache_length,
        jinja_prompt_template=TEMPLATE,
        supports_thinking=False,
        supports_function_calling=False,
    )
    message.stop_tokens.add().token_ids.ids.append(pieces.piece_to_id(STOP))
    message.pad_token.token_str = pieces.id_to_piece(pieces.pad_id())
    take_pictures(message, FRAME, side_px)
    return message


def pack(
    models: Mapping[str, Path],
    tokenizer: Path,
    layers: int,
    about: Mapping[str, object],
    target: Path,
    measured: Sequence[Mapping[str, object]] = (),
    cache_length: int = CACHE_LENGTH,
    more: Mapping[str, bytes] | None = None,
) -> None:
    """Write the bundle.

    Parameters
    ----------
    models : mapping of str to Path
        TensorFlow Lite files named encoder, adapter, embedder, decoder and head.
    tokenizer : Path
        SentencePiece model file.
    layers : int
        Layers of the decoder.
    about : mapping
        What the project adds: written as JSON into a generic section.
    target : Path
        File to write.
    measured : sequence of mapping
        What its sections were measured to take, one mapping for each engine and number of threads.
    cache_length : int
        The most tokens of a conversation.
    more : mapping of str to bytes, optional
        Other sections that LiteRT-LM passes over, by name.
    """
    out = builder.LitertLmFileBuilder()
    out.add_system_metadata(builder.Metadata("edge_sdk.format", about["format"], builder.DType.INT32))
    for key in ("name", "task", "license"):
        out.add_system_metadata(builder.Metadata(f"edge_sdk.{key}", about[key], builder.DType.STRING))
    with tempfile.TemporaryDirectory() as scratch:
        files = {name: Path(scratch) / name for name in ("llm.pb", "executor.pb")}
        files["llm.pb"].write_bytes(language_metadata(tokenizer, SIDE_PX, cache_length).SerializeToString())
        files["executor.pb"].write_bytes(executor_metadata(layers, cache_length).SerializeToString())
        out.add_llm_metadata(str(files["llm.pb"]))
        out.add_executor_metadata(str(files["executor.pb"]))
        out.add_sentencepiece_tokenizer(str(tokenizer))
        for name, kind in _KINDS.items():
            out.add_tflite_model(str(models[name]), kind)
        generic = {
            "edge_sdk": json.dumps(about, indent=1).encode(),
            "edge_sdk_memory": json.dumps(list(measured)).encode(),
            _PIXELS: take_pixels(models["encoder"].read_bytes()),
            **(more or {}),
        }
        for name, content in generic.items():
            _add_generic(out, Path(scratch) / name, content)
        with target.open("wb") as file:
            out.build(file, validate_metadata=True)


def _add_generic(out: builder.LitertLmFileBuilder, file: Path, content: bytes) -> None:
    """Add what LiteRT-LM passes over, named like its file."""
    file.write_bytes(content)
    labels = {"name": file.name, **({"channels": "BGR"} if file.name.startswith(_PIXELS) else {})}
    named = [builder.Metadata(key, value, builder.DType.STRING) for key, value in labels.items()]
    out.add_generic_binary_data(str(file), additional_metadata=named)
