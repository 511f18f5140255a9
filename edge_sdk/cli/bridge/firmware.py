"""``edge bridge flash``, ``update``, ``confirm``: firmware onto a board, over its cable once, then over the link."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from edge_sdk.cli.bridge.address import Addressed, address_argument, port_option
from firmware_bridge.bridge import open_bridge
from firmware_bridge.maintenance.flash import BOARDS
from firmware_bridge.maintenance.flash import flash as write_flash
from firmware_bridge.maintenance.image import build_image, read_image
from firmware_bridge.maintenance.upload import image_bytes

__all__ = ["confirm", "flash", "update"]

_file = click.Path(dir_okay=False, exists=True, path_type=Path)


@click.command()
@click.argument("port")
@click.option("--board", type=click.Choice(BOARDS), help="What it must be; else any of them.")
@click.option("--config", type=_file, metavar="FILE", help="What hangs on which pin; else the one on it stays.")
def flash(port: str, board: str | None, config: Path | None) -> None:
    """Put the firmware on a board that has MicroPython, over its cable. Once: edge bridge update does it afterwards.

    A program of yours (main.py) is not written over. PORT is /dev/..., or auto for the one device that is there.

    \b
    Examples:
      edge bridge flash auto
      edge bridge flash /dev/ttyACM0 --board rp2 --config incubator.json
    """
    if "://" in port:
        raise click.UsageError(f"A board is flashed over its cable: name its /dev/..., or auto, not {port}.")
    with _progress("Copying") as progress:
        hello = write_flash(port, board, config, progress=progress)
    configured = f"configuration CRC {hello.configuration:08x}" if hello.configuration else "no configuration yet"
    click.echo(f"Firmware {hello.firmware} runs on {hello.board}, {configured}.")
    if not hello.configuration:
        click.echo("Next: edge bridge configure FILE says what hangs on which pin.")


@click.command(cls=Addressed)
@click.argument("image", required=False, type=_file)
@port_option
@click.option("--trial", is_flag=True, help="Do not keep it yet: the next start goes back to the old one.")
def update(image: Path | None, address: str, trial: bool) -> None:
    """Send firmware over the link, this version's or IMAGE, into the slot that is not in use; start it on trial.

    It is kept once it has answered. If it does not come up, or the power fails in between, the old one runs.

    \b
    Examples:
      edge bridge update
      edge bridge update bridge.slot --trial /dev/ttyACM0
    """
    data = image_bytes(image) if image else build_image()
    read_image(data)  # refuses what is none, before it goes anywhere
    with open_bridge(address) as bridge:
        before = bridge.info
        with _progress("Sending") as progress:
            after = bridge.update(data, progress)
        bridge.echo("the new firmware answers")
        if not trial:
            bridge.confirm()
    back = "on trial: the next start, or two minutes without edge bridge confirm, goes back to the old one"
    kept = back if trial else "and is kept"
    click.echo(f"Firmware {after.firmware} runs in slot {after.slot} in place of {before.firmware}, {kept}.")


@click.command()
@address_argument
def confirm(address: str) -> None:
    """Keep the firmware that runs on trial; else the next start goes back to the one before.

    \b
    Examples:
      edge bridge confirm
    """
    with open_bridge(address) as bridge:
        bridge.confirm()
        hello = bridge.look()
    where = f"in slot {hello.slot} " if hello.slot else ""
    click.echo(f"Firmware {hello.firmware} {where}is kept.")


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far it is, to someone who looks."""
    shown = sys.stderr.isatty()

    def tell(done: int, whole: int) -> None:
        if shown:
            click.echo(f"\r{label}: {100 * done // max(whole, 1):3} %", err=True, nl=False)

    try:
        yield tell
    finally:
        if shown:
            click.echo(err=True)
