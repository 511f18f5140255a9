from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sdk.bundle import folder
from edge_sdk.cli.main import edge
from edge_sdk.errors import BundleError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundles of the test's own, and nothing shipped."""
    monkeypatch.setenv("EDGE_BUNDLES", str(tmp_path / "home"))
    monkeypatch.setattr(folder, "SHIPPED", tmp_path / "shipped")
    return tmp_path / "home"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(edge, ["bundle", *map(str, arguments)], catch_exceptions=False)


def test_a_bundle_is_added_listed_told_of_verified_and_removed(material: Path, home: Path) -> None:
    added = run("add", material / "bundles/tiny-text.litertlm", "--name", "tiny")
    assert added.stdout == "Added tiny (1.2 MiB): use it with --bundle tiny\n"
    assert run("list").stdout.splitlines() == [
        "name     size  where",
        f"tiny  1.2 MiB  {home / 'tiny.litertlm'}",
    ]
    assert "int8 dynamic" in run("info", "tiny").stdout
    assert run("verify", "tiny").stdout.endswith("tiny.litertlm is whole.\n")
    assert run("remove", "tiny").stdout == f"Removed {home / 'tiny.litertlm'}\n"
    assert run("list").stdout == ""


def test_every_command_has_json(material: Path, home: Path) -> None:
    source = material / "bundles/tiny-vision.litertlm"
    size = source.stat().st_size
    stored = {"name": "tiny-vision", "path": str(home / "tiny-vision.litertlm"), "size_bytes": size}
    assert json.loads(run("add", source, "--json").stdout) == stored
    assert json.loads(run("list", "--json").stdout) == [stored | {"shipped": False}]
    facts = json.loads(run("info", "tiny-vision", "--json").stdout)
    assert facts["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (facts["tokens_per_frame"], facts["cache_lengths"], facts["size_bytes"]) == (65, [512], size)
    encoder = next(item for item in facts["sections"] if item["name"] == "tf_lite_vision_encoder")
    assert encoder["signatures"]["vision_224"]["inputs"] == {"images": {"shape": [1, 224, 224, 3], "dtype": "float32"}}
    assert encoder["quantization"].startswith("int8 dynamic")
    checks = json.loads(run("verify", "tiny-vision", "--json").stdout)
    assert checks["sha256"] == facts["sha256"]
    assert all(check["done"] for check in checks["checks"])
    removed = json.loads(run("remove", "tiny-vision", "--json").stdout)
    assert removed == {"name": "tiny-vision", "path": stored["path"]}


def test_info_shows_sections_signatures_caches_and_digest(material: Path) -> None:
    path = material / "bundles/tiny-text-two-caches.litertlm"
    lines = run("info", path).stdout.splitlines()
    told = dict(line.split("  ", 1) for line in lines[: lines.index("")])
    assert told["cache lengths"].strip() == "128, 512"
    assert told["SHA-256"].strip() == hashlib.sha256(path.read_bytes()).hexdigest()
    assert any(line.split() == ["HF_Tokenizer_Zlib", "20.5", "KiB"] for line in lines)
    assert "tf_lite_prefill_decode: decode_cache_128" in lines
    assert any(line.split()[:2] == ["in", "kv_cache_k_0"] and "and 5 more caches" in line for line in lines)


def test_info_of_a_plain_model_shows_its_labels(material: Path) -> None:
    text = run("info", material / "models/automl_labeler_model.tflite").stdout
    assert "daisy, dandelion, roses, sunflowers, tulips" in text
    assert "uint8 static (120 of 174 tensors)" in text
    many = run("info", material / "models/mobilenet_v1_0.25_128_quant.tflite").stdout
    assert "... (1001 in all)" in many


def test_nothing_from_a_bundle_steers_the_terminal(material: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.litertlm"
    data = (material / "bundles/tiny-text.litertlm").read_bytes()
    assert data.count(b"ODML") == 1
    path.write_bytes(data.replace(b"ODML", b"\x1b[2J"))
    text = run("info", path).stdout
    assert "\x1b" not in text
    assert "\N{REPLACEMENT CHARACTER}[2J" in text


def test_an_empty_folder_lists_nothing_and_says_how_to_begin(home: Path) -> None:
    result = run("list")
    assert result.stdout == ""
    assert "edge bundle add FILE" in result.stderr
    assert run("list", "--json").stdout == "[]\n"


def test_a_damaged_file_fails_each_command_and_is_named(material: Path, tmp_path: Path, home: Path) -> None:
    path = tmp_path / "cut.litertlm"
    path.write_bytes((material / "bundles/tiny-text.litertlm").read_bytes()[:-100])
    for command in ("info", "verify", "add"):
        with pytest.raises(BundleError, match=r"cut\.litertlm is damaged"):
            run(command, path)
    assert not home.exists()


def test_a_name_that_is_not_there_is_told() -> None:
    for command in ("info", "verify", "remove"):
        with pytest.raises(BundleError, match="There is no bundle nothing"):
            run(command, "nothing")


def test_every_command_shows_examples_in_its_help() -> None:
    assert "edge bundle info smear" in run("--help").stdout
    for command in ("list", "info", "verify", "add", "remove"):
        help_text = run(command, "--help").stdout
        assert f"edge bundle {command}" in help_text
        assert "Examples:" in help_text
        assert "--json" in help_text


def test_a_bar_runs_along_on_a_terminal_while_a_long_file_is_hashed(
    material: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_sdk.cli.bundle._LONG_BYTES", 1)
    monkeypatch.setattr("edge_sdk.cli.bundle._looked_at", lambda: True)
    result = run("info", material / "bundles/tiny-text.litertlm", "--json")
    assert "Hashing" in result.stderr
    assert json.loads(result.stdout)["format"] == "LiteRT-LM 1.7.0"


def test_info_says_what_a_bundle_is_not_for_and_where_more_is_told(tmp_path: Path) -> None:
    builder = pytest.importorskip("litert_lm_builder").litertlm_builder
    card = {"format": 1, "name": "a", "task": "answer", "input": {"width": 1, "height": 1}}
    told = {"not_for": "Not for diagnosis.", "model_card": "docs/a.md"}
    for name, value in (("older", card), ("newer", card | told)):
        (tmp_path / "card.json").write_text(json.dumps(value))
        out = builder.LitertLmFileBuilder()
        out.add_system_metadata(builder.Metadata("name", name, builder.DType.STRING))
        label = builder.Metadata("name", "edge_sdk", builder.DType.STRING)
        out.add_generic_binary_data(str(tmp_path / "card.json"), additional_metadata=[label])
        with (tmp_path / f"{name}.litertlm").open("wb") as file:
            out.build(file)
    shown = run("info", tmp_path / "newer.litertlm").stdout
    lines = dict(line.split("  ", 1) for line in shown.splitlines() if "  " in line)
    assert lines["not for"].strip() == "Not for diagnosis."
    assert lines["model card"].strip() == "docs/a.md"
    facts = json.loads(run("info", tmp_path / "newer.litertlm", "--json").stdout)
    assert {key: facts[key] for key in told} == told
    assert "not for" not in run("info", tmp_path / "older.litertlm").stdout
