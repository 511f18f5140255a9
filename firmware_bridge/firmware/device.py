"""A microcontroller's state and the time that passes in it: leases, jobs, samples, and its configuration."""

from binascii import crc32

from firmware_bridge.firmware import config, field
from firmware_bridge.firmware.clock import Clock
from firmware_bridge.firmware.error import ConfigError, FirmwareError
from firmware_bridge.firmware.hardware import Parts
from firmware_bridge.firmware.lease import Lease
from firmware_bridge.firmware.machine import Machine
from firmware_bridge.firmware.session import Session
from firmware_bridge.firmware.slot import Slots
from firmware_bridge.firmware.telemetry import Telemetry
from firmware_bridge.firmware.upload import CONFIG, MOST_BYTES, STAGED, Upload
from firmware_bridge.wire import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firmware_bridge.firmware.files import Files

_RESTART_US = 100_000
_HOUSE_US = 1000


class Device:
    """A microcontroller, but for its pins and what is said over the link.

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
        self.config_crc = 0
        self._restart_us = 0
        self._owed_us = 0
        self._late_us = 0  # how long after the clock's time a chip was asked
        self._closed = False
        self._unbuilt = ""
        self.clock = Clock(clock_us)
        self.session = Session()
        self.lease = Lease()
        self.slots = Slots(files, slot, trial)
        self.upload = Upload(files, self.slots)
        self.machine = Machine(Parts(), {}, self.lease)
        self.telemetry = Telemetry(getattr(hardware, "readings", 512), self._read, self.age)
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

    def poll(self) -> None:
        """Let time pass: leases, jobs, sampling; at least every millisecond or two."""
        if not self._step() or self._owed_us >= _HOUSE_US:
            self._keep_house()

    def _step(self) -> bool:
        """Let time pass for the axes; tell whether one moves."""
        passed = self.clock.tick()
        self._late_us = 0
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

    def age(self, name: str) -> "tuple[int, int]":
        """Say how many microseconds before the clock's time a value was measured, and how far off that may be.

        To be asked once it was read. Less than 0 is after it: asking a chip takes milliseconds, and the next one waits.
        """
        age_us, within_us = self.machine.age(name)
        if age_us:  # a chip; a pin alone is read at once, and the clock is not looked at for it
            self._late_us = self.clock.since()
        return age_us - self._late_us, within_us

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
            self.upload.forget()  # so that it is sent anew, and not gone on with where it ended
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
        self.upload.forget()  # the file is not where it was put: the same one may be sent anew
        self._took(data, wanted)

    def check_start(self, body: "dict[str, Any]") -> None:
        """Refuse what was meant for an earlier start, where it says so: it was under way for that long."""
        if body.get("boot", self.boot) != self.boot:
            raise FirmwareError(number.NO_SESSION, "it was sent before the last restart")

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
