"""Runs inside the small Linux, as root: what the doctor says of real devices that are there, gone, locked and broken.

Prints one line of JSON; test_in_the_lab.py starts it and reads that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sources"))

from vivid_guest import LINK, OSD_NONE, load, plug, set_control, unload

from edge_sdk.doctor import examine, find_checks, write_report

CONFIG = Path("/sys/kernel/config")
CHIP = CONFIG / "gpio-sim/header"
GADGET = CONFIG / "usb_gadget/bridge"
SERIAL = "E6612483CB1A2B2C"
NOBODY = 65534
# It may read what it likes: this Python may lie in somebody's home. Devices are opened for writing, too.
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=+dac_read_search",
             "--ambient-caps=+dac_read_search", "--")  # fmt: skip


def checked(*names: str) -> list[dict[str, str]]:
    return [finding.as_json() for finding in examine(find_checks(names))]


def checked_as_nobody(*names: str) -> list[dict[str, str]]:
    """Ask the command line as an ordinary user."""
    words = [word for name in names for word in ("--only", name)]
    done = subprocess.run(
        [*AS_NOBODY, sys.executable, "-m", "edge_sdk", "doctor", "--json", *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": "/run/nobody", "TMPDIR": "/run/nobody"},
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["status"] == done.returncode
    return report["findings"]


@contextmanager
def locked(node: Path) -> Iterator[None]:
    node.chmod(0o000)
    yield
    node.chmod(0o660)


def wait_for(there: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 20
    while not there():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def pins(report: dict) -> None:
    os.environ["EDGE_BOARD"] = "rpi-5"
    report["absent"] = checked("gpio")
    (CHIP / "bank0").mkdir(parents=True)
    (CHIP / "bank0/num_lines").write_text("54")
    (CHIP / "bank0/label").write_text("pinctrl-rp1")
    (CHIP / "live").write_text("1")
    wait_for(Path("/dev/gpiochip0").exists)
    report["present"] = checked("gpio")
    with locked(Path("/dev/gpiochip0")):
        report["locked"] = checked_as_nobody("gpio")
    (CHIP / "live").write_text("0")
    report["removed"] = checked("gpio")
    del os.environ["EDGE_BOARD"]


def cameras(report: dict) -> None:
    report["absent"] = checked("camera")
    plug(0)
    report["present"] = checked("camera")
    with locked(Path("/dev/video0")):
        report["locked"] = checked_as_nobody("camera.answers")
    set_control("Percentage of Dropped Buffers", 100)
    report["without_frames"] = checked("camera.frames")
    set_control("Percentage of Dropped Buffers", 0)
    set_control("OSD Text Mode", OSD_NONE)
    report["frozen"] = checked("camera.frames")
    set_control("OSD Text Mode", 0)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time, cv2\n"
            f"video = cv2.VideoCapture({str(LINK.resolve())!r}, cv2.CAP_V4L2)\n"
            "video.read(); print('on', flush=True); time.sleep(600)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "on\n"
    report["in_use"] = checked("camera.frames")
    holder.kill()
    holder.wait()
    # Its driver takes a lost camera up again once nobody holds it.
    held = os.open(LINK, os.O_RDWR)
    set_control("Disconnect", 1)
    report["disconnected"] = checked("camera")
    os.close(held)
    LINK.unlink()
    unload("vivid")


def ports(report: dict) -> None:
    report["absent"] = checked("serial")
    load("dummy_hcd")
    for folder in ("strings/0x409", "configs/c.1", "functions/acm.0"):
        (GADGET / folder).mkdir(parents=True)
    for name, text in (("idVendor", "0x2e8a"), ("idProduct", "0x0005"), ("strings/0x409/product", "Bridge"),
                       ("strings/0x409/serialnumber", SERIAL)):  # fmt: skip
        (GADGET / name).write_text(text)
    (GADGET / "configs/c.1/acm.0").symlink_to(GADGET / "functions/acm.0")
    controller = next(Path("/sys/class/udc").iterdir()).name
    (GADGET / "UDC").write_text(controller)
    node = Path("/dev/ttyACM0")
    wait_for(node.exists)
    report["present"] = checked("serial")
    with zipfile.ZipFile(write_report("/run/report.zip", [])) as archive:
        report["written"] = {name: archive.read(name).decode() for name in archive.namelist()}
    with locked(node):
        report["locked"] = checked_as_nobody("serial")
    (interface,) = (path.name for path in Path("/sys/bus/usb/drivers/cdc_acm").glob("*:1.0"))
    Path("/sys/bus/usb/drivers/cdc_acm/unbind").write_text(interface)
    report["without_driver"] = checked("serial.ports")
    Path("/sys/bus/usb/drivers/cdc_acm/bind").write_text(interface)
    wait_for(node.exists)
    (GADGET / "UDC").write_text("\n")
    wait_for(lambda: not node.exists())
    report["unplugged"] = checked("serial")


def main() -> None:
    report: dict = {"gpio": {}, "camera": {}, "serial": {}, "machine": {}}
    Path("/run/nobody").mkdir(mode=0o777)
    os.chown("/run/nobody", NOBODY, NOBODY)
    report["machine"]["everything"] = checked_as_nobody()
    pins(report["gpio"])
    ports(report["serial"])
    cameras(report["camera"])
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
