from __future__ import annotations

import os
import pty
import select
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge.bridge import Bridge, open_bridge
from firmware_bridge.error import Restarted
from firmware_bridge.port.port import open_port
from firmware_bridge.simulation.address import open_device
from firmware_bridge.simulation.device import SimDevice


class Cable:
    """A pty with a device behind it, in real time, under a name by its id."""

    def __init__(self, link: Path, device: SimDevice) -> None:
        self._far, self._near = pty.openpty()
        tty.setraw(self._near)
        self.tty = os.ttyname(self._near)
        self._device, self._pulled = device, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        link.unlink(missing_ok=True)
        link.symlink_to(self.tty)

    def _run(self) -> None:
        while not self._pulled.is_set():
            if select.select([self._far], [], [], 0.002)[0]:
                self._device.put(os.read(self._far, 4096))
            if told := self._device.step():
                os.write(self._far, told)

    def pull(self) -> None:
        self._pulled.set()
        self._thread.join()
        os.close(self._far)
        os.close(self._near)


@pytest.fixture
def device() -> Iterator[SimDevice]:
    device = open_device("sim://incubator", time.monotonic)
    yield device
    device.close()


def opened(place: Path) -> Bridge:
    bridge = Bridge(lambda: open_port(str(place)), str(place), allow=("heater",))
    bridge.open()
    return bridge


def test_a_device_that_comes_back_as_another_tty_is_in_use_again_within_two_seconds(
    tmp_path: Path, device: SimDevice
) -> None:
    place = tmp_path / "usb-Pico-if00"
    first = Cable(place, device)
    with opened(place) as bridge:
        bridge.output("heater").set(0.5)
        first.pull()
        held_pty = pty.openpty()  # else the kernel gives the same number again
        second = Cable(place, device)
        assert second.tty != first.tty
        back_s = time.monotonic()
        assert bridge.output("heater").value in (0, 0.5)  # waits for it
        assert time.monotonic() - back_s < 2
        assert bridge.statistics.disconnects == 1
        bridge.output("heater").set(0.7)
        assert bridge.output("heater").value == 0.7
    second.pull()
    for descriptor in held_pty:
        os.close(descriptor)


def test_one_that_lost_its_power_meanwhile_begins_a_new_session(tmp_path: Path, device: SimDevice) -> None:
    place = tmp_path / "usb-Pico-if00"
    first = Cable(place, device)
    with opened(place) as bridge:
        bridge.output("heater").set(0.5)
        first.pull()
        device.restart()
        second = Cable(place, device)
        assert bridge.output("heater").value == 0
        assert bridge.statistics.restarts == 1
        try:
            bridge.output("heater").set(0.7)
        except Restarted:
            bridge.output("heater").set(0.7)
        assert bridge.output("heater").value == 0.7
    second.pull()


def test_closing_is_bounded_though_the_other_side_is_silent(tmp_path: Path, device: SimDevice) -> None:
    place = tmp_path / "usb-Pico-if00"
    cable = Cable(place, device)
    bridge = opened(place)
    silent = threading.Event()

    def step() -> bytes:
        silent.set()
        return b""

    device.step = step  # type: ignore[method-assign]
    silent.wait()
    before_s = time.monotonic()
    bridge.close()
    bridge.close()
    assert time.monotonic() - before_s < 5
    cable.pull()


def test_a_bridge_over_a_simulated_device_by_its_name() -> None:
    with open_bridge("sim://incubator", allow=("heater",)) as bridge:
        bridge.output("heater").set(0.25)
        assert bridge.output("heater").value == 0.25
        assert bridge.sensor("temperature").latest(max_age_s=1).unit == "degC"
