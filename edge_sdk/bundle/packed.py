"""Metadata and labels that are packed into plain ``.tflite`` models.

Two parts: a FlatBuffer in one of the model's buffers, and files in a zip archive behind the model.

Source: the TFLite metadata schema (field numbers) and the ZIP file format (APPNOTE 4.3).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edge_sdk.bundle.flatbuffer import FlatReader, Table

__all__ = ["Packed", "read_attachments", "read_packed"]

_FILES_MAX = 64
_FILE_MAX_BYTES = 4 << 20
_END, _ENTRY, _LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
_END_BYTES = 22
_COMMENT_MAX_BYTES = 65535
_STORED, _DEFLATED = 0, 8
_AXIS_LABELS, _VALUE_LABELS = 2, 3  # kinds of associated files
_NORMALIZATION = 1  # a kind of process unit


@dataclass(frozen=True, slots=True)
class Packed:
    """What a ``.tflite`` model says of itself.

    ``mean`` and ``std`` are for pixel values of 0 to 255: ``(value - mean) / std``, one for all channels or one
    for each; empty where nothing is said. ``labels`` name the classes of the output in order.
    """

    name: str
    description: str
    author: str
    license: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    labels: tuple[str, ...]


def read_packed(metadata: memoryview, attachments: Mapping[str, bytes], name: str) -> Packed:
    """Read the metadata of a model, and the labels they point at.

    Parameters
    ----------
    metadata : memoryview
        The buffer that the model calls ``TFLITE_METADATA``.
    attachments : mapping
        The files behind the model, from :func:`read_attachments`.
    name : str
        The path, for errors.

    Raises
    ------
    BundleError
        They are damaged.
    """
    reader = FlatReader(metadata, f"{name} (its packed metadata)")
    with reader.guard():
        root = reader.root()
        graphs = list(root.tables(3))
        inputs = [tensor for graph in graphs for tensor in graph.tables(2)]
        outputs = [tensor for graph in graphs for tensor in graph.tables(3)]
        mean, std = _normalization(inputs)
        label_file = _label_file(outputs)
        if label_file and label_file not in attachments:
            raise reader.damaged(f"It names the file {label_file!r}, which is not packed behind the model.")
        text = attachments.get(label_file, b"").decode("utf-8", "replace")
        return Packed(
            name=root.text(0),
            description=root.text(1),
            author=root.text(4),
            license=root.text(5),
            mean=mean,
            std=std,
            labels=tuple(text.splitlines()),
        )


def read_attachments(view: memoryview, name: str) -> Mapping[str, bytes]:
    """Unpack the zip archive at the end of a file, if there is one.

    Raises
    ------
    BundleError
        It is damaged, or unpacks to more than is allowed.
    """
    reader = FlatReader(view, f"{name} (the files packed into it)")
    tail_at = max(0, len(view) - _END_BYTES - _COMMENT_MAX_BYTES)
    end_at = tail_at + bytes(view[tail_at:]).rfind(_END)
    if end_at < tail_at or end_at + _END_BYTES > len(view):
        return MappingProxyType({})
    with reader.guard():
        count, directory_bytes, directory_at = struct.unpack_from("<HII", view, end_at + 10)
        # Offsets count from where the archive begins, which is behind the model.
        base = end_at - directory_bytes - directory_at
        if base < 0 or count > _FILES_MAX:
            raise reader.damaged(f"Its list of {count} files does not lie where it should.")
        return MappingProxyType(dict(_files(reader, base, base + directory_at, count)))


def _files(reader: FlatReader, base: int, at: int, count: int) -> Iterator[tuple[str, bytes]]:
    view = reader.view
    for _ in range(count):
        if bytes(view[at : at + 4]) != _ENTRY:
            raise reader.damaged(f"Byte {at} should begin the entry of a file.")
        method, packed_bytes, size = struct.unpack_from("<10xH8xII", view, at)[0:3]
        name_bytes, extra_bytes, comment_bytes = struct.unpack_from("<28xHHH", view, at)
        local_at = base + struct.unpack_from("<42xI", view, at)[0]
        file_name = bytes(view[at + 46 : at + 46 + name_bytes]).decode()
        if bytes(view[local_at : local_at + 4]) != _LOCAL:
            raise reader.damaged(f"The file {file_name!r} does not lie where it should.")
        skip = sum(struct.unpack_from("<26xHH", view, local_at))
        data_at = local_at + 30 + skip
        if size > _FILE_MAX_BYTES or data_at + packed_bytes > len(view):
            raise reader.damaged(f"The file {file_name!r} claims {size} bytes; {_FILE_MAX_BYTES} are the most.")
        yield file_name, _unpack(reader, view[data_at : data_at + packed_bytes], method, size, file_name)
        at += 46 + name_bytes + extra_bytes + comment_bytes


def _unpack(reader: FlatReader, packed: memoryview, method: int, size: int, file_name: str) -> bytes:
    try:
        if method == _STORED:
            data = bytes(packed)
        elif method == _DEFLATED:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
        else:
            raise reader.damaged(f"The file {file_name!r} is packed in the unknown way {method}.")
    except zlib.error as error:
        raise reader.damaged(f"The file {file_name!r} cannot be unpacked ({error}).") from error
    if len(data) != size:
        raise reader.damaged(f"The file {file_name!r} unpacks to another size than the {size} bytes it claims.")
    return data


def _normalization(inputs: list[Table]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    for tensor in inputs:
        for unit in tensor.tables(4):
            options = unit.table(1)
            if unit.integer(0, "u8") == _NORMALIZATION and options:
                return options.reals(0, 16), options.reals(1, 16)
    return (), ()


def _label_file(outputs: list[Table]) -> str:
    for tensor in outputs:
        for file in tensor.tables(6):
            if file.integer(2, "i8") in (_AXIS_LABELS, _VALUE_LABELS):
                return file.text(0)
    return ""
