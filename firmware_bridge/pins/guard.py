"""What stands guard over outputs: their lease runs out in time, and they are safe before the process ends."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import select
import signal
import socket
import threading
import time
import weakref
from collections.abc import Callable
from types import FrameType

__all__ = ["Guard"]

logger = logging.getLogger("edge_sdk.pins")

_STEP_S = 0.02
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_GUARDS: weakref.WeakSet[Guard] = weakref.WeakSet()


class Guard:
    """A thread that lets time pass for the leases, and makes all safe at SIGTERM and SIGHUP.

    The thread hears of a signal at once, also while the main thread works in a library that takes seconds. Where the
    program has handlers of its own they are left alone, and what they do is up to it. Signals can be heard only where
    `start` is called in the main thread.

    Parameters
    ----------
    step : function
        Lets time pass; called every 20 ms.
    end : function
        Makes everything safe and lets nothing be set any more. It may be called twice, and from several threads.
    """

    def __init__(self, step: Callable[[], None], end: Callable[[], None]) -> None:
        self._step, self._end = step, end
        self._near, self._far = socket.socketpair()
        for end_of_pair in (self._near, self._far):
            end_of_pair.setblocking(False)
        self._closed = False
        self._handled: list[signal.Signals] = []
        self._hears = False
        self._thread = threading.Thread(target=self._run, name="pins-guard", daemon=True)

    def start(self) -> None:
        """Stand guard from now on."""
        atexit.register(self._end)
        _GUARDS.add(self)
        if threading.current_thread() is threading.main_thread():
            self._listen()
        else:
            logger.warning("Pins were opened outside of the main thread: SIGTERM leaves outputs as they are.")
        self._thread.start()

    def close(self) -> None:
        """Stand guard no longer, and have signals do what they did before; twice is harmless."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._end)
        if threading.current_thread() is threading.main_thread():
            for number in self._handled:
                if signal.getsignal(number) == self._on_signal:
                    signal.signal(number, signal.SIG_DFL)
            self._unhear()
        with contextlib.suppress(OSError):
            self._far.send(b"\0")
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout=1)
        if not self._hears:
            self._near.close()
            self._far.close()

    def forget(self) -> None:
        """Let a copy of this process not speak for it."""
        if self._hears:
            self._unhear()
        for number in self._handled:
            signal.signal(number, signal.SIG_DFL)

    def _listen(self) -> None:
        self._handled = [number for number in _SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
        for number in self._handled:
            signal.signal(number, self._on_signal)
        if self._handled:
            # Written to by the signal itself, before any Python runs; there is one in a process.
            old = signal.set_wakeup_fd(self._far.fileno(), warn_on_full_buffer=False)
            self._hears = old == -1
            if not self._hears:  # asyncio has it
                signal.set_wakeup_fd(old)

    def _unhear(self) -> None:
        now = signal.set_wakeup_fd(-1)
        if now not in (-1, self._far.fileno()):  # something else has taken it since
            signal.set_wakeup_fd(now)
        self._hears = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Die of the signal as without a guard, but safe."""
        self._end()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _run(self) -> None:
        while not self._closed:
            ready, _, _ = select.select([self._near], [], [], _STEP_S)
            heard = self._near.recv(64) if ready else b""
            try:
                if any(number in heard for number in self._handled):
                    self._end()
                self._step()
            except Exception:  # whatever a driver does: without a guard no lease would run out
                logger.exception("The guard of the pins goes on after an error.")
                time.sleep(1)


def _forget() -> None:
    for guard in tuple(_GUARDS):
        guard.forget()


os.register_at_fork(after_in_child=_forget)
