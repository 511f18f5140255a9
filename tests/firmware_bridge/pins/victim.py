"""A process that sets outputs and ends as its argument says; a child of it keeps the lines, as they were last set."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from pins_guest import CONFIG

from boards.errors import EdgeError
from firmware_bridge import HEARTBEAT, open_pins


def keep_lines() -> int:
    for entry in Path("/proc/self/fd").iterdir():
        try:
            link = str(entry.readlink())
        except OSError:
            continue
        if "gpio-line" in link:
            os.set_inheritable(int(entry.name), True)
    return subprocess.Popen(["sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL).pid


def main(how: str) -> None:
    config = {**CONFIG, "sensors": {}, "buses": {}}
    try:
        pins = open_pins(config, allow=("heater", "fan", "pump"))
    except EdgeError as error:
        print(json.dumps([type(error).__name__, error.what, error.why, error.fix]), flush=True)
        sys.exit(3)
    keeper = keep_lines()
    pins.output("heater").on()
    pins.output("fan").set(0)
    print(keeper, flush=True)
    sys.stdin.readline()
    if how == "exit":
        sys.exit(0)
    if how == "fork":  # a copy that ends must not speak for this one
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        os.waitpid(child, 0)
        time.sleep(0.2)
        os._exit(int(pins.output("heater").value))
    if how == "busy":
        hashlib.pbkdf2_hmac("sha256", b"a", b"b", 8_000_000)  # one call into a library, for seconds
    if how == "stall":
        with HEARTBEAT.working():
            time.sleep(3)
        os._exit(0)
    with pins:
        if how == "exception":
            raise RuntimeError("something else went wrong")
        time.sleep(30)


if __name__ == "__main__":
    main(sys.argv[1])
