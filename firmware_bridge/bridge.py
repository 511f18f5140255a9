"""The bridge to a microcontroller: its sensors, outputs and axes, over a link that may fail."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from firmware_bridge.error import BridgeError
from firmware_bridge.heartbeat import HEARTBEAT, Heartbeat
from firmware_bridge.link.lane import Answer
from firmware_bridge.link.link import Link
from firmware_bridge.link.recorder import Recorded
from firmware_bridge.link.statistic import Statistics
from firmware_bridge.maintenance.maintenance import Maintenance
from firmware_bridge.maintenance.upload import Progress, config_bytes, ignore, image_bytes
from firmware_bridge.part import dictionary as dictionaries
from firmware_bridge.part.axis import Axis
from firmware_bridge.part.dictionary import Dictionary
from firmware_bridge.part.job import Job
from firmware_bridge.part.output import Output
from firmware_bridge.part.permission import Action, Permission
from firmware_bridge.part.sensor import Sensor
from firmware_bridge.part.telemetry import Telemetry
from firmware_bridge.port.port import Port, open_port, resolve
from firmware_bridge.session.clock import Clock
from firmware_bridge.session.hello import Hello
from firmware_bridge.session.lease import Keeper
from firmware_bridge.session.session import Session
from firmware_bridge.wire import number
from firmware_bridge.wire.message import WRITE

__all__ = ["Bridge", "open_bridge"]

logger = logging.getLogger("edge_sdk.bridge")

_GIVE_BACK_S = 0.3


def open_bridge(
    address: str = "auto",
    *,
    allow: Collection[str] = (),
    dry_run: bool = False,
    lease_s: float = 1.0,
) -> Bridge:
    """Open the bridge to a microcontroller.

    Parameters
    ----------
    address : str
        ``auto`` for the one device in /dev/serial/by-id, ``/dev/...``, ``socket://host:port``, or ``sim://`` for a
        simulated one, which is never chosen unasked.
    allow : collection of str
        Names of the outputs and axes that may act; none unless given.
    dry_run : bool
        Record what outputs and axes were to do, and do none of it.
    lease_s : float
        How soon after the work has stopped everything goes safe.

    Raises
    ------
    NoDevice
        If there is no device there, or ``auto`` finds more than one.
    PortBusy
        If another process has it.
    BridgeTimeout, NoProtocol
        If what is there does not answer, or speaks another protocol.
    """
    place = resolve(address)
    bridge = Bridge(lambda: open_port(place), place, allow=allow, dry_run=dry_run, lease_s=lease_s)
    bridge.open()
    return bridge


class Bridge:
    """A microcontroller with what hangs on it; get one from `open_bridge`, and use it in ``with``.

    It may be used from several threads. When the port is unplugged, requests wait for it until their time is up.

    Parameters
    ----------
    port : function
        Opens the port, again and again.
    name : str
        For messages.
    allow, dry_run, lease_s
        See `open_bridge`.
    heartbeat : Heartbeat
        Says whether the work is alive.
    clock, sleep : function
        Monotonic seconds; waits, unless the bridge is closed.
    """

    kind = "microcontroller"

    def __init__(
        self,
        port: Callable[[], Port],
        name: str,
        *,
        allow: Collection[str] = (),
        dry_run: bool = False,
        lease_s: float = 1.0,
        heartbeat: Heartbeat = HEARTBEAT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.name = name
        self._now = clock
        self._ended = threading.Event()
        self._sleep = sleep or self._ended.wait
        self._link = Link(port, self._greet, clock=clock)
        self.clock = Clock()
        self._session = Session(self._link, self.clock, lease_s=lease_s, sleep=self._sleep)
        self._session.on_dictionary = self._fetch_dictionary
        self._dictionary: Dictionary | None = None
        self._permission = Permission(allow, dry_run=dry_run, clock=clock)
        self.lease = Keeper(self._renew, heartbeat, lease_s=lease_s, longest_s=self._longest_s)
        self._telemetry = Telemetry(self._watch, self._readings, lambda: self._session.epoch, self._sleep, clock)
        self._maintenance = Maintenance(self._session, self._sleep, clock)
        self._sensors: dict[str, Sensor] = {}

    def __repr__(self) -> str:
        hello = self._session.hello
        told = f"{hello.board}, firmware {hello.firmware}" if hello else "nothing known yet"
        return f"<{'closed ' if self._ended.is_set() else ''}Bridge {self.name}: {told}>"

    def open(self, *, attended: bool = True) -> None:
        """Open the port and a session.

        Parameters
        ----------
        attended : bool
            Have threads keep both from now on; else it is up to the caller to call `look_after` now and then.
        """
        try:
            self._link.connect()
        except BaseException:
            self._link.close()
            raise
        if attended:
            self._link.start()
            self.lease.start()

    def look_after(self) -> None:
        """Do once what the bridge's threads do: look at the port, open it again when it is gone, renew the lease."""
        self._link.look()
        self.lease.tick()

    # What is there

    @property
    def info(self) -> Hello:
        """What the microcontroller said of itself when it was last asked; see `look`."""
        return self._session.info

    def look(self) -> Hello:
        """Ask the microcontroller about itself now."""
        return self._session.refresh()

    @property
    def dictionary(self) -> Dictionary:
        """What the microcontroller offers."""
        if self._dictionary is None:
            raise BridgeError("This bridge was not opened yet.", fix="Get one from open_bridge().")
        return self._dictionary

    def sensor(self, name: str) -> Sensor:
        """Give a sensor by its name; raises UnknownName."""
        entry = self.dictionary.sensor(name)
        sensor = self._sensors.get(name)
        if sensor is None or sensor.entry != entry:
            sensor = Sensor(entry, self._read_value, self.clock.moment, self._telemetry, self._now)
            self._sensors[name] = sensor
        return sensor

    def output(self, name: str) -> Output:
        """Give an output by its name; raises UnknownName. It acts only where `open_bridge` allowed it."""
        return Output(self.dictionary.output(name), self._session.change, self._read_value, self._permission)

    def axis(self, name: str) -> Axis:
        """Give an axis by its name; raises UnknownName. It acts only where `open_bridge` allowed it."""
        return Axis(self.dictionary.axis(name), self._begin_job, self._read_value, self.stop, self._permission)

    # What is done

    def stop(self, axis: str | None = None) -> None:
        """Stop an axis, or all of them and make all outputs safe: at once, whatever else is under way."""
        body = {} if axis is None else {"axis": axis}
        what = f"Stopping {axis or 'everything'}"
        lane = self._link.safety
        self._session.ask(WRITE, number.EDGE, number.STOP, body, what, lane=lane, urgent=True)

    def clear(self) -> None:
        """Leave the fault state, where its cause is gone."""
        self._session.change(number.CLEAR, {}, "Leaving the fault state")

    def echo(self, text: str) -> str:
        """Have a text sent back: the shortest way to see that the link works."""
        said = self._session.ask(WRITE, number.OS, number.ECHO, {"d": text}, "An echo").body.get("r")
        if said != text:
            raise BridgeError(f"The echo of {text!r} was {said!r}.", fix="edge bridge selftest looks at the link.")
        return text

    def upload(self, name: str, data: bytes, progress: Progress = ignore) -> None:
        """Send a file: ``/config.json``, ``/slot/a`` or ``/slot/b``. See `send_file`."""
        self._maintenance.upload(name, data, progress)

    def configure(self, config: Mapping[str, Any] | str | Path) -> Hello:
        """Send a configuration, a mapping or a JSON file, and have it taken; Refused says what is wrong with it."""
        return self._maintenance.configure(config_bytes(config))

    def update(self, firmware: bytes | str | Path, progress: Progress = ignore) -> Hello:
        """Send new firmware into the slot that is not in use, and start it on trial; `confirm` keeps it.

        Parameters
        ----------
        firmware : bytes or path
            A slot file.
        progress : function
            Told bytes sent, and bytes in all.

        Raises
        ------
        BridgeError
            If it does not come up: the old firmware is started again then.
        """
        return self._maintenance.update(image_bytes(firmware), progress)

    def confirm(self) -> None:
        """Keep the firmware that runs; else the next start goes back to the one before."""
        self._session.change(number.CONFIRM, {}, "Keeping the firmware")

    def restart(self, timeout_s: float = 30.0) -> Hello:
        """Restart the microcontroller and wait until it is back: outputs safe, positions unknown."""
        return self._maintenance.restart(timeout_s)

    # What happened

    @property
    def actions(self) -> list[Action]:
        """What outputs and axes would have done in a dry run."""
        return list(self._permission.actions)

    @property
    def epoch(self) -> tuple[int, int]:
        """Which start of it this is, and how often the lease ran out: outputs are safe whenever that has changed."""
        return self.info.boot, self.lease.lapses

    @property
    def statistics(self) -> Statistics:
        """What was counted since the bridge was opened."""
        return replace(self._link.statistics, lapses=self.lease.lapses)

    @property
    def frames(self) -> list[Recorded]:
        """The last hundred messages each way."""
        return self._link.recorder.frames

    def close(self) -> None:
        """Make all safe and let go of the port, in bounded time; twice is harmless."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._session.ended = True
        self.lease.close()
        if self._link.is_up:
            try:
                self._renew(0, timeout_s=_GIVE_BACK_S)
            except BridgeError as error:
                logger.debug("The lease was not given back, and runs out by itself: %s", error)
        self._link.close()

    def __enter__(self) -> Bridge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What the parts ask through

    def _greet(self) -> None:
        self._session.greet()

    def _fetch_dictionary(self) -> None:
        self._dictionary = dictionaries.fetch(self.info.dictionary, self._dictionary_piece)

    def _dictionary_piece(self, offset: int) -> Mapping[str, Any]:
        return self._session.read(number.DICTIONARY, {"off": offset}, "Fetching the dictionary").body

    def _longest_s(self) -> float:
        return self._dictionary.longest_lease_s if self._dictionary else 1.0

    def _renew(self, lease_ms: int, *, timeout_s: float | None = None) -> None:
        timeout_s = timeout_s or max(lease_ms / 1000, _GIVE_BACK_S)
        what = "Renewing the lease"
        self._session.change(number.LEASE, {"ms": lease_ms}, what, timeout_s=timeout_s, safety=True, settle=False)

    def _read_value(self, name: str, timeout_s: float) -> Answer:
        return self._session.read(number.READ_VALUE, {"name": name}, f"Reading {name}", timeout_s=timeout_s)

    def _watch(self, names: list[str], period_us: int) -> Mapping[str, Any]:
        return self._session.change(number.WATCH, {"names": names, "us": period_us}, "Sampling sensors").body

    def _readings(self, start: int, most: int, timeout_s: float) -> Answer:
        body = {"from": start, "most": most}
        return self._session.read(number.READINGS, body, "Fetching readings", timeout_s=timeout_s)

    def _begin_job(self, command: int, body: Mapping[str, Any], what: str) -> Job:
        job = self._session.change(command, body, what).body.get("job")
        epoch = self._session.epoch

        def look() -> dict[str, Any]:
            return dict(self._session.read_of(epoch, number.JOB, {"job": job}, what).body)

        return Job(what, look, lambda: self.stop(body["axis"]), sleep=self._sleep, clock=self._now)
