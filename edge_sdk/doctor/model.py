"""Checks of delegates, bundles and packed weights."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_sdk.bundle import StoredBundle, list_bundles, open_bundle, verify_bundle
from edge_sdk.bundle.folder import SHIPPED
from edge_sdk.doctor.finding import Finding, failure, nothing, ok, warning
from edge_sdk.doctor.surroundings import Surroundings
from edge_sdk.errors import BundleError, EdgeError
from edge_sdk.runtime import DELEGATES, DelegateFinding, WeightCache, delegate_findings, ladder, open_model
from edge_sdk.runtime.weight_cache import is_whole
from edge_sdk.units import format_bytes

__all__ = ["bundle_verified", "cache_quota", "cache_weights", "edgetpu", "teflon"]

_SMEAR = SHIPPED / "smear.litertlm"
_ON_CPU = "Nothing needs to be done: models run on the CPU. A newer version of it may do better."
_FULL_SHARE = 0.9
_QUOTA = "rm -r {folder} empties it; it is filled again as models are loaded."


def teflon(here: Surroundings) -> Iterator[Finding]:
    """Try the delegate for NPUs."""
    yield from _delegate(here, "teflon")


def edgetpu(here: Surroundings) -> Iterator[Finding]:
    """Try the delegate for the Edge TPU."""
    yield from _delegate(here, "edgetpu")


def _delegate(here: Surroundings, name: str) -> Iterator[Finding]:
    if name not in ladder(here.board.profile.accelerators):
        yield nothing("This board has nothing for it.")
        return
    library = DELEGATES[name].find()
    if library is None:
        yield nothing(f"{DELEGATES[name].library} is not installed: models run on the CPU.", DELEGATES[name].install)
        return
    error = _try(name)
    cache = WeightCache.usual()
    known = [each for each in delegate_findings(cache.folder if cache else None) if each.delegate == name]
    yield from map(_kept, known)
    if error is not None and not known:
        yield warning(f"It could not be tried. {error.what} {error.why or ''}".rstrip(), error.fix or _ON_CPU)


def _try(name: str) -> EdgeError | None:
    """Have it run what the shipped model has, and compare; what came of it is kept among the findings."""
    with open_bundle(_SMEAR) as bundle:
        section = bundle.section("tf_lite_pixel_encoder")  # the one that `load` opens
        try:
            open_model(_SMEAR, offset=section.offset, size=section.size, delegate=name).close()
        except EdgeError as error:
            return error
    return None


def _kept(finding: DelegateFinding) -> Finding:
    if finding.taken and finding.operators == 0:
        return nothing(f"It loads, but takes nothing of {finding.model}, which runs on the CPU.")
    if finding.taken:
        return ok(f"{finding.model}: {finding.reason}")
    if finding.outcome in ("missing", "unfit", "unclear"):
        return nothing(f"Not used for {finding.model}: {finding.reason}", finding.fix)
    return warning(f"Not used for {finding.model}: {finding.reason}", finding.fix or _ON_CPU)


def bundle_verified(_here: Surroundings, bundles: Sequence[StoredBundle] | None = None) -> Iterator[Finding]:
    """Walk through every table of every bundle."""
    for stored in list_bundles() if bundles is None else bundles:
        try:
            checks = verify_bundle(stored.path)
        except BundleError as error:
            yield failure(" ".join(filter(None, (error.what, error.why))), _replace(stored))
        except OSError as error:
            yield failure(f"{stored.name} cannot be read: {error.strerror}.", _replace(stored))
        else:
            left_out = [check.found for check in checks if not check.done]
            told = f"{stored.name} is whole ({format_bytes(stored.size_bytes)})"
            yield warning(f"{told}, but {left_out[0]}", "pip install 'edge-sdk[hf]'") if left_out else ok(f"{told}.")


def _replace(stored: StoredBundle) -> str:
    if stored.shipped:
        return "python3 -m pip install --force-reinstall --no-deps edge-sdk"
    return f"edge bundle remove {stored.name}, then add a good copy: edge bundle add FILE"


def cache_weights(_here: Surroundings, cache: WeightCache | None = None) -> Iterator[Finding]:
    """Look whether packed weights can be kept, and at those that are."""
    cache = cache or WeightCache.usual()
    if cache is None:
        yield warning(
            "This user has no home, so packed weights are not kept: loading is slower.", "Set EDGE_CACHE=FOLDER."
        )
        return
    there = next(folder for folder in (cache.folder, *cache.folder.parents) if folder.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        what = f"{there} cannot be written, so packed weights are not kept: loading is slower and takes more memory."
        yield warning(what, _make_writable(cache.folder, there))
        return
    files = sorted(cache.folder.glob("*.weights"))
    damaged = [file for file in files if not is_whole(file)]
    if damaged:
        names = " ".join(map(str, damaged))
        yield warning(
            f"{len(damaged)} of {len(files)} files are damaged; they are made anew when needed.", f"rm {names}"
        )
    else:
        yield ok(f"{len(files)} files in {cache.folder}, all whole.")


def _make_writable(folder: Path, there: Path) -> str:
    """Say how the folder comes to be the user's; nothing above it changes hands."""
    other = "export EDGE_CACHE=FOLDER, with a folder of your own"
    if there in (folder, folder.parent):
        return f"sudo chown -R $USER {there}, or: {other}"
    return f"sudo install -d -o $USER {folder}, or: {other}"


def cache_quota(here: Surroundings, cache: WeightCache | None = None) -> Iterator[Finding]:
    """Compare what packed weights take with their quota, and what is left of it with the disk."""
    cache = cache or WeightCache.usual()
    if cache is None:
        yield nothing("Nothing is kept.")
        return
    used = cache.size_bytes()
    told = f"{format_bytes(used)} of {format_bytes(cache.quota_bytes)} are used"
    there = next(folder for folder in (cache.folder, *cache.folder.parents) if folder.exists())
    free = here.space(there).free_bytes
    fix = _QUOTA.format(folder=cache.folder)
    if used > _FULL_SHARE * cache.quota_bytes:
        what = f"{told}: those that were not used for the longest time are dropped, and packed again when needed."
        yield warning(what, fix)
    elif free < min(cache.quota_bytes - used, max((each.size_bytes for each in list_bundles()), default=0)):
        yield warning(f"{told}, but the disk has no room for the largest bundle: {format_bytes(free)}.", fix)
    else:
        yield ok(f"{told}.")
