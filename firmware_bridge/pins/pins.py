"""The board's own pins: sensors and outputs under the same lease as a microcontroller's, without one."""

from __future__ import annotations

import os
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from firmware_bridge.error import BridgeClosed, BridgeError, Refused, UnknownName
from firmware_bridge.firmware.clock import Clock
from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.firmware.hardware import NOW
from firmware_bridge.firmware.lease import Lease
from firmware_bridge.firmware.machine import Machine
from firmware_bridge.heartbeat import HEARTBEAT, Heartbeat
from firmware_bridge.link.lane import Answer
from firmware_bridge.link.refusal import reason
from firmware_bridge.part.dictionary import Dictionary, read_dictionary
from firmware_bridge.part.output import Output
from firmware_bridge.part.permission import Action, Permission
from firmware_bridge.part.sensor import Sensor
from firmware_bridge.pins.config import LEASE_MS, read_config
from firmware_bridge.pins.edge import edges
from firmware_bridge.pins.gpio import Line
from firmware_bridge.pins.guard import Guard
from firmware_bridge.pins.parts import PinParts
from firmware_bridge.pins.place import Places
from firmware_bridge.pins.sampler import Sampler
from firmware_bridge.reading import Reading
from firmware_bridge.session.clock import Moment
from firmware_bridge.session.lease import Keeper
from firmware_bridge.wire import number

__all__ = ["Pins", "open_pins"]

_POLL_S = 0.05
_BUS_S = 0.5  # what closing waits for a sensor that is being read


def open_pins(
    config: Mapping[str, Any] | str | Path,
    *,
    allow: Collection[str] = (),
    dry_run: bool = False,
    lease_s: float = 1.0,
) -> Pins:
    """Open the board's own pins.

    Parameters
    ----------
    config : mapping or path
        What hangs where, or a JSON file of it.
    allow : collection of str
        Names of the outputs that may act; none unless given.
    dry_run : bool
        Record what outputs were to do, and do none of it: their pins are not claimed, and stay as they are.
    lease_s : float
        How soon after the work has stopped everything goes safe.

    Raises
    ------
    BridgeError
        If the configuration is wrong.
    NoDevice
        If a chip, a line or a bus is not there.
    PortBusy
        If another process has a line.
    EdgeError
        If a library is missing.
    """
    found = read_config(config)
    pins = Pins(PinParts(found, Places(), idle=dry_run), found, allow=allow, dry_run=dry_run, lease_s=lease_s)
    pins.start()
    return pins


class Pins:
    """What hangs on the board's own pins; get it from `open_pins`, and use it in ``with``.

    Outputs are at their safe values from when their pins are claimed, go there when the work stalls, and are there when
    this is closed, at the end of the program, and at SIGTERM. SIGKILL and a power cut leave no time for it.

    Parameters
    ----------
    parts : PinParts
        What was claimed.
    config : dict
        From which it was made.
    allow, dry_run, lease_s
        See `open_pins`.
    heartbeat : Heartbeat
        Says whether the work is alive.
    clock : function
        Monotonic seconds.
    """

    kind = "board"

    def __init__(
        self,
        parts: PinParts,
        config: dict[str, Any],
        *,
        allow: Collection[str] = (),
        dry_run: bool = False,
        lease_s: float = 1.0,
        heartbeat: Heartbeat = HEARTBEAT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = str(config.get("name", "")) or "pins"
        self._parts, self._now = parts, clock
        self._config = {**config, "lease_ms": config.get("lease_ms", LEASE_MS)}
        # A signal's handler may come upon its own thread. A bus that hangs must not keep outputs from being made safe.
        self._lock, self._reading = threading.RLock(), threading.RLock()
        self._ended = threading.Event()
        self._safe = False
        self._process = os.getpid()
        self._clock = Clock(lambda: int(clock() * 1e6))
        self._lease = Lease()
        self._machine = Machine(parts, self._config, self._lease)
        told = self._machine.dictionary
        self.dictionary: Dictionary = read_dictionary(zlib.decompress(told.data, -zlib.MAX_WBITS))
        self._permission = Permission(allow, dry_run=dry_run, clock=clock)
        self.lease = Keeper(self._renew, heartbeat, lease_s=lease_s, longest_s=lambda: self.dictionary.longest_lease_s)
        self._guard = Guard(self.step, self._end)
        self._sampler = Sampler(self._read, self._ended.wait, clock)
        self._sensors: dict[str, Sensor] = {}

    def __repr__(self) -> str:
        names = ", ".join([*self._machine.parts.sensors, *self._machine.parts.outputs]) or "nothing"
        return f"<{'closed ' if self._ended.is_set() else ''}Pins {self.name}: {names}>"

    def start(self) -> None:
        """Begin the lease, and keep it from now on, as long as the work is alive."""
        self._guard.start()
        self.lease.tick()
        self.lease.start()
        threading.Thread(target=self._poll, name="pins-chips", daemon=True).start()

    def step(self) -> None:
        """Let time pass; the guard calls it every 20 ms."""
        with self._lock:
            if not self._ended.is_set():
                self._machine.advance(self._clock.tick())

    def _poll(self) -> None:
        """Let chips go on with what they do between readings."""
        while not self._ended.wait(_POLL_S):
            with self._reading:
                self._parts.chips.poll()

    def sensor(self, name: str) -> Sensor:
        """Give a sensor by its name; raises UnknownName."""
        entry = _named("sensor", name, self.dictionary.sensors)
        if name not in self._sensors:
            self._sensors[name] = Sensor(entry, self._ask, _moment, self._sampler, self._now)
        return self._sensors[name]

    def output(self, name: str) -> Output:
        """Give an output by its name; raises UnknownName. It acts only where `open_pins` allowed it."""
        return Output(_named("output", name, self.dictionary.outputs), self._change, self._ask, self._permission)

    def axis(self, name: str) -> NoReturn:
        """Raise UnknownName: only a microcontroller has axes."""
        raise _unknown("axis", name, {})

    def bus(self, name: str) -> Any:
        """Give a bus by its name, for a driver of one's own; raises UnknownName.

        I2C has ``readfrom_mem`` and ``writeto_mem``, SPI has ``transfer``.
        """
        return _named("bus", name, self._parts.buses)

    def edges(self, name: str, *, timeout_s: float | None = None) -> Iterator[Reading]:
        """Give one edge of a digital sensor after the other, each with the kernel's time.

        Parameters
        ----------
        timeout_s : float, optional
            End when none came for so long.

        Raises
        ------
        BridgeError
            If the configuration asks for no edges of it.
        """
        line = self._parts.sensors.get(_named("sensor", name, self.dictionary.sensors).name)
        if not isinstance(line, Line) or not line.has_edges:
            raise BridgeError(
                f"{name} tells no edges.", fix='Give it "kind": "digital" and "edges": true in the configuration.'
            )
        return edges(name, line, self._ended.is_set, timeout_s)

    def stop(self) -> None:
        """Set every output to its safe value, at once."""
        with self._lock:
            self._machine.make_safe("stopped")

    def clear(self) -> None:
        """Leave the fault state, where its cause is gone."""
        with self._lock:
            self._lease.fault = self._machine.outputs.why

    @property
    def epoch(self) -> tuple[int, int]:
        """Always the same start, and how often the lease ran out: outputs are safe after that."""
        return 0, self.lease.lapses

    @property
    def actions(self) -> list[Action]:
        """What outputs would have done in a dry run."""
        return list(self._permission.actions)

    def close(self) -> None:
        """Make all safe and let go of the pins; twice is harmless."""
        self._end()
        self.lease.close()
        self._guard.close()

    def __enter__(self) -> Pins:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end(self) -> None:
        """Make all safe and let go of the pins, so that nothing is set any more; twice is harmless."""
        if os.getpid() != self._process:  # a copy of this process, which has the same pins, but not to set
            return
        with self._lock:
            self._ended.set()
            if self._safe:
                return
            # All of this may be under way in this very thread, when a signal comes upon it.
            self._machine.outputs.make_safe()
            idle = self._reading.acquire(timeout=_BUS_S)
            try:
                self._machine.close()
            finally:
                if idle:
                    self._reading.release()
            self._safe = True

    # What sensors and outputs ask through

    def _change(self, command: int, body: Mapping[str, Any], what: str) -> Answer:
        """Set an output, if a lease runs."""
        began_s = self._now()
        with self._lock:
            self._check_open()
            self._machine.advance(self._clock.tick())
            try:
                if self._lease.fault:
                    raise FirmwareError(number.FAULT, self._lease.fault)
                if self._lease.left_us <= 0:
                    raise FirmwareError(number.NO_LEASE)
                outputs, name = self._machine.outputs, body["name"]
                value = outputs.set(name, body["value"], self._lease.left_us, body.get("ms", 0))
            except FirmwareError as error:
                raise _refused(what, error) from error
        return Answer({"value": value}, began_s, self._now(), 1)

    def _ask(self, name: str, timeout_s: float) -> Answer:
        began_s = self._now()
        try:
            value, ticks_us, within_us = self._read(name)
        except OSError as error:
            if isinstance(error, BridgeError):
                raise
            fix = "Check its wiring, its supply and its address on the bus."
            raise BridgeError(f"{name} cannot be read.", why=f"{error}.", fix=fix) from error
        if value is None:
            raise BridgeError(
                f"{name} has no value just now.",
                why="It measures for the first time, or what it measures is beyond its range.",
                fix="Read it again in a second.",
            )
        return Answer({"value": value, "t": ticks_us, "within": within_us}, began_s, self._now(), 1)

    def _read(self, name: str) -> tuple[Any, int, int]:
        """Read a name: its value, microseconds of the clock when it was measured, and how far off they may be."""
        with self._lock if name in self._machine.outputs else self._reading:
            self._check_open()
            began_s = self._now()
            value = self._machine.read(name)
            age_us, within_us = self._machine.age(name) if value is not None else NOW
            half_us = (self._now() - began_s) * 5e5  # it was asked somewhen in between
        return value, int(began_s * 1e6 + half_us) - age_us, int(half_us) + within_us

    def _renew(self, lease_ms: int) -> None:
        with self._lock:
            if self._ended.is_set():
                return
            self._machine.advance(self._clock.tick())
            self._lease.begin(lease_ms)
            if self._lease.left_us > 0:
                self._machine.outputs.renew(self._lease.left_us)
            else:
                self._machine.make_safe("the lease was given back")

    def _check_open(self) -> None:
        if self._ended.is_set():
            raise BridgeClosed(
                f"The pins {self.name} were used after they were closed.", fix="Use them within the with."
            )


def _refused(what: str, error: FirmwareError) -> Refused:
    fix = "docs/how-to/use-the-pins.md tells when outputs may be set."
    if error.rc == number.NO_LEASE:
        fix = "A lease is renewed only while the work is alive: see whether the model hangs, then set it again."
    said = reason(error.rc).capitalize()
    refused = Refused(f"{what} was refused.", why=f"{said}{f': {error.why}' if error.why else ''}.", fix=fix)
    refused.rc = error.rc
    return refused


def _moment(ticks_us: int) -> Moment:
    return Moment(ticks_us / 1e6, 1e-6)


def _named(kind: str, name: str, there: Mapping[str, Any]) -> Any:
    if name not in there:
        raise _unknown(kind, name, there)
    return there[name]


def _unknown(kind: str, name: str, there: Mapping[str, Any]) -> UnknownName:
    return UnknownName(
        f"The pins have no {kind} {name!r}.",
        why=f"There is {', '.join(sorted(there))}." if there else f"There is no {kind} at all.",
        fix="Name one of those, or put it into the configuration.",
    )
