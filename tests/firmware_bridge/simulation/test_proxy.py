from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge.error import PortGone
from firmware_bridge.port.port import open_port
from firmware_bridge.simulation.fault import FaultPair, Faults
from firmware_bridge.simulation.proxy import PtyProxy, SocketProxy


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    pair = socket.socketpair()
    yield pair
    for end in pair:
        end.close()


def test_a_pty_carries_bytes_both_ways(ends: tuple[socket.socket, socket.socket], tmp_path: Path) -> None:
    device, inner = ends
    proxy = PtyProxy(inner.fileno(), FaultPair(Faults()), tmp_path / "port")
    port = open_port(str(proxy.path))
    port.write(b"there\n")
    assert device.recv(99) == b"there\n"
    device.sendall(b"and back\n")
    assert port.read(5) == b"and back\n"
    port.close()
    proxy.close()
    assert not proxy.path.is_symlink()


def test_faults_are_put_in_between(ends: tuple[socket.socket, socket.socket], tmp_path: Path) -> None:
    device, inner = ends
    proxy = PtyProxy(inner.fileno(), FaultPair(Faults()), tmp_path / "port")
    proxy.faults.to_device.meet(("drop", 0), ("double", 0))
    with open(proxy.path, "wb", buffering=0) as port:  # noqa: PTH123
        port.write(b"lost\ntwice\n")
        assert device.recv(99) == b"twice\ntwice\n"
    proxy.close()
    assert proxy.faults.counts == {"units": 2, "drop": 1, "double": 1}


def test_late_bytes_come_without_others_to_wake_for(ends: tuple[socket.socket, socket.socket], tmp_path: Path) -> None:
    device, inner = ends
    device.settimeout(5)
    proxy = PtyProxy(inner.fileno(), FaultPair(Faults(late_ms=20)), tmp_path / "port")
    proxy.faults.to_device.meet(("late", 0))
    with open(proxy.path, "wb", buffering=0) as port:  # noqa: PTH123
        port.write(b"late\n")
        assert device.recv(99) == b"late\n"
    proxy.close()


def test_a_plug_that_was_pulled_is_seen_and_comes_back_as_another_tty(
    ends: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    _, inner = ends
    proxy = PtyProxy(inner.fileno(), FaultPair(Faults()), tmp_path / "port")
    for _ in range(3):
        before = proxy.path.readlink()
        port = open_port(str(proxy.path))
        proxy.unplug()
        assert not proxy.path.exists()
        with pytest.raises(PortGone):
            port.read(5)
        port.close()
        proxy.plug()
        assert proxy.path.readlink() != before
    proxy.close()


def test_a_socket_takes_one_host_after_the_other(ends: tuple[socket.socket, socket.socket]) -> None:
    device, inner = ends
    proxy = SocketProxy(inner.fileno(), FaultPair(Faults()))
    for word in (b"one\n", b"two\n"):
        port = open_port(proxy.address)
        port.write(word)
        assert device.recv(99) == word
        device.sendall(word)
        assert port.read(5) == word
        port.close()
    proxy.close()


def test_closing_twice_is_harmless_and_leaves_nothing_open(
    ends: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    proxy = PtyProxy(ends[1].fileno(), FaultPair(Faults()), tmp_path / "port")
    proxy.close()
    proxy.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
