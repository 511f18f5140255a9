from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sdk.bundle import open_bundle
from edge_sdk.bundle.packed import read_attachments
from edge_sdk.errors import BundleError


def archive(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED, front: bytes = b"model") -> bytes:
    """Return a file with an archive behind it."""
    stream = io.BytesIO(front)
    stream.seek(0, io.SEEK_END)
    with zipfile.ZipFile(stream, "a", method) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return stream.getvalue()


def test_labels_of_real_models_are_those_that_a_zip_reader_finds(material: Path) -> None:
    labelled = 0
    for path in sorted([*material.glob("models/*.tflite"), *material.glob("models/negative/*.tflite")]):
        files = {}
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                files = {name: packed.read(name) for name in packed.namelist()}
        with open_bundle(path) as bundle:
            assert dict(read_attachments(bundle.view(bundle.sections[0]), str(path))) == files
            found = bundle.packed()
            if found and found.labels:
                labelled += 1
                assert "\n".join(found.labels) in {data.decode().rstrip("\n") for data in files.values()}
    assert labelled == 9


def test_the_flower_model_says_what_it_is(material: Path) -> None:
    with open_bundle(material / "models/automl_labeler_model.tflite") as bundle:
        packed = bundle.packed()
    assert packed is not None
    assert packed.name == "AutoML image classifier"
    assert packed.author == "TensorFlow"
    assert packed.license.startswith("Apache License")
    assert packed.labels == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    assert (packed.mean, packed.std) == ((0.0,), (1.0,))
    with open_bundle(material / "models/mobilenet_v1_0.25_128_quant.tflite") as bundle:
        packed = bundle.packed()
    assert packed is not None
    assert (packed.mean, packed.std, len(packed.labels)) == ((127.5,), (127.5,), 1001)


def test_a_model_that_says_nothing_and_a_bundle_have_nothing_packed(material: Path) -> None:
    for name in ("models/mnist_quantized.tflite", "bundles/tiny-text.litertlm"):
        with open_bundle(material / name) as bundle:
            assert bundle.packed() is None


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_behind_anything_is_found(method: int) -> None:
    files = {"labels.txt": b"a\nb\n" * 100, "sub/\u00fc.txt": b"", "raw": bytes(range(256))}
    assert dict(read_attachments(memoryview(archive(files, method)), "a.tflite")) == files


def test_no_archive_is_no_files() -> None:
    for data in (b"", b"x", b"PK\x05\x06", bytes(70000)):
        assert dict(read_attachments(memoryview(data), "a.tflite")) == {}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (archive({"bomb": bytes(5 << 20)}), "claims 5242880 bytes"),
        (archive({f"{number}": b"" for number in range(65)}), "65 files"),
        (archive({"a": b"a" * 100}, zipfile.ZIP_BZIP2), "unknown way 12"),
        (archive({"a": b"a"}).replace(b"PK\x01\x02", b"PK\x01\x03"), "should begin the entry"),
        (archive({"a": b"a"}).replace(b"PK\x03\x04", b"PK\x03\x05"), "does not lie where it should"),
        (archive({"a": b"a"})[10:], "does not lie where it should"),
    ],
)
def test_an_archive_that_is_wrong_or_too_large_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(BundleError, match=r"a\.tflite \(the files packed into it\) is damaged") as error:
        read_attachments(memoryview(data), "a.tflite")
    assert why in str(error.value.why)


def test_a_file_that_unpacks_to_more_than_it_says_is_refused() -> None:
    data = bytearray(archive({"a": bytes(100_000)}))
    for mark, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = data.index(mark) + place
        data[at : at + 4] = (50).to_bytes(4, "little")
    with pytest.raises(BundleError, match=r"a\.tflite") as error:
        read_attachments(memoryview(data), "a.tflite")
    assert "another size" in str(error.value.why)


def test_labels_that_were_cut_off_are_missed(
    material: Path, tmp_path: Path, refusal: Callable[[Callable[[], object]], str]
) -> None:
    data = (material / "models/automl_labeler_model.tflite").read_bytes()
    begin = data.find(b"PK\x03\x04")
    path = tmp_path / "flowers.tflite"
    for size in range(begin, len(data) - 22, 7):
        path.write_bytes(data[:size])
        with open_bundle(path) as bundle:
            error = refusal(bundle.packed)
        assert "flowers.tflite" in error
        assert "labels.txt" in error
