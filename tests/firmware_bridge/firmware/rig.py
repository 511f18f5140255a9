"""An axis alone, with a clock that moves when it is told to."""

from __future__ import annotations

from bench import CONFIG, BenchClock, RecordedAxis

from firmware_bridge.firmware.job import JobBook
from firmware_bridge.firmware.motion import Axis


class Rig:
    """An axis, a clock, and what is asked of them."""

    def __init__(self, **changed) -> None:
        item = {**CONFIG["axes"]["x"], **changed}
        self.clock = BenchClock()
        self.pins = RecordedAxis({key: value for key, value in item.items() if value is not None}, self.clock)
        self.pins.burst = 1
        self.axis = Axis(self.pins)
        self.jobs = JobBook()

    def pass_us(self, us, step_us=100):
        for _ in range(us // step_us):
            self.clock.now_us += step_us
            self.axis.advance(step_us)

    def finish(self, job, step_us=100):
        while job.state == "running":
            self.clock.now_us += step_us
            self.axis.advance(step_us)
        return job.told()

    def home(self):
        job = self.jobs.begin(self.axis)
        self.axis.home(job)
        return self.finish(job, step_us=400)

    def begin(self, by=None, to=None, speed=None):
        wanted = self.axis.target(by, to)
        job = self.jobs.begin(self.axis)
        self.axis.move(wanted, self.axis.checked_speed(speed), job)
        return job

    def move(self, by=None, to=None, speed=None):
        return self.finish(self.begin(by, to, speed))
