"""``edge bundle``: which bundles there are, what is in one, whether it is whole; add and remove."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from edge_sdk.bundle import (
    Bundle,
    add_bundle,
    bundle_folder,
    find_bundle,
    list_bundles,
    open_bundle,
    remove_bundle,
    sha256,
    verify_bundle,
)
from edge_sdk.bundle.folder import Progress
from edge_sdk.bundle.inspection import cache_lengths, operators, quantization, tokens_per_frame
from edge_sdk.bundle.tflite import SignatureInfo

__all__ = ["bundle"]

_LONG_BYTES = 64 << 20  # from here on a slow card takes seconds to read
_json_option = click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")


@click.group()
def bundle() -> None:
    """Look into bundles, check them, and keep them by name.

    A bundle is a .litertlm file (model, tokenizer and what belongs to them) or a plain .tflite model. Added
    ones lie in ~/.local/share/edge/bundles, or in the folder that EDGE_BUNDLES names.

    \b
    Examples:
      edge bundle list
      edge bundle info smear
      edge bundle add ~/Downloads/gemma-3n.litertlm
    """


@bundle.command("list")
@_json_option
def list_command(as_json: bool) -> None:
    """Name the bundles that can be given to --bundle.

    \b
    Examples:
      edge bundle list
      edge bundle list --json
    """
    stored = list_bundles()
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "name": item.name,
                        "path": str(item.path),
                        "size_bytes": item.size_bytes,
                        "shipped": item.shipped,
                    }
                    for item in stored
                ],
                indent=2,
            )
        )
        return
    rows = [(item.name, _size(item.size_bytes), "shipped" if item.shipped else str(item.path)) for item in stored]
    _table(("name", "size", "where"), rows, right=(1,))
    if not rows:
        click.echo(f"No bundles here; add one to {bundle_folder()} with: edge bundle add FILE", err=True)


@bundle.command(no_args_is_help=True)
@click.argument("file", metavar="FILE|NAME")
@_json_option
def info(file: str, as_json: bool) -> None:
    """Tell what is in a bundle: sections, signatures, quantization, tokens per frame, caches, SHA-256.

    \b
    Examples:
      edge bundle info smear
      edge bundle info model.tflite --json
    """
    path = find_bundle(file)
    with open_bundle(path) as opened:
        facts = _facts(opened)
    with _progress("Hashing", facts["size_bytes"]) as progress:
        facts["sha256"] = sha256(path, progress)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        _show(facts)


@bundle.command(no_args_is_help=True)
@click.argument("file", metavar="FILE|NAME")
@_json_option
def verify(file: str, as_json: bool) -> None:
    """Check that a bundle is whole; exits with 1 where it is not.

    Every table of every model is walked, the tokenizer loaded and the prompt template tried; the weights are
    read once for the SHA-256, to be compared with the publisher's.

    \b
    Examples:
      edge bundle verify smear
      edge bundle verify ~/Downloads/gemma-3n.litertlm
    """
    path = find_bundle(file)
    checks = verify_bundle(path)
    with _progress("Hashing", path.stat().st_size) as progress:
        digest = sha256(path, progress)
    if as_json:
        found = [{"what": check.what, "found": check.found, "done": check.done} for check in checks]
        click.echo(json.dumps({"path": str(path), "sha256": digest, "checks": found}, indent=2))
        return
    _table(
        ("", "checked", "found"), [("ok" if check.done else "left out", check.what, check.found) for check in checks]
    )
    click.echo(f"SHA-256 {digest}\n{path} is whole.")


@bundle.command(no_args_is_help=True)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="What to call it; by default what the file is called.")
@_json_option
def add(file: Path, name: str | None, as_json: bool) -> None:
    """Copy a bundle into the folder of bundles, verified, in one step or not at all.

    \b
    Examples:
      edge bundle add ~/Downloads/gemma-3n.litertlm
      edge bundle add model.tflite --name birds
    """
    with _progress("Copying", 2 * file.stat().st_size) as progress:
        stored = add_bundle(file, name=name, progress=progress)
    if as_json:
        click.echo(
            json.dumps({"name": stored.name, "path": str(stored.path), "size_bytes": stored.size_bytes}, indent=2)
        )
    else:
        click.echo(f"Added {stored.name} ({_size(stored.size_bytes)}): use it with --bundle {stored.name}")


@bundle.command(no_args_is_help=True)
@click.argument("name")
@_json_option
def remove(name: str, as_json: bool) -> None:
    """Remove a bundle from the folder of bundles; shipped ones stay.

    \b
    Examples:
      edge bundle remove birds
    """
    path = remove_bundle(name)
    click.echo(json.dumps({"name": name, "path": str(path)}, indent=2) if as_json else f"Removed {path}")


def _facts(opened: Bundle) -> dict[str, Any]:
    """Gather what there is to say about a bundle, in the order in which it is told."""
    metadata = opened.metadata
    return {
        "path": str(opened.path),
        "size_bytes": opened.size_bytes,
        "format": f"LiteRT-LM {'.'.join(map(str, opened.version))}" if opened.version else "TFLite",
        "task": opened.card.task if opened.card else None,
        "cells": [item.name for item in opened.card.cells.classes] if opened.card and opened.card.cells else [],
        "model_type": metadata.model_type or None,
        "tokens_per_frame": tokens_per_frame(opened),
        "cache_lengths": list(cache_lengths(opened)),
        "max_num_tokens": metadata.max_num_tokens or None,
        "prompt_template": "Jinja" if metadata.jinja_template is not None else "words around each turn",
        "memory_bytes": opened.card.memory_bytes if opened.card else None,
        "not_for": opened.card.not_for or None if opened.card else None,
        "model_card": opened.card.model_card or None if opened.card else None,
        "labels": list(packed.labels) if (packed := opened.packed()) else [],
        "system": dict(opened.system),
        "sections": [
            {
                "kind": section.kind,
                "name": section.name,
                "offset": section.offset,
                "size_bytes": section.size,
                "items": dict(section.items),
                **(_model_facts(opened, section.name) if section.is_model else {}),
            }
            for section in opened.sections
        ],
    }


def _model_facts(opened: Bundle, name: str) -> dict[str, Any]:
    model = opened.model(name)
    first = model.subgraphs[0]
    # Models from before signatures have one way to be called, and no name for it.
    unnamed = SignatureInfo(
        "", 0, {item.name: item for item in first.inputs}, {item.name: item for item in first.outputs}
    )
    signatures = list(model.signatures.values()) or [unnamed]
    return {
        "quantization": quantization(model),
        "operators": dict(operators(model).most_common()),
        "signatures": {
            signature.name: {
                side: {key: {"shape": list(item.shape), "dtype": item.dtype} for key, item in tensors.items()}
                for side, tensors in (("inputs", signature.inputs), ("outputs", signature.outputs))
            }
            for signature in signatures
        },
    }


def _show(facts: dict[str, Any]) -> None:
    lines = [
        ("file", facts["path"]),
        ("size", _size(facts["size_bytes"])),
        ("SHA-256", facts["sha256"]),
        ("format", facts["format"]),
        ("task", facts["task"]),
        ("cells", ", ".join(facts["cells"])),
        ("model type", facts["model_type"]),
        ("tokens per frame", facts["tokens_per_frame"]),
        ("cache lengths", ", ".join(map(str, facts["cache_lengths"]))),
        ("labels", _few(facts["labels"])),
        ("memory", _size(facts["memory_bytes"]) if facts["memory_bytes"] else None),
        ("not for", facts["not_for"]),
        ("model card", facts["model_card"]),
        *facts["system"].items(),
    ]
    told = [(key, str(value)) for key, value in lines if value not in (None, "")]
    width = max(len(key) for key, _ in told)
    for key, value in told:
        click.echo(_plain(f"{key:<{width}}  {value}"))
    click.echo("")
    rows = [
        (
            item["name"] or item["kind"],
            _size(item["size_bytes"]),
            item.get("quantization", item["kind"] if item["name"] else ""),
        )
        for item in facts["sections"]
    ]
    _table(("section", "size", "what"), rows, right=(1,))
    for section in facts["sections"]:
        for name, ends in section.get("signatures", {}).items():
            click.echo("\n" + _plain(f"{section['name']}{': ' + name if name else ''}"))
            for side, arrow in (("inputs", "in "), ("outputs", "out")):
                for key, tensor in _shortened(ends[side]):
                    click.echo(_plain(f"  {arrow} {key:<24} {tensor}"))


def _shortened(tensors: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names and shapes; of caches, which come by the dozen, the first one and their number."""
    caches = [key for key in tensors if "cache" in key]
    for key, tensor in tensors.items():
        if key not in caches or len(caches) < 3:
            yield key, f"{tensor['shape']} {tensor['dtype']}"
        elif key == caches[0]:
            yield key, f"{tensor['shape']} {tensor['dtype']}, and {len(caches) - 1} more caches"


def _few(labels: Sequence[str]) -> str:
    more = f", ... ({len(labels)} in all)" if len(labels) > 5 else ""
    return ", ".join(labels[:5]) + more


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    if not rows:
        return
    widths = [max(len(line[column]) for line in (heads, *rows)) for column in range(len(heads))]
    for line in (heads, *rows):
        cells = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        click.echo(_plain("  ".join(cells).rstrip()))


def _plain(text: str) -> str:
    """Take out what would steer the terminal; the texts are from whoever made the bundle."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _size(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"


def _looked_at() -> bool:
    return sys.stderr.isatty()


@contextmanager
def _progress(label: str, total_bytes: int) -> Iterator[Progress | None]:
    """Show a bar on standard error, where someone looks and it takes long enough to wonder."""
    if total_bytes < _LONG_BYTES or not _looked_at():
        yield None
        return
    with click.progressbar(length=total_bytes, label=label, file=sys.stderr) as bar:
        yield bar.update
