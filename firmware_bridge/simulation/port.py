"""The port of a simulated microcontroller: its server runs in a thread of this process."""

from __future__ import annotations

import threading

from firmware_bridge.error import BridgeError, PortGone
from firmware_bridge.simulation.device import SimDevice

__all__ = ["SimPort"]

_END_S = 2.0  # a server that does not end by then is left behind: its thread does not keep the process


class SimPort:
    """What a bridge reads and writes, with a device behind it that runs in real time until it is closed.

    Parameters
    ----------
    name : str
        The address, for messages.
    device : SimDevice
        Stepped by this port's thread alone.
    """

    def __init__(self, name: str, device: SimDevice) -> None:
        self.name = name
        self.device = device
        self._there = threading.Condition()
        self._from_host = bytearray()
        self._to_host = bytearray()
        self._closed = False
        self._broken: Exception | None = None
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<SimPort {self.name}>"

    def read(self, timeout_s: float) -> bytes:
        """Give what has come, or wait for it; nothing when nothing comes in time.

        Raises
        ------
        PortGone
            If the port is closed.
        """
        with self._there:
            self._there.wait_for(lambda: self._to_host or self._closed or self._broken, timeout_s)
            self._check()
            data = bytes(self._to_host)
            self._to_host.clear()
            return data

    def write(self, data: bytes) -> None:
        """Send bytes to the device.

        Raises
        ------
        PortGone
            If the port is closed.
        """
        with self._there:
            self._check()
            self._from_host += data
        self._wake.set()

    def close(self) -> None:
        """End the device's thread, in bounded time; twice is harmless."""
        with self._there:
            self._closed = True
            self._there.notify_all()
        self._wake.set()
        self._thread.join(_END_S)

    def _run(self) -> None:
        try:
            while not self._closed:
                self._wake.wait(self.device.idle_s())
                self._wake.clear()
                self._step()
        except Exception as error:
            with self._there:
                self._broken = error
                self._there.notify_all()
        finally:
            self.device.close()

    def _step(self) -> None:
        with self._there:
            data = bytes(self._from_host)
            self._from_host.clear()
        if data:
            self.device.put(data)
        answer = self.device.step()
        if answer:
            with self._there:
                self._to_host += answer
                self._there.notify_all()

    def _check(self) -> None:
        if self._broken is not None:
            raise BridgeError(
                f"The simulated device of {self.name} broke down: {self._broken!r}.", fix="Please report this."
            ) from self._broken
        if self._closed:
            raise PortGone(f"{self.name} is closed.")
