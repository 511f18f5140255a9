from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from litert_lm_builder import litertlm_header_schema_py_generated as schema
from litert_lm_builder.litertlm_core import any_section_data_type_to_string

from edge_sdk.bundle import open_bundle
from edge_sdk.errors import BundleError

Write = Callable[..., Path]


def test_sections_are_where_the_builders_own_reader_finds_them(bundles: list[Path]) -> None:
    for path in bundles:
        data = path.read_bytes()
        end = int.from_bytes(data[24:32], "little")
        table = schema.LiteRTLMMetaData.GetRootAs(data[32:end], 0).SectionMetadata()
        expected = [
            (
                any_section_data_type_to_string(item.DataType()),
                item.BeginOffset(),
                item.EndOffset() - item.BeginOffset(),
            )
            for item in map(table.Objects, range(table.ObjectsLength()))
        ]
        with open_bundle(path) as bundle:
            assert [(item.kind, item.offset, item.size) for item in bundle.sections] == expected


def test_every_version_of_the_material_is_read(bundles: list[Path]) -> None:
    versions = set()
    for path in bundles:
        with open_bundle(path) as bundle:
            versions.add(bundle.version)
    assert {(1, 1, 0), (1, 2, 0), (1, 3, 0), (1, 5, 0), (1, 7, 0)} <= versions


def test_system_metadata_of_every_type_comes_back(write_bundle: Write, part: Any, kinds: Any) -> None:
    system = {
        "text": "smear é",
        "u8": ("UInt8", 200),
        "i8": ("Int8", -3),
        "u16": ("UInt16", 60000),
        "i16": ("Int16", -30000),
        "u32": ("UInt32", 1 << 31),
        "i32": ("Int32", -(1 << 31)),
        "u64": ("UInt64", (1 << 64) - 1),
        "i64": ("Int64", -(1 << 63)),
        "f32": ("Float32", 0.5),
        "f64": ("Double", 0.1),
        "yes": ("Bool", True),
        "no": ("Bool", False),
    }
    with open_bundle(write_bundle(part(kinds.GenericBinaryData), system=system)) as bundle:
        expected = {key: value[1] if isinstance(value, tuple) else value for key, value in system.items()}
        assert dict(bundle.system) == expected
        assert bundle.system["yes"] is True


def test_model_types_in_capitals_are_the_same_as_in_small_letters(material: Path) -> None:
    with open_bundle(material / "bundles/litert_lm_testdata/dummy_audio_only.litertlm") as bundle:
        assert bundle.sections[0].items["model_type"] == "TF_LITE_AUDIO_ENCODER_HW"
        assert bundle.has("tf_lite_audio_encoder_hw")


def test_a_model_without_a_type_is_the_language_model(write_bundle: Write, part: Any, kinds: Any) -> None:
    with open_bundle(write_bundle(part(kinds.TFLiteModel))) as bundle:
        assert bundle.section("tf_lite_prefill_decode").kind == "TFLiteModel"


def test_of_two_sections_of_one_name_the_last_counts(write_bundle: Write, part: Any, kinds: Any) -> None:
    items = {"name": "notes"}
    path = write_bundle(part(kinds.GenericBinaryData, b"first", items), part(kinds.GenericBinaryData, b"last", items))
    with open_bundle(path) as bundle:
        assert bundle.generic("notes") == b"last"


def test_a_section_of_a_later_kind_is_listed_and_left_alone(write_bundle: Write, part: Any) -> None:
    with open_bundle(write_bundle(part(77, b"from the future"))) as bundle:
        assert [item.kind for item in bundle.sections] == ["Unknown77"]


def test_a_later_major_version_is_refused_and_said_so(write_bundle: Write, part: Any, kinds: Any) -> None:
    path = write_bundle(part(kinds.GenericBinaryData), major=2)
    with pytest.raises(BundleError, match=r"made\.litertlm is written in version 2\.5\.0") as error:
        open_bundle(path)
    assert error.value.fix is not None
    assert "Update" in error.value.fix


@pytest.mark.parametrize(
    ("begin", "end", "complaint"),
    [
        (16384, 10**9, "the file at"),
        (1 << 63, (1 << 63) + 8, "the file at"),
        (0, 100, "the header ends at"),
        (16384, 16384, "has 0 bytes"),
        (16400, 16384, "has -16 bytes"),
    ],
)
def test_a_section_outside_the_file_is_refused(
    write_bundle: Write, part: Any, kinds: Any, begin: int, end: int, complaint: str
) -> None:
    path = write_bundle(part(kinds.GenericBinaryData, begin=begin, end=end))
    with pytest.raises(BundleError, match=r"made\.litertlm is damaged") as error:
        open_bundle(path)
    assert complaint in str(error.value.why)


def test_overlapping_sections_are_refused(write_bundle: Write, part: Any, kinds: Any) -> None:
    path = write_bundle(
        part(kinds.GenericBinaryData, bytes(100), {"name": "a"}),
        part(kinds.GenericBinaryData, bytes(100), {"name": "b"}, begin=16384 + 99, end=16384 + 150),
    )
    with pytest.raises(BundleError, match=r"made\.litertlm") as error:
        open_bundle(path)
    assert "a and b overlap at byte 16483" in str(error.value.why)


def test_more_sections_than_any_bundle_has_are_refused(write_bundle: Write, part: Any, kinds: Any) -> None:
    data = bytearray(write_bundle(*[part(kinds.GenericBinaryData) for _ in range(3)]).read_bytes())
    # The list of sections is the only vector of three offsets in this header.
    places = [at for at in range(32, 1000, 4) if data[at : at + 4] == (3).to_bytes(4, "little")]
    assert places
    for at in places:
        for count in (4, 1025, 1 << 20, (1 << 32) - 1):
            data[at : at + 4] = count.to_bytes(4, "little")
            path = write_bundle(name="many.litertlm")
            path.write_bytes(data)
            with pytest.raises(BundleError, match=r"many\.litertlm"):
                open_bundle(path)
        data[at : at + 4] = (3).to_bytes(4, "little")


def test_a_name_that_would_steer_a_terminal_is_refused(write_bundle: Write, part: Any, kinds: Any) -> None:
    path = write_bundle(part(kinds.GenericBinaryData, items={"name": "\x1b[2Jgone"}))
    with pytest.raises(BundleError, match=r"made\.litertlm is damaged"):
        open_bundle(path)


def test_a_file_of_another_kind_is_refused_with_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "notes.litertlm"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(BundleError, match=r"notes\.litertlm is no LiteRT-LM bundle") as error:
        open_bundle(path)
    assert "PK" in str(error.value.why)


def test_no_file_an_empty_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "empty.litertlm").touch()
    for name, why in (("empty.litertlm", "empty"), ("none.litertlm", "No such file"), (".", "Is a directory")):
        with pytest.raises(BundleError, match="cannot be opened as a bundle") as error:
            open_bundle(tmp_path / name)
        assert why in str(error.value.why)
        assert str(tmp_path) in error.value.what


@pytest.mark.parametrize("size", [3, 8, 20, 31])
def test_a_bundle_that_is_cut_off_in_its_first_bytes_is_said_to_be_too_short(
    bundles: list[Path], tmp_path: Path, size: int
) -> None:
    file = tmp_path / "cut.litertlm"
    file.write_bytes(bundles[0].read_bytes()[:size])
    with pytest.raises(BundleError, match=r"cut\.litertlm is too short for a LiteRT-LM bundle") as error:
        open_bundle(file)
    assert f"It has {size} bytes" in (error.value.why or "")
    assert "begins with" not in str(error.value)
