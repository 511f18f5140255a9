"""Runs inside the small Linux, as root: a bridge over a USB serial port that is pulled out and put back in.

The device's end of the USB cable (a gadget of the kernel's own) is relayed to the firmware in MicroPython, which goes
on while the cable is out, as a microcontroller with a supply of its own does. Nothing makes names by id in there, so
that this does, as udev would. Arguments: MicroPython's Unix port. Prints one line of JSON; test_usb.py reads that.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tty
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from fault.rig import ROOT, Interpreter, Rig

from firmware_bridge.bridge import Bridge, open_bridge
from firmware_bridge.error import BridgeError, BridgeTimeout

GADGET = Path("/sys/kernel/config/usb_gadget/edge")
BY_ID = Path("/dev/serial/by-id/usb-Edge_Recording_0001-if00")
SYS_FINIT_MODULE = 313  # of x86-64, which the small Linux is
DEVICE_END = "/dev/ttyGS0"
PATIENCE_S = 60  # all in here shares one processor, which a busy machine may take away for long
SAFE_S = 1.05  # the lease, and what comes on top of it


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def make_gadget() -> None:
    """Build a USB device with a serial port, on a bus that is none."""
    (module,) = Path(os.environ["LAB_MODULES"]).glob("lib/modules/*/kernel/drivers/usb/gadget/udc/dummy_hcd.ko")
    with module.open("rb") as file:  # by hand: a machine may lack kmod
        assert ctypes.CDLL(None).syscall(SYS_FINIT_MODULE, file.fileno(), b"", 0) == 0
    GADGET.mkdir()
    write(GADGET / "idVendor", "0x2e8a")
    write(GADGET / "idProduct", "0x0005")
    (GADGET / "strings/0x409").mkdir()
    for name, text in (("manufacturer", "Edge"), ("product", "Recording"), ("serialnumber", "0001")):
        write(GADGET / "strings/0x409" / name, text)
    (GADGET / "functions/acm.usb0").mkdir()
    (GADGET / "configs/c.1").mkdir()
    (GADGET / "configs/c.1/acm.usb0").symlink_to(GADGET / "functions/acm.usb0")


def plug() -> str:
    """Put the plug in; give the tty that came, once it has its name by id."""
    before = set(Path("/dev").glob("ttyACM*"))
    (udc,) = os.listdir("/sys/class/udc")  # noqa: PTH208
    write(GADGET / "UDC", udc)
    end_s = time.monotonic() + PATIENCE_S
    while not (came := set(Path("/dev").glob("ttyACM*")) - before):
        assert time.monotonic() < end_s, "no tty came"
        time.sleep(0.005)
    BY_ID.parent.mkdir(parents=True, exist_ok=True)
    BY_ID.symlink_to(came.pop())
    return str(BY_ID.readlink())


def unplug() -> None:
    """Pull the plug."""
    write(GADGET / "UDC", "\n")
    BY_ID.unlink()


def relay(port: str, over: threading.Event) -> None:
    """Carry bytes between the device's end of the cable and the firmware, whether the cable is in or not."""
    near = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(near)
    far = -1
    while not over.is_set():
        if far < 0:
            far = os.open(DEVICE_END, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(far)
        ready = select.select([near, far], [], [], 0.1)[0]
        try:
            for one, other in ((near, far), (far, near)):
                if one in ready:
                    data = os.read(one, 4096)
                    if not data:
                        raise OSError(errno.EIO, "the cable is out")
                    os.write(other, data)
        except BlockingIOError:
            continue
        except OSError:
            os.close(far)
            far = -1
            time.sleep(0.01)


def opened(*allow: str) -> Bridge:
    """Open the bridge; the first answer has two seconds, in which a busy machine may not have come to it."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return open_bridge(str(BY_ID), allow=allow)
        except BridgeTimeout:
            if time.monotonic() > end_s:
                raise


def replugged(rig: Rig) -> dict[str, object]:
    """Pull the plug under a bridge and put it back in as another tty, three times."""
    back_s, ttys, wrong = [], [str(BY_ID.readlink())], 0
    with opened("lamp", "x") as bridge, contextlib.ExitStack() as held:
        identity = bridge.info.identity.decode()
        axis = bridge.axis("x")
        axis.home().wait()
        for turn in range(3):
            axis.move_by_um(100).wait()
            taken = os.open(ttys[-1], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)  # its number stays taken
            held.callback(os.close, taken)
            unplug()
            time.sleep(0.5)
            ttys.append(plug())
            begun_s = time.monotonic()
            while True:
                with contextlib.suppress(BridgeError):
                    bridge.output("lamp").set((turn + 1) / 8)
                    break
            back_s.append(time.monotonic() - begun_s)
            wrong += axis.position_um != 100 * (turn + 1)
        statistics = bridge.statistics
    lamps = [value for value in rig.sets("lamp") if value]
    return {
        "identity": identity,
        "ttys": ttys,
        "back_s": back_s,
        "wrong_positions": wrong,
        "lamps": lamps,
        "disconnects": statistics.disconnects,
        "restarts": statistics.restarts,
    }


def killed(rig: Rig) -> dict[str, object]:
    """Kill and stop hosts that have a heater on; see when it goes off."""
    unsafe_s: dict[str, list[float]] = {}
    for how in (signal.SIGKILL, signal.SIGSTOP):
        seen = unsafe_s[how.name] = []
        # Where the machine takes the processor away, all of it is late: again then, a few times.
        while len(seen) < 2 or (min(seen) > SAFE_S and len(seen) < 6):
            seen.append(unsafe_for_s(rig, how))
    return {"unsafe_s": unsafe_s}


def unsafe_for_s(rig: Rig, how: signal.Signals) -> float:
    """Say how long the heater was on after its host was gone; a host that did not come to work is begun anew."""
    command = [sys.executable, str(ROOT / "benchmarks/fault/host.py"), str(BY_ID)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    end_s = time.monotonic() + PATIENCE_S
    while True:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as host:
            assert host.stdout is not None
            at_work = host.stdout.readline() == "at work\n"
            time.sleep(0.3)
            if at_work and rig.sets("heater")[-1]:  # else its lease ran out while it was alive
                host.send_signal(how)
                dead_us = time.time_ns() // 1000
                rig.wait(lambda: rig.sets("heater")[-1] == 0, PATIENCE_S)
                host.kill()
                break
            host.kill()
        assert time.monotonic() < end_s, "no host came to work"
    heater = [event for event in rig.events() if event.get("set") == "heater"]
    return float(heater[-1]["us"] - heater[-1]["waited_us"] - dead_us) / 1e6


def main() -> None:
    make_gadget()
    with tempfile.TemporaryDirectory() as folder, Rig(Interpreter("unix", sys.argv[1]), Path(folder) / "rig") as rig:
        over = threading.Event()
        relaying = threading.Thread(target=relay, args=(rig.port, over))
        plug()
        relaying.start()
        try:
            report = {"replugged": replugged(rig), "killed": killed(rig)}
        finally:
            over.set()
            relaying.join()
    print(json.dumps(report))


if __name__ == "__main__":
    main()
