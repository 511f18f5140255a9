"""The loop that a microcontroller runs for as long as it is on."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firmware_bridge.firmware.server import Server


def run(server: "Server", port: "Any", sleep: "Callable[[float], None]") -> None:
    """Serve until a restart is wanted; however it ends, everything is safe then.

    Parameters
    ----------
    server : Server
        What answers.
    port : object
        ``read(wait_ms)`` gives what has come in, a few hundred bytes at most, and waits no longer than that for it;
        ``write(data)`` waits for a bounded time, too.
    sleep : callable
        Waits for seconds.
    """
    try:
        while not server.restart_wanted:
            step(server, port, sleep)
    finally:
        server.close()


def step(server: "Server", port: "Any", sleep: "Callable[[float], None]") -> None:
    """Do once what `run` does all the time."""
    pause_us = server.pause_us
    data = port.read(1 if pause_us >= 1000 else 0)
    if data:
        answer = server.receive(data)
        if answer:
            port.write(answer)
    elif 0 < pause_us < 1000:
        sleep(pause_us / 1_000_000)
    server.poll()
