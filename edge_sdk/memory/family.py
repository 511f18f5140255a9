"""Variants of one bundle: ``smear``, ``smear@int4``, ``smear@text`` are one family, and the planner picks among them.

They lie beside each other and are told apart by what follows the ``@`` in the file's name. Whoever names a variant
gets that one; whoever names the family gets the best that fits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk.bundle import Bundle, find_bundle, list_bundles, open_bundle
from edge_sdk.bundle.folder import SUFFIXES
from edge_sdk.errors import BundleError
from edge_sdk.late import Late, LateLogger

if TYPE_CHECKING:
    from edge_sdk.memory import outline
    from edge_sdk.memory.outline import Outline
else:
    outline = Late("edge_sdk.memory.outline")

__all__ = ["Member", "best_variant", "open_family", "variant_files"]

logger = LateLogger(__name__)


def variant_files(bundle: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Find the files of a family: that of the plain name first, then its variants by name.

    Parameters
    ----------
    bundle : str or path
        A name that `find_bundle` takes, or a file.

    Raises
    ------
    BundleError
        There is neither such a bundle nor a variant of one.
    """
    text = os.fspath(bundle)
    stored = {item.name: item.path for item in list_bundles()} if isinstance(bundle, str) else {}
    if text not in stored and Path(text).is_file():
        path = Path(text)
        beside = {file.stem: file for file in sorted(path.parent.iterdir()) if file.suffix in SUFFIXES}
        return (path, *_variants(path.stem, beside))
    found = (*((stored[text],) if text in stored else ()), *_variants(text, stored))
    return found or (find_bundle(bundle),)


def _variants(name: str, files: dict[str, Path]) -> tuple[Path, ...]:
    return () if "@" in name else tuple(path for stem, path in files.items() if stem.startswith(f"{name}@"))


def best_variant(bundle: str | os.PathLike[str]) -> Path:
    """Find the file of a family that is loaded where there is room for any: the plain one, or else the best.

    Raises
    ------
    BundleError
        There is no such bundle, or all of its variants are damaged.
    """
    first, *others = variant_files(bundle)
    if not others or "@" not in first.stem:
        return first
    with open_family(bundle) as members:
        return members[0].outline.path


@dataclass(frozen=True, slots=True)
class Member:
    """A variant that is open for its headers."""

    outline: Outline
    bundle: Bundle


@contextmanager
def open_family(bundle: str | os.PathLike[str]) -> Iterator[tuple[Member, ...]]:
    """Open the variants of a bundle for their headers, best first.

    Best is what sees frames before what does not; then the plain one and, of the others, the larger: more bits a
    weight. A variant that is damaged is passed over as long as another is whole.

    Raises
    ------
    BundleError
        There is no such bundle, or all of it is damaged.
    """
    with ExitStack() as stack:
        members: list[Member] = []
        damaged: list[BundleError] = []
        for path in variant_files(bundle):
            name, _, variant = path.stem.partition("@")
            try:
                opened = stack.enter_context(open_bundle(path))
                members.append(Member(outline.outline_of(opened, name, variant), opened))
            except BundleError as error:
                damaged.append(error)
        if not members:
            raise damaged[0]
        for passed in damaged:
            logger.warning("A variant is passed over: %s", passed.what)
        yield tuple(sorted(members, key=_rank))


def _rank(member: Member) -> tuple[bool, bool, int, str]:
    told = member.outline
    size = sum(member.bundle.section(name).size for name in told.sections)
    return (not told.sight, told.variant != "", -size, told.variant)
