"""What is done to a microcontroller as a whole: files to it, its configuration, new firmware, a restart."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from firmware_bridge.error import BridgeError, BridgeTimeout, Refused, Restarted
from firmware_bridge.link.lane import Answer
from firmware_bridge.maintenance.upload import Progress, ignore, send_file
from firmware_bridge.part.digest import sha256
from firmware_bridge.session.hello import Hello
from firmware_bridge.session.session import Session
from firmware_bridge.wire import number
from firmware_bridge.wire.message import WRITE

__all__ = ["Maintenance"]

_RESTART_S = 30.0
_PAUSE_S = 0.1


class Maintenance:
    """What is done to a microcontroller as a whole.

    Parameters
    ----------
    session : Session
        With it.
    sleep : function
        Waits, while it restarts.
    clock : function
        Monotonic seconds.
    """

    def __init__(self, session: Session, sleep: Callable[[float], object], clock: Callable[[], float]) -> None:
        self._session, self._sleep, self._clock = session, sleep, clock

    def upload(self, name: str, data: bytes, progress: Progress = ignore) -> None:
        """Send a file; see `send_file`."""
        what = f"Sending {name}"

        def piece(body: Mapping[str, Any]) -> Answer:
            told = {"s": self._session.number, **body}
            return self._session.ask(WRITE, number.FILE, number.FILE_DATA, told, what)

        send_file(name, data, self._session.info.buffer_bytes, piece, progress)

    def configure(self, text: bytes) -> Hello:
        """Send a configuration's JSON and have it taken."""
        self.upload("/config.json", text)
        self._session.change(number.CONFIGURE, {"crc": zlib.crc32(text)}, "Taking the configuration")
        return self._session.refresh()

    def update(self, data: bytes, progress: Progress = ignore) -> Hello:
        """Send firmware into the slot that is not in use, and restart with it on trial."""
        before = self._session.refresh()
        if "update" not in before.capabilities:
            raise BridgeError(
                "This firmware cannot be updated over the link.",
                why="It does not run from one of two slots.",
                fix="edge bridge flash puts a firmware with slots on it, once.",
            )
        slot = "b" if before.slot == "a" else "a"
        self.upload(f"/slot/{slot}", data, progress)
        body = {"slot": slot, "len": len(data), "sha": sha256(data).digest()}
        self._session.change(number.UPDATE, body, "Announcing the new firmware")
        after = self.restart()
        if after.slot != slot:
            running = f"slot {after.slot}" if after.slot else "what was flashed"
            raise BridgeError(
                f"The new firmware did not come up: {running} runs again.",
                fix="The old firmware is in use, and nothing is lost. Try an update that fits this board.",
            )
        return after

    def restart(self, timeout_s: float = _RESTART_S) -> Hello:
        """Restart the microcontroller and wait until it is back."""
        boot, end_s = self._session.info.boot, self._clock() + timeout_s
        with contextlib.suppress(BridgeTimeout):  # it may well have restarted before its answer was through
            self._reset(boot)
        while self._clock() < end_s:
            self._sleep(_PAUSE_S)
            try:
                hello = self._session.refresh()
            except (BridgeTimeout, Restarted):
                continue
            if hello.boot != boot:
                return hello
        raise BridgeTimeout(
            f"The microcontroller has not come back within {timeout_s:g} s.", fix="Unplug it and plug it in again."
        )

    def _reset(self, boot: int) -> None:
        try:
            self._session.ask(WRITE, number.OS, number.RESET, {"boot": boot}, "Restarting")
        except Refused as error:
            if error.rc != number.NO_SESSION:  # an earlier copy of this had it restart
                raise
