"""Long work is asked after by its number."""

from __future__ import annotations

import pytest
from rig import Rig

from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.firmware.job import JobBook
from firmware_bridge.wire import number


def test_jobs_are_kept_to_a_number():
    book = JobBook()
    rig = Rig()
    jobs = []
    for _ in range(20):
        jobs.append(book.begin(rig.axis))
        jobs[-1].end("done")
    assert [job.number for job in jobs] == list(range(1, 21))
    assert book.job(13) is jobs[12]
    with pytest.raises(FirmwareError) as caught:
        book.job(12)
    assert caught.value.rc == number.NO_JOB


def test_moves_over_the_wire_answer_with_a_job_that_is_asked_after(bench):
    bench.open(5000)
    bench.home()
    job = bench.do(number.MOVE, {"axis": "x", "by": 100, "speed": 1000})["job"]
    assert bench.ask(number.JOB, {"job": job})["state"] == "running"
    assert bench.rc(bench.do(number.MOVE, {"axis": "x", "by": 1})) == number.BUSY
    assert bench.finish(job) == {"state": "done", "at": -4900.0, "why": "", "t": bench.server.clock.now()}
    assert bench.server.pause_us == 1000
    job = bench.do(number.MOVE, {"axis": "x", "by": 100})["job"]
    assert bench.server.pause_us == 0
    bench.ask(number.STOP, {"axis": "x"}, 2)
    assert bench.finish(job)["state"] == "stopped"


def test_a_job_that_runs_is_never_forgotten():
    book = JobBook()
    long, short = Rig(), Rig(home=None)
    short.home()
    running = book.begin(long.axis)
    for _ in range(20):
        job = book.begin(short.axis)
        job.end("done")
    assert book.job(running.number) is running
    assert book.job(job.number) is job
    assert len(book._jobs) == 8


@pytest.mark.parametrize("command", [number.HOME, number.MOVE])
def test_a_driver_that_does_not_answer_at_the_start_is_told_and_leaves_no_job(bench, command):
    bench.open(5000)
    bench.home("z")
    bench.parts.axes["z"].broken = True
    answer = bench.do(command, {"axis": "z", "by": 1})
    assert bench.rc(answer) == number.HARDWARE
    assert bench.ask(number.JOB, {"job": 2})["state"] == "failed"
    bench.parts.axes["z"].broken = False
    assert bench.rc(bench.do(number.MOVE, {"axis": "z", "by": 1})) == 0
