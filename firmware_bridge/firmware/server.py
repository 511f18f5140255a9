"""The microcontroller's side of the link: takes bytes, does what they ask for, gives bytes."""

from binascii import crc32

from firmware_bridge.firmware import config, field, group_edge, group_file, group_os
from firmware_bridge.firmware.clock import Clock
from firmware_bridge.firmware.error import (
    NO_MEMORY,
    NOT_SUPPORTED,
    TOO_LONG,
    UNKNOWN,
    ConfigError,
    FirmwareError,
    refusal,
)
from firmware_bridge.firmware.hardware import Parts
from firmware_bridge.firmware.lease import Lease
from firmware_bridge.firmware.machine import Machine
from firmware_bridge.firmware.session import SAFETY, Session
from firmware_bridge.firmware.slot import Slots
from firmware_bridge.firmware.telemetry import Telemetry
from firmware_bridge.firmware.upload import CONFIG, MOST_BYTES, STAGED, Upload
from firmware_bridge.wire import number
from firmware_bridge.wire.line import AROUND_BYTES, LineReader, lines
from firmware_bridge.wire.message import READ, WRITE, Message, MessageError, decode_message, encode_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firmware_bridge.firmware.files import Files

_RESTART_US = 100_000
_HOUSE_US = 1000
_WAITING = 4
"""Requests of the work lane that are answered together; the board keeps one outstanding there."""
_GROUPS = {number.OS: group_os.answer, number.FILE: group_file.answer, number.EDGE: group_edge.answer}


class Server:
    """A microcontroller, but for its pins and its port.

    Parameters
    ----------
    hardware : Hardware
        The microcontroller and what hangs on it.
    files : Files
        Its files.
    clock_us : callable
        Its counter of microseconds, modulo 2**30 or a multiple of that.
    boot : int
        A random number of 32 bits, another one at every start.
    slot : str
        The slot of firmware that runs.
    trial : bool
        Whether that waits to be confirmed.

    Attributes
    ----------
    restart_wanted : bool
        Whether it is time to start anew.
    dropped : int
        Messages that were none, or no requests.
    failures : int
        Requests that this code broke down at.
    """

    def __init__(
        self,
        hardware: "Any",
        files: "Files",
        clock_us: "Callable[[], int]",
        boot: int,
        slot: str = "",
        trial: bool = False,
    ) -> None:
        self.hardware = hardware
        self.files = files
        self.boot = boot
        self.buffer_bytes = getattr(hardware, "buffer_bytes", 1024)
        self.restart_wanted = False
        self.dropped = 0
        self.failures = 0
        self.config_crc = 0
        self._restart_us = 0
        self._owed_us = 0
        self._closed = False
        self._unbuilt = ""
        self._reader = LineReader(self.buffer_bytes)
        self.clock = Clock(clock_us)
        self.session = Session()
        self.lease = Lease()
        self.slots = Slots(files, slot, trial)
        self.upload = Upload(files, self.slots)
        self.machine = Machine(Parts(), {}, self.lease)
        self.telemetry = Telemetry(getattr(hardware, "readings", 512), self._read)
        self._start()

    @property
    def pause_us(self) -> int:
        """How long it need not be polled: not at all while pulses are to be made one by one, a millisecond else."""
        for axis in self.machine.axes.values():
            if axis.moving and axis.burst == 1:
                return 0
        if 0 < self.telemetry.period_us < 5000:
            return max(50, min(900, self.telemetry.due_us))  # closer than a port's wait of whole milliseconds
        return 1000

    @property
    def noise(self) -> "dict[str, int]":
        """What came in and was no message, by cause."""
        return self._reader.dropped

    def receive(self, data: bytes) -> bytes:
        """Take what came in, and give what goes out; the safety lane's requests are done first."""
        self._step()
        self._keep_house()
        try:
            messages = self._reader.feed(data)
        except MemoryError:
            self._reader = LineReader(self.buffer_bytes)
            self.dropped += 1
            return b""
        safety: list[Message] = []
        work: list[Message] = []
        for message in messages:
            request = self._decoded(message)
            if request is not None:
                (safety if _is_safety(request) else work).append(request)
        if len(work) > _WAITING:  # copies of what was answered long ago: their answers would fill the memory
            self.dropped += len(work) - _WAITING
            del work[:-_WAITING]
        return b"".join([self._answered(request) for request in safety + work])

    def poll(self) -> None:
        """Let time pass: leases, jobs, sampling; at least every millisecond or two."""
        if not self._step() or self._owed_us >= _HOUSE_US:
            self._keep_house()

    def _step(self) -> bool:
        """Let time pass for the axes; tell whether one moves."""
        passed = self.clock.tick()
        self._owed_us += passed
        return self.machine.step(passed)

    def _keep_house(self) -> None:
        """Do all but the steps of axes, which come more often."""
        passed = self._owed_us
        self._owed_us = 0
        self.machine.advance(passed)
        self.telemetry.advance(passed, self.clock.now())
        self.hardware.feed()
        if self._restart_us > 0:
            self._restart_us -= passed
            self.restart_wanted = self._restart_us <= 0

    def clear(self) -> None:
        """Leave the fault state, if its cause is gone."""
        if self._unbuilt:
            self._start()
        self.machine.outputs.make_safe()
        self.lease.fault = self._unbuilt or self.machine.outputs.why

    def configure(self, crc: int) -> None:
        """Check the configuration that was uploaded, and take it in place of the old one.

        Raises
        ------
        FirmwareError
            When an axis moves, or it is wrong: then the old one is in use as before.
        """
        if self.machine.moving:
            raise FirmwareError(number.BUSY, "an axis moves")
        data = self._stored(STAGED)
        if data is None:
            raise ConfigError("", "nothing was uploaded")
        if crc32(data) & field.UINT32 != crc:
            raise ConfigError("", "what was uploaded has another CRC than was announced")
        wanted = config.parse(data)
        self._check(wanted)
        self.telemetry.watch([], 0)
        self.machine.close()
        try:
            self.machine.take(self.hardware.build(wanted), wanted)
        except (ConfigError, OSError, MemoryError) as error:
            self._start()
            raise error if isinstance(error, ConfigError) else ConfigError("", repr(error)) from None
        try:
            self.files.rename(STAGED, CONFIG)
        except OSError:
            self.machine.close()
            self._start()
            raise
        self._unbuilt = ""
        self._took(data, wanted)

    def restart(self) -> None:
        """Make everything safe, and want to be started anew once the answer to this has gone out."""
        self.lease.left_us = 0
        self.machine.make_safe("a restart")
        self._restart_us = _RESTART_US

    def close(self) -> None:
        """Make everything safe and let go of the hardware; twice is harmless."""
        if not self._closed:
            self._closed = True
            self.lease.left_us = 0
            self.machine.close()
            self.upload.forget()

    def _start(self) -> None:
        """Build what the stored configuration says; where that cannot be, say so as a fault."""
        self._unbuilt = ""
        data = self._stored(CONFIG) or b""
        parts, wanted = Parts(), {}
        try:
            if data:
                wanted = config.parse(data)
                self._check(wanted)
            parts = self.hardware.build(wanted)
        except ConfigError as error:
            self._unbuilt = f"{CONFIG}: {error.why}"
        except (OSError, MemoryError) as error:
            self._unbuilt = f"{CONFIG}: {error!r}"
        if self._unbuilt:
            parts, wanted = Parts(), {}
            self.lease.fault = self._unbuilt
        self.machine.take(parts, wanted)
        self._took(data, wanted)

    def _took(self, data: bytes, wanted: "dict[str, Any]") -> None:
        self.config_crc = crc32(data) & field.UINT32 if data else 0
        if wanted.get("watchdog_ms"):
            self.hardware.watch_for(wanted["watchdog_ms"])

    def _stored(self, name: str) -> "bytes | None":
        size = self.files.size(name)
        return None if size < 0 else self.files.read(name, 0, min(size, MOST_BYTES[CONFIG]))

    def _check(self, wanted: "dict[str, Any]") -> None:
        if hasattr(self.hardware, "check"):
            self.hardware.check(wanted)
        else:
            config.check(wanted)

    def _read(self, name: str) -> "Any":
        return self.machine.read(name)

    def _decoded(self, message: bytes) -> "Message | None":
        """Read a request; what is none is counted."""
        try:
            request = decode_message(message)
            if request.op in (READ, WRITE):
                return request
        except (MessageError, MemoryError):
            pass
        self.dropped += 1
        return None

    def _answered(self, request: "Message") -> bytes:
        """Do what a request asks for, and give the answer, ready to be sent."""
        body = self._body(request)
        answer = Message(request.op + 1, request.group, request.command, request.sequence, body)
        try:
            message = encode_message(answer)
            if len(message) + AROUND_BYTES <= self.buffer_bytes:
                return lines(message)
            answer.body = {"rc": TOO_LONG}
        except MemoryError:
            answer.body = {"rc": NO_MEMORY}
        return lines(encode_message(answer))

    def _body(self, request: "Message") -> "dict[str, Any]":
        group = _GROUPS.get(request.group)
        if group is None:
            return {"rc": NOT_SUPPORTED}
        try:
            return group(self, request.op, request.command, request.body)
        except FirmwareError as error:
            body = refusal(error)
        except MemoryError:
            body = {"rc": NO_MEMORY}
        except OSError as error:
            body = refusal(FirmwareError(number.HARDWARE, repr(error)))
        except Exception:  # a fault of this code's: whoever asked is to know, and everything else goes on
            self.failures += 1
            body = {"rc": UNKNOWN}
        if request.group == number.EDGE:
            body["t"] = self.clock.now()
        return body


def _is_safety(request: "Message") -> bool:
    known = group_edge.COMMANDS.get(request.command) if request.group == number.EDGE else None
    return known is not None and known[2] == SAFETY
