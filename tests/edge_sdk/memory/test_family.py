from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_sdk.bundle import add_bundle, open_bundle
from edge_sdk.errors import BundleError
from edge_sdk.memory.family import best_variant, open_family, variant_files
from edge_sdk.memory.outline import outline_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundles of the test's own."""
    monkeypatch.setenv("EDGE_BUNDLES", str(tmp_path / "home"))
    return tmp_path / "home"


def test_variants_lie_beside_each_other_by_name(home: Path, material: Path) -> None:
    for name in ("film", "film@int4", "film@text", "filmstrip"):
        add_bundle(material / "bundles/tiny-text.litertlm", name=name)
    assert [path.stem for path in variant_files("film")] == ["film", "film@int4", "film@text"]
    assert [path.stem for path in variant_files(str(home / "film.litertlm"))] == ["film", "film@int4", "film@text"]


def test_whoever_names_a_variant_gets_that_one(home: Path, material: Path) -> None:
    for name in ("film", "film@int4"):
        add_bundle(material / "bundles/tiny-text.litertlm", name=name)
    assert [path.stem for path in variant_files("film@int4")] == ["film@int4"]
    assert [path.stem for path in variant_files(home / "film@int4.litertlm")] == ["film@int4"]


def test_a_family_needs_no_plain_one(home: Path, material: Path) -> None:
    add_bundle(material / "bundles/tiny-text.litertlm", name="film@int4")
    assert [path.stem for path in variant_files("film")] == ["film@int4"]


def test_an_unknown_name_is_refused(home: Path) -> None:
    with pytest.raises(BundleError, match="There is no bundle film"):
        variant_files("film")


def test_what_sees_goes_before_what_does_not_and_the_plain_one_before_others(home: Path, material: Path) -> None:
    add_bundle(material / "bundles/tiny-text-two-caches.litertlm", name="film")
    add_bundle(material / "bundles/tiny-text.litertlm", name="film@small")
    add_bundle(material / "bundles/tiny-vision.litertlm", name="film@seeing")
    with open_family("film") as members:
        assert [member.outline.bundle for member in members] == ["film@seeing", "film", "film@small"]
        assert members[0].outline.sight == ("tf_lite_vision_encoder", "tf_lite_vision_adapter")
        assert members[1].outline.sight == ()
        bundles = [member.bundle for member in members]
    assert all("closed" in repr(bundle) for bundle in bundles)


def test_a_damaged_variant_is_passed_over_while_another_is_whole(home: Path, material: Path) -> None:
    add_bundle(material / "bundles/tiny-text.litertlm", name="film")
    (home / "film@int4.litertlm").write_bytes(b"LITERTLM and then nothing")
    with open_family("film") as members:
        assert [member.outline.bundle for member in members] == ["film"]
    with pytest.raises(BundleError, match="film@int4"), open_family("film@int4"):
        pass


def test_an_outline_tells_sections_by_what_they_do(material: Path) -> None:
    with open_bundle(material / "bundles/tiny-text-two-caches.litertlm") as bundle:
        outline = outline_of(bundle, "tiny")
    assert outline.language[-1] == "tf_lite_prefill_decode"
    assert outline.cache_lengths == tuple(sorted(outline.cache_lengths, reverse=True))
    assert len(outline.cache_lengths) == 2
    assert outline.for_task("count") == ()
    assert outline.for_task("text") == outline.sections == outline.for_task("all")


def test_a_plain_model_is_one_that_sees(material: Path, tmp_path: Path) -> None:
    path = shutil.copy(next((material / "models").glob("mobilenet_v2_1.0_224_quant.tflite")), tmp_path)
    with open_bundle(path) as bundle:
        outline = outline_of(bundle, "mobilenet")
    assert outline.sight == outline.for_task("count") == ("tflite",)
    assert outline.for_task("ask") == ()


def test_where_there_is_room_for_any_the_plain_one_is_taken_or_else_the_best(home: Path, material: Path) -> None:
    add_bundle(material / "bundles/tiny-text.litertlm", name="film@a")
    add_bundle(material / "bundles/tiny-vision.litertlm", name="film@b")
    assert best_variant("film").stem == "film@b"
    assert best_variant("film@a").stem == "film@a"
    add_bundle(material / "bundles/tiny-text.litertlm", name="film")
    assert best_variant("film").stem == "film"
