"""Run the firmware on a microcontroller: what the loader calls."""

import os
import sys
import time

from firmware_bridge.firmware.console import Console
from firmware_bridge.firmware.files import Files
from firmware_bridge.firmware.loop import run as serve
from firmware_bridge.firmware.server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from firmware_bridge.firmware.board import Board

HOLD = "/repl"
"""The loader gives the REPL at the next start where this file is."""


def run(slot: str, trial: bool) -> None:
    """Serve until a restart is wanted.

    Parameters
    ----------
    slot : str
        What runs: ``a``, ``b`` or, as it was flashed, nothing.
    trial : bool
        Whether it waits to be confirmed.

    Raises
    ------
    KeyboardInterrupt
        When three Ctrl-C came in a row, and the REPL can be had: it has the port again.
    """
    import micropython

    clock_us = time.ticks_us  # type: ignore[attr-defined]
    hardware, files = board(clock_us), Files("/")
    server = Server(hardware, files, clock_us, int.from_bytes(os.urandom(4), "big"), slot, trial)
    micropython.kbd_intr(-1)  # each byte is one of a message
    try:
        serve(server, Console(), time.sleep)
    except KeyboardInterrupt:
        if not hardware.watched:
            raise
        files.put(HOLD, b"1")  # the watchdog cannot be stopped: without it only after a restart
    finally:
        micropython.kbd_intr(3)


def board(clock_us: "Callable[[], int]") -> "Board":
    """Give the hardware that this runs on.

    Parameters
    ----------
    clock_us : function
        Microseconds, as ``time.ticks_us`` gives them.

    Raises
    ------
    RuntimeError
        When there is no port to it.
    """
    try:
        import rp2  # noqa: F401
    except ImportError:
        pass
    else:
        from firmware_bridge.firmware.port_rp2 import RP2

        return RP2(clock_us)
    try:
        import esp32  # noqa: F401
    except ImportError:
        raise RuntimeError("no port to " + sys.platform) from None
    from firmware_bridge.firmware.port_esp32 import ESP32

    return ESP32(clock_us)
