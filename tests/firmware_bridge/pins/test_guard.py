from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from firmware_bridge.pins import guard as module
from firmware_bridge.pins.guard import Guard


def nothing() -> None:
    """Stand in for a step, or an end."""


@pytest.fixture
def guard() -> Iterator[Guard]:
    made = Guard(nothing, nothing)
    yield made
    made.close()
    made.close()
    assert signal.getsignal(signal.SIGTERM) in (signal.SIG_DFL, signal.SIG_IGN)
    assert not made._thread.is_alive()


def wakeup() -> int:
    now = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(now)
    return now


def test_signals_are_as_they_were_after_it(guard):
    guard.start()
    assert signal.getsignal(signal.SIGTERM) == guard._on_signal
    assert wakeup() == guard._far.fileno()
    guard.close()
    assert wakeup() == -1


def test_a_handler_of_the_programs_own_is_left_alone(guard):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        guard.start()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
        guard.close()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_the_wake_up_of_an_event_loop_is_left_alone(guard):
    near, far = socket.socketpair()
    with near, far:
        far.setblocking(False)
        signal.set_wakeup_fd(far.fileno())
        try:
            guard.start()
            assert wakeup() == far.fileno()
            guard.close()
            assert wakeup() == far.fileno()
        finally:
            signal.set_wakeup_fd(-1)


def test_outside_of_the_main_thread_it_says_that_signals_are_not_heard(guard, caplog):
    starter = threading.Thread(target=guard.start)
    starter.start()
    starter.join()
    assert "SIGTERM leaves outputs as they are" in caplog.text
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_an_error_of_a_step_does_not_end_it(monkeypatch, caplog):
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    calls, twice = [], threading.Event()

    def step() -> None:
        calls.append(1)
        if len(calls) == 2:
            twice.set()
        raise ValueError("a driver's slip")

    guard = Guard(step, nothing)
    guard.start()
    assert twice.wait(10)
    guard.close()
    assert "goes on after an error" in caplog.text


def test_a_copy_of_the_process_does_not_speak_for_it(guard):
    guard.start()
    guard.forget()
    assert wakeup() == -1
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
