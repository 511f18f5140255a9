from __future__ import annotations

import contextlib
import os
import pty
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_bridge.error import BridgeError, BridgeTimeout, NoDevice, PortBusy, PortGone
from firmware_bridge.port.descriptor_port import DescriptorPort
from firmware_bridge.port.holder import holders
from firmware_bridge.port.port import open_port, resolve


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    """Give the far end of a pty, and the path of the near one."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    yield ours, os.ttyname(theirs)
    os.close(theirs)
    with contextlib.suppress(OSError):
        os.close(ours)


def test_bytes_go_both_ways_over_a_pty(line: tuple[int, str]) -> None:
    far, path = line
    port = open_port(path)
    port.write(b"there\n\x00\xff")
    assert os.read(far, 100) == b"there\n\x00\xff"
    os.write(far, b"and back\r\n\x03\x11\x13")
    assert port.read(1) == b"and back\r\n\x03\x11\x13"
    assert port.read(0) == b""
    port.close()
    port.close()
    with pytest.raises(PortGone, match="closed here"):
        port.read(0)
    with pytest.raises(PortGone, match="closed here"):
        port.write(b"x")


def test_a_port_of_another_process_is_refused_and_that_one_is_named(line: tuple[int, str]) -> None:
    code = (
        "import sys; from firmware_bridge.port.port import open_port;"
        "port = open_port(sys.argv[1]); print(1, flush=True); input()"
    )
    other = subprocess.Popen([sys.executable, "-c", code, line[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == b"1\n"
    with pytest.raises(PortBusy, match=rf"held by python.* \(pid {other.pid}\)"):
        open_port(line[1])
    other.communicate(b"\n")
    port = open_port(line[1])
    with pytest.raises(PortBusy):
        open_port(line[1])
    port.close()
    open_port(line[1]).close()


def test_the_other_side_hanging_up_is_told(line: tuple[int, str]) -> None:
    far, path = line
    port = open_port(path)
    os.close(far)
    with pytest.raises(PortGone, match="is gone"):
        port.read(1)
    with pytest.raises(PortGone, match="is gone"):
        port.write(b"x")
    port.close()


def test_a_port_that_takes_no_bytes_is_told_and_closed_all_the_same(line: tuple[int, str]) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    port = DescriptorPort("full", ours.fileno(), ours.close, write_s=0.05)
    with pytest.raises(BridgeTimeout, match="full takes no bytes"):
        port.write(bytes(10_000_000))
    slow = DescriptorPort("full", port._descriptor, ours.close, write_s=60)
    failed: list[BaseException] = []

    def write() -> None:
        try:
            slow.write(bytes(10_000_000))
        except PortGone as error:
            failed.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    before_s = time.monotonic()
    slow.close()
    thread.join(timeout=5)
    assert time.monotonic() - before_s < 2
    assert not thread.is_alive()
    theirs.close()


def test_closing_wakes_who_reads(line: tuple[int, str]) -> None:
    port = open_port(line[1])
    failed: list[BaseException] = []

    def read() -> None:
        try:
            port.read(60)
        except PortGone as error:
            failed.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    port.close()
    thread.join(timeout=5)
    assert len(failed) == 1


def test_a_socket_is_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        port = open_port(f"socket://127.0.0.1:{number}")
        far, _ = server.accept()
        port.write(b"hello")
        assert far.recv(10) == b"hello"
        far.sendall(b"you")
        assert port.read(1) == b"you"
        far.close()
        with pytest.raises(PortGone, match="hung up"):
            port.read(1)
        port.close()
    with pytest.raises(BridgeError, match="There is no connection"):
        open_port(f"socket://127.0.0.1:{number}")


@pytest.mark.parametrize("address", ["socket://", "socket://host", "socket://host:port", "/dev/ttyUSB0?speed=3"])
def test_an_address_that_is_none_says_how_it_is_written(address: str) -> None:
    with pytest.raises(NoDevice, match="fix: Give it as"):
        open_port(address)


def test_a_device_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoDevice, match="There is no"):
        open_port(str(tmp_path / "ttyACM0"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(BridgeError, match="cannot be opened as a serial port"):
        open_port(str(tmp_path / "file"))


def device(tmp_path: Path, *names: str) -> Path:
    """Make a folder of devices by their ids, as udev does."""
    by_id = tmp_path / "dev/serial/by-id"
    by_id.mkdir(parents=True)
    for number, name in enumerate(names):
        (tmp_path / f"dev/ttyACM{number}").touch()
        (by_id / name).symlink_to(f"../../ttyACM{number}")
    return by_id


def test_auto_takes_the_one_device_that_is_there(tmp_path: Path) -> None:
    by_id = device(tmp_path, "usb-Pico_E66-if00")
    assert resolve("auto", by_id) == str(by_id / "usb-Pico_E66-if00")


def test_auto_does_not_guess_between_two(tmp_path: Path) -> None:
    with pytest.raises(NoDevice, match="2 serial devices: usb-Pico_1-if00, usb-Pico_2-if00"):
        resolve("auto", device(tmp_path, "usb-Pico_2-if00", "usb-Pico_1-if00"))


def test_auto_never_falls_back_to_a_simulation(tmp_path: Path) -> None:
    with pytest.raises(NoDevice, match=r"There is no serial device(.|\n)*asks? for a simulated one by name|sim://"):
        resolve("auto", device(tmp_path))


def test_auto_names_what_is_there_without_an_id(tmp_path: Path) -> None:
    by_id = device(tmp_path)
    (tmp_path / "dev/ttyUSB3").touch()
    with pytest.raises(NoDevice, match=r"fix: Name it: .*ttyUSB3"):
        resolve("auto", by_id)


def test_a_tty_is_found_again_by_its_id(tmp_path: Path) -> None:
    by_id = device(tmp_path, "usb-Pico_E66-if00")
    assert resolve(f"{tmp_path}/dev/ttyACM0?baud=9600", by_id) == f"{by_id}/usb-Pico_E66-if00?baud=9600"
    assert resolve(f"{tmp_path}/dev/ttyACM7", by_id) == f"{tmp_path}/dev/ttyACM7"
    assert resolve("sim://", by_id) == "sim://"


def test_who_locks_a_device_is_told_even_where_its_files_are_not(tmp_path: Path) -> None:
    held = tmp_path / "tty"
    held.touch()
    node = held.stat()
    proc = tmp_path / "proc"
    (proc / "7").mkdir(parents=True)
    (proc / "7/comm").write_text("screen\n")
    place = f"{os.major(node.st_dev):02x}:{os.minor(node.st_dev):02x}:{node.st_ino}"
    (proc / "locks").write_text(f"1: FLOCK  ADVISORY  WRITE 7 {place} 0 EOF\n2: POSIX ADVISORY READ 8 00:01:5 0 EOF\n")
    assert holders(str(held), proc) == ["screen (pid 7)"]
    assert holders(str(held), tmp_path / "none") == []
