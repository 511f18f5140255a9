"""The root of the ``edge`` command: the table of commands, and what happens when one of them fails."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path

import click

from boards import require
from edge_sdk import __version__
from edge_sdk.cli.table import Table
from edge_sdk.errors import EdgeError, StorageError

__all__ = ["edge", "run"]

_INTERRUPTED = 128 + signal.SIGINT

# Command -> (module, attribute): adding a command is one file and one line here.
COMMANDS = {
    "ask": ("edge_sdk.cli.ask", "ask"),
    "bench": ("edge_sdk.cli.bench", "bench"),
    "board": ("edge_sdk.cli.board", "board"),
    "bridge": ("edge_sdk.cli.bridge", "bridge"),
    "bundle": ("edge_sdk.cli.bundle", "bundle"),
    "count": ("edge_sdk.cli.count", "count"),
    "doctor": ("edge_sdk.cli.doctor", "doctor"),
    "plan": ("edge_sdk.cli.plan", "plan"),
    "run": ("edge_sdk.cli.run", "run"),
    "watch": ("edge_sdk.cli.watch", "watch"),
}


# Those that find out about a machine, and so must run on it whatever its processor lacks.
_ANYWHERE = {"board", "bridge", "doctor", "watch"}


def _before(name: str) -> None:
    """Refuse what this processor cannot run: it would end the process with SIGILL."""
    if name not in _ANYWHERE:
        require("numpy")


@click.group(
    cls=Table,
    table=COMMANDS,
    before=_before,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="edge")
@click.option("--debug", is_flag=True, help="Show the whole traceback when something fails.")
def edge(debug: bool) -> None:
    """Ask questions about camera and microscope frames, on this device, offline.

    \b
    Examples:
      edge ask photo.jpg "How many white blood cells are there?"
      edge ask /dev/video0 "Is the field crowded?"
      edge count slides/ --csv > counts.csv
      edge bundle list
      edge bridge info sim://
    """


def run(arguments: list[str] | None = None) -> None:
    """Run the command line; exit 0 on success, 1 on a failure, 2 on wrong usage, 130 on Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    _have_streams()
    interrupt = _Interrupt()
    signal.signal(signal.SIGINT, interrupt)
    status = _status(arguments)
    # An interrupt that came in the middle of a finalizer was swallowed there; it counts all the same.
    if interrupt.came:
        click.echo("Stopped.", err=True)
        _end_at_once()
    sys.exit(status)


def _end_at_once() -> None:
    """End without what Python does at its end: all has unwound, and threads that a library was starting would crash."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(_INTERRUPTED)


class _Interrupt:
    """What Ctrl-C does: the first unwinds, so that nothing half-written stays; a second ends at once."""

    def __init__(self) -> None:
        self.came = False

    def __call__(self, number: int, frame: object) -> None:
        if self.came:
            os._exit(_INTERRUPTED)
        self.came = True
        raise KeyboardInterrupt


def _status(arguments: list[str]) -> int:
    """Run the command; give the exit status."""
    debug = "--debug" in arguments
    try:
        status = edge.main(arguments, prog_name="edge", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does: nothing is wrong.
        _give_up_output()
        return 128 + signal.SIGPIPE
    except EdgeError as error:
        _explain(error, debug=debug)
        return 1
    except OSError as error:
        _give_up_output()
        where = f"{error.filename}: " if error.filename else ""
        _explain(StorageError(f"{where}{error.strerror or error}."), debug=debug)
        return 1
    return status or 0


def _have_streams() -> None:
    """Put something in the place of streams that the caller closed, so that printing and reading do not crash."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  # for the rest of the process


def _give_up_output() -> None:
    """Let go of what could not be written: Python would try again at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(error: EdgeError, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    click.echo(f"edge: {error}", err=True)
