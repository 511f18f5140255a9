"""Bundles made for a test, as wrong as the test wants them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import flatbuffers
import pytest
from litert_lm_builder import litertlm_header_schema_py_generated as schema

from edge_sdk.errors import BundleError

BLOCK_BYTES = 16 * 1024


@dataclass
class Part:
    """One section; ``begin`` and ``end`` overrule where it really lies."""

    kind: int
    data: bytes = b"x"
    items: dict[str, object] = field(default_factory=dict)
    begin: int | None = None
    end: int | None = None


def pair(key: str, value: object) -> schema.KeyValuePairT:
    if isinstance(value, tuple):  # (name of the type, value)
        kind = value[0]
        held = getattr(schema, f"{kind}T")(value[1])
    else:
        kind = "StringValue"
        held = schema.StringValueT(value)
    return schema.KeyValuePairT(key=key, value=held, valueType=getattr(schema.VData, kind))


def make(parts: list[Part], system: dict[str, object] | None = None, major: int = 1) -> bytes:
    """Return a bundle file, written with the schema classes of litert-lm-builder."""
    body = bytearray()
    objects = []
    for part in parts:
        body += bytes(-len(body) % BLOCK_BYTES)
        begin = BLOCK_BYTES + len(body)
        body += part.data
        objects.append(
            schema.SectionObjectT(
                items=[pair(key, value) for key, value in part.items.items()],
                dataType=part.kind,
                beginOffset=begin if part.begin is None else part.begin,
                endOffset=begin + len(part.data) if part.end is None else part.end,
            )
        )
    header = schema.LiteRTLMMetaDataT(
        systemMetadata=schema.SystemMetadataT(entries=[pair(k, v) for k, v in (system or {}).items()]),
        sectionMetadata=schema.SectionMetadataT(objects=objects),
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(header.Pack(builder))
    packed = bytes(builder.Output())
    assert 32 + len(packed) <= BLOCK_BYTES, "the header of a test bundle fits into one block"
    head = b"LITERTLM" + b"".join(number.to_bytes(4, "little") for number in (major, 5, 0, 0))
    head += (32 + len(packed)).to_bytes(8, "little") + packed
    return head + bytes(BLOCK_BYTES - len(head)) + bytes(body)


@pytest.fixture
def write_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Give a function that writes a bundle of parts and returns its path."""

    def write(*parts: Part, name: str = "made.litertlm", **settings: object) -> Path:
        path = tmp_path / name
        path.write_bytes(make(list(parts), **settings))  # type: ignore[arg-type]
        return path

    return write


@pytest.fixture
def part() -> type[Part]:
    return Part


@pytest.fixture
def kinds() -> type[schema.AnySectionDataType]:
    return schema.AnySectionDataType


def refusal(read: Callable[[], object]) -> str:
    """Return the error with which a reader refuses what it reads, empty where it does not; others go on."""
    try:
        read()
    except BundleError as error:
        return str(error)
    return ""


@pytest.fixture(name="refusal")
def refusal_fixture() -> Callable[[Callable[[], object]], str]:
    return refusal


def material_bundles(folder: Path) -> list[Path]:
    found = sorted([*folder.glob("bundles/*.litertlm"), *folder.glob("bundles/litert_lm_testdata/*.litertlm")])
    assert len(found) >= 11
    return found


@pytest.fixture
def bundles(material: Path) -> list[Path]:
    """Every .litertlm file of the material."""
    return material_bundles(material)


@pytest.fixture
def tflites(material: Path) -> list[Path]:
    """Every .tflite file of the material that is small enough to be read a thousand times."""
    found = [*material.glob("models/*.tflite"), *material.glob("bundles/litert_lm_testdata/*.tflite")]
    return sorted(path for path in found if path.stat().st_size < 1_000_000)
