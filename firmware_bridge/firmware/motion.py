"""One axis: whole steps, made one by one when their time has come, with acceleration, limits and play."""

from math import sqrt

from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.firmware.job import DONE, FAILED, STOPPED
from firmware_bridge.wire import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firmware_bridge.firmware.job import Job

_LATE_US = 50_000
"""What of a longer wait between two looks counts: an axis that was forgotten goes on, and does not catch up."""
_LEAVE = 0.1  # of the range, at most, to come off the switch
_BEYOND = 1.2  # of the range, at most, to find it

_MOVE = 0
_OFF = 1  # away from the switch
_ON = 2  # onto it


class Axis:
    """A stepper axis.

    Where it is wanted is counted in whole nanometres, where it is in whole steps, so that nothing adds up.
    Play is counted as steps, too: `_slack` says how many of it lie before the load follows forward.

    Parameters
    ----------
    pins : AxisPins
        Its driver; the entry says what it can do.
    """

    def __init__(self, pins: "Any") -> None:
        entry = pins.entry
        self.pins = pins
        self.entry = entry
        self.position = 0  # steps
        self.known = False
        self.job: Job | None = None
        self.burst = getattr(pins, "burst", 1)
        self._ahead_us = getattr(pins, "ahead_us", 0)
        self._step_pm: int = max(1, round(entry.get("um_per_step", entry.get("step", 1)) * 1_000_000))
        self._least_nm = round(entry["least"] * 1000)
        self._most_nm = round(entry["most"] * 1000)
        self._play = self._steps(round(entry.get("backlash", 0) * 1000))
        self._slack = 0
        self._home = entry.get("home")
        self._home_speed = self._home.get("speed", entry["speed"]) if self._home else entry["speed"]
        self._acceleration = self._rate(entry.get("acceleration", 4 * entry["speed"]))
        self._least_wait_us = self._wait_at(self._rate(entry["speed"]))
        self._wanted_nm = 0
        self._phase = _MOVE
        self._direction = 1
        self._left = 0  # pulses to make
        self._gap_us = 0  # that the next pulse is to come after the one before
        self._ramp = 0  # pulses that it takes to stop
        self._most_ramp = 1
        self._cruise_us = self._least_wait_us
        self._wait_us = 0
        self._stopping = ""
        self._time_us = 0  # for homing, what is left

    @property
    def moving(self) -> bool:
        """Whether a job runs."""
        return self.job is not None

    @property
    def position_um(self) -> "float | None":
        """Where it is, in micrometres; None where nobody knows."""
        return self.position * self._step_pm / 1_000_000 if self.known else None

    def target(self, by: "float | None", to: "float | None") -> int:
        """Give where a move would lead, in nanometres.

        Raises
        ------
        FirmwareError
            When the axis moves, does not know where it is, or would leave its range.
        """
        self.check_free()
        if not self.known:
            raise FirmwareError(number.NOT_HOMED)
        value = by if to is None else to
        if value is None or not -1e9 < value < 1e9:
            raise FirmwareError(number.RANGE, "by or to is to be micrometres")
        wanted = round(value * 1000) + (self._wanted_nm if to is None else 0)
        if not self._least_nm <= wanted <= self._most_nm:
            least, most = self.entry["least"], self.entry["most"]
            raise FirmwareError(number.RANGE, f"{wanted / 1000} um is not from {least} to {most}")
        return wanted

    def check_free(self) -> None:
        """Refuse while a job runs."""
        if self.job is not None:
            raise FirmwareError(number.BUSY, f"job {self.job.number} runs")

    def checked_speed(self, speed: "float | None") -> float:
        """Give the speed of a move, in micrometres a second, the axis's own where none is asked for."""
        most: float = self.entry["speed"]
        if speed is None:
            return most
        if not 0 < speed <= most or self._rate(speed) <= 0:
            raise FirmwareError(number.RANGE, f"speed {speed} is not above 0 and up to {most}")
        return speed

    def move(self, wanted_nm: int, speed: float, job: "Job") -> None:
        """Begin a move to where `target` gave."""
        self._enable()
        self._wanted_nm = wanted_nm
        way = self._steps(wanted_nm) - self.position
        if way == 0:
            job.end(DONE)
            return
        direction = 1 if way > 0 else -1
        play = self._play - self._slack if way > 0 else self._slack
        self._begin(job, _MOVE, direction, abs(way) + play, speed)

    def home(self, job: "Job") -> None:
        """Begin to look for the switch; an axis that has none takes where it stands for 0."""
        self._enable()
        if not self._home:
            self._found(0)
            job.end(DONE)
            return
        self.known = False
        speed = self._home_speed
        reach = self._steps(self._most_nm - self._least_nm) + self._play + 1
        self._time_us = int(2_000_000 + 2_000_000 * _BEYOND * reach / self._rate(speed))
        towards = self._home["to"]
        try:
            at_switch = self.pins.at_switch()
        except OSError as error:
            raise FirmwareError(number.HARDWARE, repr(error)) from None
        if at_switch:
            self._begin(job, _OFF, -towards, int(reach * _LEAVE) + self._play + 1, speed)
        else:
            self._begin(job, _ON, towards, int(reach * _BEYOND) + 1, speed)

    def stop(self, why: str, at_once: bool = False) -> None:
        """Stop: as its acceleration allows, which keeps its position, or at once, which may not."""
        if self.job is None:
            return
        self._stopping = why or "stopped"
        if at_once:
            if self._ramp > 1:
                self.known = False
            self._left = 0
        else:
            self._left = min(self._left, max(0, self._ramp - 1))
        if at_once or self._ramp == 0:
            self._end()

    def close(self) -> None:
        """Stop at once and take the motor's current away."""
        self.stop("closed", at_once=True)
        self.known = False
        try:
            self.pins.enable(False)
        except OSError as error:  # nothing more can be done
            self._stopping = repr(error)

    def advance(self, passed_us: int) -> None:
        """Let time pass, and make the steps that are due; never closer together than the axis's speed allows."""
        if self.job is None:
            return
        passed_us = min(passed_us, _LATE_US)
        if self._phase != _MOVE:
            self._time_us -= passed_us
            if self._time_us <= 0:
                self._fail("the home switch was not found in time")
                return
        self._wait_us -= passed_us
        if self._ahead_us and self._wait_us < 0:
            self._wait_us = 0  # whoever spaces the pulses has run out of them, and goes on from now
        pulses = 0
        try:
            while self.job is not None and self._wait_us <= self._early_us() and pulses < self.burst:
                pulses += 1
                self._step()
        except OSError as error:
            self._fail(repr(error))
        if pulses:
            self._wait_us = max(self._wait_us, self._least_wait_us if self.burst == 1 else 0)

    def _early_us(self) -> int:
        """Give how early the next pulse is made: not before it is known that there is one."""
        if self._phase != _MOVE or self._left <= 0:
            return 0
        return min(self._ahead_us, self._gap_us * (self.burst - 1))

    def _step(self) -> None:
        if self._phase != _MOVE and self.pins.at_switch() == (self._phase == _ON):
            self._at_edge()
            return
        if self._left <= 0:
            self._end()
            return
        if self._ramp > self._left:
            self._ramp = self._left
        elif self._ramp < min(self._most_ramp, self._left):
            self._ramp += 1
        if self._ahead_us:
            self.pins.queue(self._direction, self._gap_us)
        else:
            self.pins.pulse(self._direction)
        self._count()
        self._left -= 1
        cruise = self._ramp >= self._most_ramp
        self._gap_us = self._cruise_us if cruise else self._wait_at(sqrt(2 * self._acceleration * self._ramp))
        self._wait_us += self._gap_us

    def _count(self) -> None:
        """Count a pulse: what of it the play takes up moves nothing."""
        if self._direction > 0 and self._slack < self._play:
            self._slack += 1
        elif self._direction < 0 and self._slack > 0:
            self._slack -= 1
        else:
            self.position += self._direction

    def _at_edge(self) -> None:
        """Go on where the switch has opened or closed."""
        job = self.job
        if job is None or self._stopping:
            self._end()
            return
        if self._phase == _OFF:
            reach = self._steps(self._most_nm - self._least_nm)
            self._begin(job, _ON, -self._direction, int(reach * _LEAVE) + 2 * self._play + 2, self._home_speed)
            return
        self._slack = self._play if self._direction > 0 else 0
        self._found(round(self._home["at"] * 1000))
        self._left = 0
        self._end()

    def _found(self, at_nm: int) -> None:
        self._wanted_nm = at_nm
        self.position = self._steps(at_nm)
        self.known = True

    def _end(self) -> None:
        job, self.job = self.job, None
        if job is None:
            return
        if self._stopping:
            self._wanted_nm = self.position * self._step_pm // 1000
            job.end(STOPPED, self._stopping)
        elif self._phase == _MOVE or self.known:
            job.end(DONE)
        else:
            job.end(FAILED, "the home switch was not found" if self._phase == _ON else "the home switch stays closed")

    def _fail(self, why: str) -> None:
        job, self.job = self.job, None
        self.known = False
        if job is not None:
            job.end(FAILED, why)

    def _begin(self, job: "Job", phase: int, direction: int, pulses: int, speed: float) -> None:
        rate = self._rate(speed)
        self.job = job
        self._phase = phase
        self._direction = direction
        self._left = pulses
        self._ramp = 0
        self._most_ramp = max(1, int(rate * rate / (2 * self._acceleration) + 0.999))
        self._cruise_us = self._wait_at(rate)
        self._wait_us = self._gap_us = self._cruise_us
        self._stopping = ""

    def _enable(self) -> None:
        try:
            self.pins.enable(True)
        except OSError as error:
            raise FirmwareError(number.HARDWARE, repr(error)) from None

    def _steps(self, nm: int) -> int:
        """Round nanometres to whole steps."""
        return (nm * 1000 + self._step_pm // 2) // self._step_pm

    def _rate(self, speed_um: float) -> float:
        """Give steps a second for micrometres a second."""
        return speed_um * 1_000_000 / self._step_pm

    @staticmethod
    def _wait_at(rate: float) -> int:
        """Give the microseconds between steps at a rate, never fewer than it allows."""
        return int(1_000_000 / rate) + 1
