"""What the microcontroller means when it refuses, in words, with what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware_bridge.error import BridgeError, NoProtocol, PortBusy, Refused
from firmware_bridge.wire import number

__all__ = ["check", "reason"]

# What happened, and what to do about it.
_REASONS: Mapping[int, tuple[str, str]] = {
    number.NO_COMMAND: ("it does not know this command", "Update its firmware: edge bridge update."),
    number.NO_SESSION: ("another process has opened a session since", "Close the other one, and open the bridge anew."),
    number.HELD: ("another process holds the lease", "Close the other one, or wait until its lease has run out."),
    number.OLD: ("a newer command was there before this one", "Ask again."),
    number.NO_NAME: ("it has nothing of that name", "edge bridge dictionary lists what it has."),
    number.RANGE: ("the value is out of range, or of another kind", "edge bridge dictionary lists the ranges."),
    number.NO_LEASE: (
        "no lease runs, so all outputs are at their safe values",
        "A lease is renewed only while the work is alive: see whether the model hangs, then ask again.",
    ),
    number.FAULT: ("it is in the fault state", "edge bridge read shows what fails: mend that, then edge bridge clear."),
    number.NOT_HOMED: (
        "the axis does not know where it is",
        "Home it first: edge bridge home NAME, or bridge.axis(NAME).home().wait().",
    ),
    number.BUSY: ("the axis is moving", "Wait for its job, or stop it: bridge.stop()."),
    number.NO_JOB: ("it knows no such job", "It may have restarted: home the axis, and move again."),
    number.CONFIG: ("the configuration is wrong", "Mend the place that it names; the old one is still in use."),
    number.HARDWARE: ("the hardware did not answer", "Check its wiring, its supply and its address on the bus."),
    number.NO_PROTOCOL: ("there is no protocol that both sides speak", "Update the older of the two sides."),
    number.NOT_AS_ANNOUNCED: ("the file is not the one that was announced", "Send it again."),
}


def reason(rc: int) -> str:
    """Say in words what an error number of group 64 means."""
    return _REASONS.get(rc, (f"error {rc}", ""))[0]


def check(what: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give an answer back, or raise what it says went wrong.

    Parameters
    ----------
    what : str
        What was asked, for the message: ``Setting heater to 0.5``.

    Raises
    ------
    Refused
        If it holds an error.
    """
    error = body.get("err")
    if isinstance(error, dict):
        raise refusal(what, error, body.get("why"))
    rc = body.get("rc", 0)
    if rc:
        raise _refused(
            f"{what} was refused.", f"SMP's error {rc}.", "Is this the bridge's firmware? edge bridge flash", 0
        )
    return body


def refusal(what: str, error: Mapping[str, Any], why: object) -> BridgeError:
    """Make the error that fits what the microcontroller said."""
    rc, group = error.get("rc"), error.get("group")
    if group != number.EDGE or not isinstance(rc, int):
        return _refused(f"{what} was refused.", f"Error {rc} of group {group}.", None, 0)
    said, fix = _REASONS.get(rc, (f"error {rc}, which this version does not know", "Update this side."))
    told = f"The microcontroller says that {said}{f': {why}' if why else ''}."
    if rc == number.HELD:
        return PortBusy(f"{what} was refused.", why=told, fix=fix)
    if rc == number.NO_PROTOCOL:
        return NoProtocol(f"{what} was refused.", why=told, fix=fix)
    return _refused(f"{what} was refused.", told, fix, rc)


def _refused(what: str, why: str, fix: str | None, rc: int) -> Refused:
    error = Refused(what, why=why, fix=fix)
    error.rc = rc
    return error
