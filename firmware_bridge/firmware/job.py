"""Long work, known by a number and asked after."""

from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.wire import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RUNNING = "running"
DONE = "done"
STOPPED = "stopped"
FAILED = "failed"

_KEPT = 8


class Job:
    """One move or one homing of an axis."""

    def __init__(self, count: int, axis: "Any") -> None:
        self.number = count
        self.axis = axis
        self.state = RUNNING
        self.why = ""
        self._at_um: float | None = None

    def end(self, state: str, why: str = "") -> None:
        """Say how it ended; where the axis is by now stays its answer."""
        self.state = state
        self.why = why
        self._at_um = self.axis.position_um

    def told(self) -> "dict[str, Any]":
        """Give what is answered to who asks after it."""
        at = self.axis.position_um if self.state == RUNNING else self._at_um
        return {"state": self.state, "at": at, "why": self.why}


class JobBook:
    """The newest jobs; older ones are forgotten."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._count = 0

    def begin(self, axis: "Any") -> Job:
        """Make a job of an axis."""
        self._count += 1
        job = Job(self._count, axis)
        self._jobs.append(job)
        if len(self._jobs) > _KEPT:  # fewer run: one of each axis at most
            ended = [old for old in self._jobs if old.state != RUNNING]
            self._jobs.remove(ended[0] if ended else job)
        return job

    def job(self, count: int) -> Job:
        """Give a job by its number.

        Raises
        ------
        FirmwareError
            When there never was one, or it is forgotten.
        """
        for job in self._jobs:
            if job.number == count:
                return job
        raise FirmwareError(number.NO_JOB, f"job {count}; the last {_KEPT} of {self._count} are known")
