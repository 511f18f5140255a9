"""What a microcontroller says of itself, checked before anything is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from firmware_bridge.error import NoProtocol
from firmware_bridge.wire.number import PROTOCOL

__all__ = ["Hello", "agree", "read_hello"]

_LEAST_BUFFER = 128
_MOST_BUFFER = 0xFFFF  # what the length of a packet can say


@dataclass(frozen=True, slots=True)
class Hello:
    """What a microcontroller says of itself.

    Attributes
    ----------
    protocols : tuple of int
        The oldest and the newest protocol that it speaks.
    firmware, board, name : str
        The firmware's version, the kind of board, and what its configuration calls it.
    identity : bytes
        The board's own number.
    boot : int
        Made anew at every start.
    dictionary : bytes
        SHA-256 of its dictionary.
    configuration : int
        CRC-32 of its configuration; 0 for none.
    capabilities : tuple of str
        What it can besides.
    buffer_bytes : int
        The longest packet that it takes.
    state : str
        ``idle``, ``live`` or ``fault``.
    lease_s : float
        How long the lease that runs there still lasts.
    slot, trial
        The slot that its firmware runs from (``a``, ``b`` or none), and whether that is on trial.
    """

    protocols: tuple[int, int]
    firmware: str
    board: str
    name: str
    identity: bytes
    boot: int
    dictionary: bytes
    configuration: int
    capabilities: tuple[str, ...]
    buffer_bytes: int
    state: str
    lease_s: float
    slot: str
    trial: bool


def agree(protocols: object, ours: tuple[int, int] = PROTOCOL) -> int:
    """Choose the newest protocol that both sides speak.

    Raises
    ------
    NoProtocol
        If there is none.

    Examples
    --------
    >>> agree([1, 3], (1, 2))
    2
    """
    if not (isinstance(protocols, list) and len(protocols) == 2 and all(type(number) is int for number in protocols)):
        raise _not_ours("no range of protocols")
    least, most = protocols
    chosen: int = min(most, ours[1])
    if chosen < max(least, ours[0]):
        older = most < ours[0]
        raise NoProtocol(
            f"The firmware speaks protocols {least} to {most}, this side {ours[0]} to {ours[1]}.",
            why="The firmware is older." if older else "The firmware is newer.",
            fix="edge bridge flash puts this version's firmware on it." if older else "pip install --upgrade edge-sdk",
        )
    return chosen


def read_hello(body: Mapping[str, Any]) -> Hello:
    """Read the answer to ``hello``; what a newer firmware says besides is passed over.

    Raises
    ------
    NoProtocol
        If there is no common protocol, or a part is missing or of another kind.
    """
    agree(body.get("pv"))
    capabilities = _of(body, "cap", list)
    hello = Hello(
        protocols=(body["pv"][0], body["pv"][1]),
        firmware=_of(body, "fw", str),
        board=_of(body, "board", str),
        name=_of(body, "name", str),
        identity=_of(body, "id", bytes),
        boot=_of(body, "boot", int),
        dictionary=_of(body, "dict", bytes),
        configuration=_of(body, "cfg", int),
        capabilities=tuple(str(name) for name in capabilities),
        buffer_bytes=min(_of(body, "buf", int), _MOST_BUFFER),
        state=_of(body, "state", str),
        lease_s=_of(body, "lease", int) / 1000,
        slot=_of(body, "slot", str),
        trial=_of(body, "trial", bool),
    )
    if hello.buffer_bytes < _LEAST_BUFFER:
        raise _not_ours(f"a buffer of {hello.buffer_bytes} bytes")
    return hello


def _of(body: Mapping[str, Any], name: str, kind: type) -> Any:
    value = body.get(name)
    if type(value) is not kind:
        raise _not_ours(f"{name!r} is {value!r}")
    return value


def _not_ours(found: str) -> NoProtocol:
    return NoProtocol(
        f"What answers is not this bridge's firmware: in its hello, {found}.",
        why="The device runs another firmware, or a damaged one.",
        fix="edge bridge flash puts this version's firmware on it.",
    )
