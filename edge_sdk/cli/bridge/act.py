"""``edge bridge set``, ``move``, ``home``, ``stop``: what is named on the command line acts, and only that."""

from __future__ import annotations

import time
from pathlib import Path

import click

from edge_sdk.cli.bridge.address import Addressed, address_argument, port_option, seconds
from edge_sdk.cli.bridge.pins import open_output, pins_option
from firmware_bridge.bridge import open_bridge
from firmware_bridge.error import BridgeError, PortBusy
from firmware_bridge.link.link import Link
from firmware_bridge.link.refusal import check
from firmware_bridge.part.dictionary import OutputEntry
from firmware_bridge.part.job import Job
from firmware_bridge.part.output import Output, Value
from firmware_bridge.port.port import open_port, resolve
from firmware_bridge.wire import number
from firmware_bridge.wire.message import WRITE

__all__ = ["clear", "home", "move", "set_output", "stop"]

_LONGEST_S = 3600.0  # that the microcontroller takes
_LOOK_S = 0.25  # how often it is looked whether an output is still as it was set
_MOVE_S = 600.0
_NEGATIVE = {"ignore_unknown_options": True}  # so that -100 is a number


@click.command("set", cls=Addressed, context_settings=_NEGATIVE)
@click.argument("name")
@click.argument("value")
@click.option(
    "--for", "for_s", type=seconds(_LONGEST_S), default="5s", show_default=True, metavar="TIME", help="How long."
)
@click.option("--hold", is_flag=True, help="Until Ctrl-C.")
@port_option
@pins_option
def set_output(name: str, value: str, for_s: float, hold: bool, address: str, pins: Path | None) -> None:
    """Set an output for a while: VALUE is a number, on, off or safe, or RED,GREEN,BLUE for a lamp of colours.

    The output lives on a lease that this command renews as long as it runs. However it ends, at Ctrl-C, at a
    power cut, by a pulled plug, the microcontroller itself sets the output to its safe value when the lease is over.
    On the board's own pins, with --pins, this command does it: a kill -9 and a power cut leave it no time for that.

    Exits with 1 where the output went safe before its time.

    \b
    Examples:
      edge bridge set lamp on
      edge bridge set heater 0.5 --for 10min
      edge bridge set ring 255,160,0 --hold
      edge bridge set lamp on sim://incubator
      edge bridge set heater on --pins pins.json
    """
    with open_output(pins, address, name) if pins else open_bridge(address, allow=[name]) as bridge:
        output = bridge.output(name)
        safe, lease_s = output.entry.safe, bridge.lease.lease_s
        if value == "safe":
            output.safe()
            click.echo(f"{name} is at {output.value}, its safe value.")
            return
        wanted = _value(value, output.entry)
        end = "at Ctrl-C" if hold else f"in {for_s:g} s"
        died = "but a kill -9 leaves it on" if pins else f"or, should this command die, {lease_s:g} s later at most"
        output.set(wanted, for_s=None if hold else for_s)
        try:
            now = output.value
            click.echo(f"{name} is at {now}. It goes back to {safe} {end}, {died}.")
            _hold(output, now, None if hold else for_s)
        finally:
            bridge.close()
            click.echo(f"{name} goes back to {safe}.")


def _value(text: str, entry: OutputEntry) -> Value:
    """Read what was typed; whether it is in range, the output says."""
    if text in ("on", "off"):
        on = text == "on"
        if entry.kind == "colour":
            return [255 * on] * 3
        return (1 if entry.most is None else entry.most) if on else (entry.least or 0)
    try:
        return [int(part) for part in text.split(",")] if "," in text else float(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is no value: give a number, on, off or safe, or RED,GREEN,BLUE.", param_hint="VALUE"
        ) from error


def _hold(output: Output, wanted: object, for_s: float | None) -> None:
    """Wait, and look whether it stays as it was set."""
    end_s = float("inf") if for_s is None else time.monotonic() + for_s
    while (left_s := end_s - time.monotonic()) > 0:
        time.sleep(min(_LOOK_S, left_s))
        now = output.value
        if now != wanted and end_s - time.monotonic() > _LOOK_S:  # else it may have come to its end by itself
            raise BridgeError(
                f"{output.name} is at {now} before its time.",
                why="The lease ran out, the microcontroller restarted, or something stopped it.",
                fix="edge bridge selftest looks at the link; edge bridge info at the state.",
            )


@click.command(cls=Addressed, context_settings=_NEGATIVE)
@click.argument("axis")
@click.argument("um", type=float)
@click.option("--to", "absolute", is_flag=True, help="UM is the place to go to, not the way.")
@click.option("--home", "first_home", is_flag=True, help="Home it first.")
@click.option("--speed", "speed_um_per_s", type=click.FloatRange(min=0, min_open=True), help="Micrometres a second.")
@port_option
def move(axis: str, um: float, absolute: bool, first_home: bool, speed_um_per_s: float | None, address: str) -> None:
    """Move an axis by UM micrometres, or to a place with --to, and wait until it is there. Ctrl-C stops it.

    The axis must know where it is: home it once after the microcontroller has started.

    \b
    Examples:
      edge bridge move x 100
      edge bridge move z -2.5 --speed 50
      edge bridge move x 0 --to --home sim://stage
    """
    with open_bridge(address, allow=[axis]) as bridge:
        stage = bridge.axis(axis)
        if first_home:
            _wait(stage.home())
        go = stage.move_to_um if absolute else stage.move_by_um
        _wait(go(um, speed_um_per_s=speed_um_per_s))


@click.command(cls=Addressed)
@click.argument("axis")
@port_option
def home(axis: str, address: str) -> None:
    """Look for an axis's home, slowly and in the direction of its switch; its position is known afterwards.

    An axis without a switch takes where it stands for 0. Ctrl-C stops it.

    \b
    Examples:
      edge bridge home x
      edge bridge home z sim://stage
    """
    with open_bridge(address, allow=[axis]) as bridge:
        _wait(bridge.axis(axis).home())


def _wait(job: Job) -> None:
    """Wait until an axis is there; it is stopped by whatever ends that."""
    try:
        at_um = job.wait(_MOVE_S)
    except BaseException:
        job.stop()
        raise
    where = "its position is not known: home it" if at_um is None else f"it is at {at_um:g} um"
    click.echo(f"{job.what}: done; {where}.")


@click.command()
@address_argument
@click.option("--axis", metavar="NAME", help="Stop only this axis; outputs stay as they are.")
def stop(address: str, axis: str | None) -> None:
    """Stop every axis and make every output safe, now.

    It needs neither a lease nor a session, and works in the fault state. Where another process has the port, end
    that process: everything goes safe with it.

    \b
    Examples:
      edge bridge stop
      edge bridge stop --axis x
    """
    place = resolve(address)
    link = Link(lambda: open_port(place))
    try:
        link.connect()
        body = {} if axis is None else {"axis": axis}
        what = f"Stopping {axis or 'everything'}"
        state = check(what, link.request(WRITE, number.EDGE, number.STOP, body, lane=link.safety).body).get("state")
    except PortBusy as error:
        fix = "End that program: everything goes safe and stops with it, within its lease."
        raise PortBusy(error.what, why=error.why, fix=fix) from error
    finally:
        link.close()
    click.echo(f"{axis} stops." if axis else f"All is stopped and safe; state: {state}.")


@click.command()
@address_argument
def clear(address: str) -> None:
    """Leave the fault state, where its cause is gone.

    \b
    Examples:
      edge bridge clear
    """
    with open_bridge(address) as bridge:
        bridge.clear()
        click.echo(f"State: {bridge.look().state}.")
