"""Two slots of firmware: a new one boots on trial, and stays only if it is confirmed."""

import json

from firmware_bridge.firmware.dictionary import encode
from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.wire import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firmware_bridge.firmware.files import Files

STATE = "/boot.json"
SLOTS = ("a", "b")
FACTORY = ""
"""What was flashed over the cable: it lies beside the slots, and no update touches it."""


def path(slot: str) -> str:
    """Give a slot's file."""
    return "/slot/" + slot


def load(files: "Files") -> "dict[str, Any]":
    """Give what was kept for the next start; what cannot be read says that nothing was updated yet."""
    try:
        state = json.loads(files.read(STATE, 0, 256))
        if state["good"] in ("", "a", "b") and state["trial"] in ("", "a", "b") and state["tried"] in (True, False):
            return {"good": state["good"], "trial": state["trial"], "tried": state["tried"]}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return _state(FACTORY)


def decide(state: "dict[str, Any]", there: "Callable[[str], bool]") -> "tuple[str, bool, dict[str, Any] | None]":
    """Say what is to boot, whether on trial, and what to keep before that (None: nothing new).

    A boot loader keeps it before it starts the slot. A trial that was not confirmed by the next start is over.
    """
    trial, good = state["trial"], state["good"]
    if trial and not state["tried"] and there(trial):
        return trial, True, _state(good, trial, True)
    if good and not there(good):
        good = FACTORY
    after = _state(good)
    return good, False, None if after == state else after


def boot(files: "Files") -> "tuple[str, bool]":
    """Say what is to boot now, and whether on trial; keep what the next start has to know."""
    slot, trial, state = decide(load(files), lambda slot: files.size(path(slot)) > 0)
    if state is not None:
        try:
            _keep(files, state)
        except OSError:
            if trial:  # it would be tried again and again
                return decide(dict(state), lambda slot: files.size(path(slot)) > 0)[:2]
    return slot, trial


class Slots:
    """What runs, and what is to run next.

    Parameters
    ----------
    files : Files
        Where slots and state are.
    slot : str
        What runs: ``a``, ``b`` or, as it was flashed, nothing.
    trial : bool
        Whether it waits to be confirmed.
    """

    def __init__(self, files: "Files", slot: str, trial: bool) -> None:
        self._files = files
        self.slot = slot
        self.trial = trial

    def prepare(self, slot: str) -> None:
        """Make sure that a slot does not boot while it is written to."""
        self.check(slot)
        if load(self._files)["trial"] == slot:
            self._write(_state(self.slot))

    def announce(self, slot: str, length: int, sha: bytes, between: "Callable[[], None]") -> None:
        """Boot a slot next, on trial, if its file is what is announced; `between` is called while that is checked."""
        self.check(slot)
        size = self._files.size(path(slot))
        if size != length:
            there = f"{size} bytes" if size >= 0 else "nothing"
            raise FirmwareError(number.NOT_AS_ANNOUNCED, f"{there} instead of {length} bytes")
        if self._files.sha256(path(slot), between) != sha:
            raise FirmwareError(number.NOT_AS_ANNOUNCED, "another SHA-256")
        self._write(_state(self.slot, slot))

    def confirm(self) -> None:
        """Keep what runs."""
        if self.trial:
            self._write(_state(self.slot))
            self.trial = False

    def check(self, slot: str) -> None:
        """Refuse a slot that cannot be written to: what runs, or what it would be rolled back to."""
        if slot not in SLOTS:
            raise FirmwareError(number.NO_NAME, f"there is no slot {slot!r:.10}")
        if slot == self.slot:
            raise FirmwareError(number.RANGE, f"slot {slot} runs: use the other one")
        if self.trial:
            raise FirmwareError(number.RANGE, f"slot {self.slot} runs on trial: confirm it first")

    def _write(self, state: "dict[str, Any]") -> None:
        try:
            _keep(self._files, state)
        except OSError as error:
            raise FirmwareError(number.HARDWARE, repr(error)) from None


def _state(good: str, trial: str = "", tried: bool = False) -> "dict[str, Any]":
    return {"good": good, "trial": trial, "tried": tried}


def _keep(files: "Files", state: "dict[str, Any]") -> None:
    files.put(STATE, encode(state).encode())
