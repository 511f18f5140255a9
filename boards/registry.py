"""All known boards by their ids: the SDK's own, and those of other distributions."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from boards import generic, jetson, raspberry_pi, rockchip
from boards.errors import EdgeError
from boards.profile import Profile

__all__ = ["ENTRY_POINTS", "find_profile", "profiles"]

ENTRY_POINTS = "edge_sdk.boards"
FAMILIES = (raspberry_pi, rockchip, jetson, generic)

log = logging.getLogger("edge_sdk.boards")


@cache
def profiles() -> Mapping[str, Profile]:
    """Give every known profile by its id, in the order of the families; it is read once per process."""
    found = {profile.id: profile for family in FAMILIES for profile in family.PROFILES}
    for profile in _contributed():
        if profile.id in found:
            log.warning("The board %r of another distribution is left out: the id is taken.", profile.id)
            continue
        found[profile.id] = profile
    return MappingProxyType(found)


def find_profile(id_: str) -> Profile:
    """Find a profile by its id.

    Raises
    ------
    EdgeError
        If there is none; it names ids that look alike.
    """
    known = profiles()
    wanted = id_.strip().lower()
    if wanted in known:
        return known[wanted]
    from difflib import get_close_matches  # takes 0.15 MB, which a process that asks for no unknown board does without

    near = get_close_matches(wanted, known, n=3, cutoff=0.5)
    raise EdgeError(
        f"There is no board {id_!r}.",
        why=f"Did you mean {' or '.join(near)}?" if near else f"Known are {', '.join(known)}.",
        fix="Take an id that `edge board list` shows, or 'generic'.",
    )


def _contributed() -> Iterable[Profile]:
    """Load what other distributions contribute; one that is broken costs a warning, not the SDK."""
    from importlib.metadata import entry_points  # takes 2 MB, which a process that asks for no board does without

    for point in entry_points(group=ENTRY_POINTS):
        try:
            loaded = point.load()
            given = (loaded,) if isinstance(loaded, Profile) else tuple(loaded)
            if wrong := [each for each in given if not isinstance(each, Profile)]:
                raise TypeError(f"expected boards.Profile, found {type(wrong[0]).__name__}")
        except (Exception, SystemExit) as error:  # whatever another's module raises on import must not stop us
            log.warning("The entry point %s = %s is left out: %s", point.name, point.value, error)
            continue
        yield from given
