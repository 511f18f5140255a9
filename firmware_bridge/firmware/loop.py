"""The loop that a microcontroller runs for as long as it is on."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firmware_bridge.firmware.server import Server

_PAUSE_S = 0.0005


def run(server: "Server", port: "Any", sleep: "Callable[[float], None]") -> None:
    """Serve until a restart is wanted; however it ends, everything is safe then.

    Parameters
    ----------
    server : Server
        What answers.
    port : object
        ``read()`` gives what has come in, a few hundred bytes at most, without waiting; ``write(data)``.
    sleep : callable
        Waits for seconds.
    """
    try:
        while not server.restart_wanted:
            data = port.read()
            if data:
                answer = server.receive(data)
                if answer:
                    port.write(answer)
            server.poll()
            if not data and not server.busy:
                sleep(_PAUSE_S)
    finally:
        server.close()
