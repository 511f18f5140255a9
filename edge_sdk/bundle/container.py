"""The header of a ``.litertlm`` file: versions, system metadata, and where its sections lie.

Source: schema/core/litertlm_header_schema.fbs of LiteRT-LM (field numbers), and its reader for the rest:
magic, three versions, four bytes of padding, the header's end as 64 bits, then the FlatBuffer at byte 32.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from edge_sdk.bundle.flatbuffer import FlatReader, Table
from edge_sdk.errors import BundleError

__all__ = ["MAGIC", "Header", "Section", "Value", "read_header"]

MAGIC = b"LITERTLM"
HEADER_BEGIN = 32
_MAJOR = 1
_HEADER_MAX_BYTES = 1 << 20  # sections come at 16 KiB, so headers in the wild are smaller than that
_SECTIONS_MAX = 1024
_ITEMS_MAX = 1024

Value = str | int | float | bool

KINDS = (
    "None",
    "GenericBinaryData",
    "Deprecated",
    "TFLiteModel",
    "SP_Tokenizer",
    "LlmMetadataProto",
    "HF_Tokenizer_Zlib",
    "TFLiteWeights",
    "EmbeddingMetadataProto",
    "ExecutorMetadataProto",
)
# Union member -> how its single field is read.
_VALUES = {
    1: "u8",
    2: "i8",
    3: "u16",
    4: "i16",
    5: "u32",
    6: "i32",
    7: "f32",
    8: "bool",
    9: "text",
    10: "u64",
    11: "i64",
    12: "f64",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A region of a file.

    ``name`` is the model type of a model (``tf_lite_vision_encoder``), the item ``name`` of generic data, and
    empty where there is neither.
    """

    kind: str
    name: str
    offset: int
    size: int
    items: Mapping[str, Value]

    @property
    def is_model(self) -> bool:
        """Whether it is a TFLite model; one that LiteRT-LM must pass over travels as generic data."""
        return self.kind == "TFLiteModel" or (self.kind == "GenericBinaryData" and self.name.startswith("tf_lite_"))


@dataclass(frozen=True, slots=True)
class Header:
    """What stands in front of the sections."""

    version: tuple[int, int, int]
    system: Mapping[str, Value]
    sections: tuple[Section, ...]


def read_header(view: memoryview, name: str) -> Header:
    """Read the header and check that every section lies within the file and clear of the others.

    Parameters
    ----------
    view : memoryview
        The whole file, ``(n,)`` uint8.
    name : str
        The path, for errors.

    Raises
    ------
    BundleError
        The file is no bundle, is cut off, or its header contradicts itself.
    """
    if len(view) < HEADER_BEGIN and MAGIC.startswith(bytes(view[: len(MAGIC)])):
        raise BundleError(
            f"{name} is too short for a LiteRT-LM bundle.",
            why=f"It has {len(view)} bytes; its header alone has more than {HEADER_BEGIN}.",
            fix="It was cut off: copy or download it again.",
        )
    if bytes(view[: len(MAGIC)]) != MAGIC:
        raise BundleError(
            f"{name} is no LiteRT-LM bundle.",
            why=f"It has {len(view)} bytes and begins with {bytes(view[:8])!r} instead of {MAGIC!r}.",
            fix="Give a .litertlm or .tflite file; a download that was cut off must be fetched again.",
        )
    major, minor, patch, _, end = struct.unpack_from("<IIIIQ", view, 8)
    if major != _MAJOR:
        raise BundleError(
            f"{name} is written in version {major}.{minor}.{patch} of the format.",
            why=f"Versions {_MAJOR}.x are known here.",
            fix="Update edge-sdk, or take an older export of the model.",
        )
    if not HEADER_BEGIN < end <= min(len(view), _HEADER_MAX_BYTES):
        raise FlatReader(view, name).damaged(
            f"Its header ends at byte {end}; the file has {len(view)} bytes, and {_HEADER_MAX_BYTES} are the most."
        )
    reader = FlatReader(view[HEADER_BEGIN:end], name)
    with reader.guard():
        root = reader.root()
        system, sections = root.table(0), root.table(1)
        found = tuple(_section(item, reader) for item in _few(sections, 0, _SECTIONS_MAX, reader)) if sections else ()
        header = Header((major, minor, patch), _items(system, 0, reader), found)
    _check_places(header.sections, end, len(view), reader)
    return header


def _few(table: Table, field: int, most: int, reader: FlatReader) -> list[Table]:
    count = table.count(field)
    if count > most:
        raise reader.damaged(f"Its header lists {count} entries; {most} are the most.")
    return list(table.tables(field))


def _section(table: Table, reader: FlatReader) -> Section:
    begin, end = table.integer(1, "u64"), table.integer(2, "u64")
    code = table.integer(3, "u8")
    kind = KINDS[code] if code < len(KINDS) else f"Unknown{code}"
    items = _items(table, 0, reader)
    # Writers have spelled keys and types in capitals and in small letters; LiteRT-LM takes both.
    model_type = next((str(value).lower() for key, value in items.items() if key.lower() == "model_type"), "")
    if kind in ("TFLiteModel", "TFLiteWeights"):
        name = model_type or "tf_lite_prefill_decode"  # files of version 1.1 leave it out
    else:
        name = model_type or str(items.get("name", ""))
    if not name.isprintable():  # it will be shown on terminals
        raise reader.damaged("The name of a section has control characters.")
    return Section(kind, name, begin, end - begin, items)


def _items(table: Table | None, field: int, reader: FlatReader) -> Mapping[str, Value]:
    pairs = _few(table, field, _ITEMS_MAX, reader) if table else []
    return MappingProxyType({pair.text(0): _value(pair, reader) for pair in pairs})


def _value(pair: Table, reader: FlatReader) -> Value:
    kind = _VALUES.get(pair.integer(1, "u8"))
    holder = pair.table(2)
    if kind is None or holder is None:
        raise reader.damaged(f"The entry {pair.text(0)!r} of its header has no value of a known type.")
    if kind == "text":
        return holder.text(0)
    if kind == "bool":
        return bool(holder.integer(0, "u8"))
    return holder.real(0, kind) if kind.startswith("f") else holder.integer(0, kind)


def _check_places(sections: tuple[Section, ...], header_end: int, size: int, reader: FlatReader) -> None:
    for section in sections:
        label = f"Section {section.name or section.kind}"
        if section.size <= 0:
            raise reader.damaged(f"{label} has {section.size} bytes.")
        if section.offset < header_end or section.offset + section.size > size:
            raise reader.damaged(
                f"{label} lies at bytes {section.offset} to {section.offset + section.size}; "
                f"the header ends at {header_end} and the file at {size}."
            )
    for first, second in pairwise(sorted(sections, key=lambda section: section.offset)):
        if first.offset + first.size > second.offset:
            raise reader.damaged(
                f"Sections {first.name or first.kind} and {second.name or second.kind} overlap at byte {second.offset}."
            )
