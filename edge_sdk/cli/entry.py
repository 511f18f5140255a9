"""Where the ``edge`` command begins: it can be stopped before all of it is there."""

from __future__ import annotations

import signal

# Until `run` takes over, Ctrl-C ends the process at once: importing takes a while on a small board, and a
# KeyboardInterrupt in the middle of an import ends in a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """Import the command line and run it."""
    from edge_sdk.cli.main import run  # here and not above, for the reason above

    run()


if __name__ == "__main__":
    main()
