"""Group 64: all that is this protocol's own."""

from firmware_bridge.firmware import field
from firmware_bridge.firmware.error import NO_MEMORY, FirmwareError, refusal
from firmware_bridge.firmware.job import FAILED
from firmware_bridge.firmware.lease import IDLE
from firmware_bridge.firmware.session import SAFETY, WORK
from firmware_bridge.firmware.telemetry import LEAST_US
from firmware_bridge.wire import number
from firmware_bridge.wire.message import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from firmware_bridge.firmware.device import Device
    from firmware_bridge.firmware.job import Job
    from firmware_bridge.firmware.motion import Axis

VERSION = "0.1.0"

# What a command asks for before it runs
FREE = 0  # nothing
OWNED = 1  # that it is of the session that is open
COUNTED = 2  # and has a number that has not run
LEASED = 3  # and that a lease runs, and no fault
LEASED_EVER = 4  # and that a lease runs, fault or not

_LONGEST_MS = 3_600_000  # that an output is set for
_NAMES = 16  # that are watched at once
_ROW_BYTES = 16  # of a reading in an answer: three heads, a time of 32 bits, a value of 64
_ROOM_BYTES = 96  # for the rest of an answer


def hello(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Say what this is."""
    machine = device.machine
    return {
        "pv": list(number.PROTOCOL),
        "fw": VERSION,
        "board": device.hardware.board,
        "name": machine.name,
        "id": bytes(device.hardware.unique),
        "boot": device.boot,
        "dict": machine.dictionary.hash,
        "cfg": device.config_crc,
        "cap": ["file", "update", "age"],
        "buf": device.buffer_bytes,
        "state": device.lease.state,
        "lease": max(0, device.lease.left_us) // 1000,
        "slot": device.slots.slot,
        "trial": device.slots.trial,
    }


def dictionary(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Give a piece of the dictionary."""
    data = device.machine.dictionary.data
    start = field.whole(body, "off", 0, len(data))
    answer = {"off": start, "data": data[start : start + device.buffer_bytes - _ROOM_BYTES]}
    if start == 0:
        answer["len"] = len(data)
        answer["raw"] = device.machine.dictionary.raw
    return answer


def open_session(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Open a session, unless another one's lease runs."""
    device.check_start(body)
    session = device.session
    wanted = field.whole(body, "s")
    if wanted == session.number and session.opened is not None:
        return session.opened
    if device.lease.left_us > 0:
        raise FirmwareError(number.HELD, f"for {device.lease.left_us // 1000} ms yet")
    pair = body.get("pv")
    if isinstance(pair, int):
        pair = [pair, pair]
    if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, int) for part in pair):
        raise FirmwareError(number.RANGE, "pv is to be the protocol, or the oldest and the newest")
    if pair[0] > number.PROTOCOL[1] or pair[1] < number.PROTOCOL[0]:
        raise FirmwareError(number.NO_PROTOCOL, f"{pair} asked for, {list(number.PROTOCOL)} spoken")
    ms = field.whole(body, "ms")
    session.open(wanted)
    device.telemetry.watch([], 0)
    session.opened = {"boot": device.boot, "ms": device.lease.begin(ms), "t": device.clock.now()}
    return session.opened


def settle(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Tell what became of a command, and make sure that it can never run later."""
    lane = body.get("of")
    if lane not in ("w", "s"):
        raise FirmwareError(number.RANGE, "of is to be w or s")
    return device.session.settle(WORK if lane == "w" else SAFETY, field.whole(body, "n"))


def lease(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Renew the lease, or give it back."""
    ms = device.lease.begin(field.whole(body, "ms"))
    if ms:
        device.machine.outputs.renew(ms * 1000)
    else:
        device.machine.make_safe("the lease was given back")
    return {"ms": ms, "state": device.lease.state}


def stop(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Stop an axis, or stop all and make all safe."""
    if "axis" in body:
        device.machine.axis(field.text(body, "axis")).stop("stopped")
    else:
        device.machine.make_safe("stopped")
    return {"state": device.lease.state}


def set_output(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Set an output."""
    for_ms = field.whole(body, "ms", 1, _LONGEST_MS) if "ms" in body else 0
    name = field.text(body, "name")
    return {"value": device.machine.outputs.set(name, body.get("value"), device.lease.left_us, for_ms)}


def read_value(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Read a value once."""
    machine = device.machine
    name = machine.check_name(body.get("name"))
    try:
        answer = {"value": machine.read(name)}
        answer["age"], answer["within"] = device.age(name)
    except OSError as error:
        said = error.args[0] if error.args and isinstance(error.args[0], str) else repr(error)  # a driver's own words
        raise FirmwareError(number.HARDWARE, f"{name}: {said}") from None
    if name in machine.outputs and machine.outputs.why_of(name):
        answer["why"] = machine.outputs.why_of(name)
    return answer


def move(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Begin a move."""
    axis = device.machine.axis(field.text(body, "axis"))
    if ("by" in body) == ("to" in body):
        raise FirmwareError(number.RANGE, "either by or to is to be given")
    key = "by" if "by" in body else "to"
    way = field.quantity(body, key)
    wanted = axis.target(way if key == "by" else None, way if key == "to" else None)
    speed = axis.checked_speed(field.quantity(body, "speed") if "speed" in body else None)
    return _begun(device, axis, lambda work: axis.move(wanted, speed, work))


def home(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Begin to look for an axis's switch."""
    axis = device.machine.axis(field.text(body, "axis"))
    axis.check_free()
    return _begun(device, axis, axis.home)


def _begun(device: "Device", axis: "Axis", begin: "Callable[[Job], None]") -> "dict[str, Any]":
    work = device.machine.jobs.begin(axis)
    try:
        begin(work)
    except FirmwareError as error:
        work.end(FAILED, error.why)
        raise
    return {"job": work.number}


def job(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Tell how a job stands."""
    return device.machine.jobs.job(field.whole(body, "job")).told()


def watch(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Begin to sample, or end it."""
    names = body.get("names", [])
    if not isinstance(names, list) or len(names) > _NAMES:
        raise FirmwareError(number.RANGE, f"names is to be a list of at most {_NAMES}")
    wanted = field.whole(body, "us", 0, (1 << 30) - 1)
    sensors = device.machine.parts.sensors
    for name in names:
        if device.machine.check_name(name) in sensors:
            wanted = max(wanted, sensors[name].entry.get("period_us", 0)) if wanted else 0
        elif isinstance(device.machine.read(name), list):
            raise FirmwareError(number.RANGE, f"{name} has no number that could be watched")
    if _room_bytes(device, names) < 0:
        raise FirmwareError(number.RANGE, "so many long names leave no room in an answer: watch fewer")
    period = max(wanted, LEAST_US) if wanted and names else 0
    device.telemetry.watch(names, period)
    return {"us": period, "next": device.telemetry.next}


def readings(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Give readings from the ring."""
    telemetry = device.telemetry
    names = telemetry.names
    most = min(field.whole(body, "most"), max(1, _room_bytes(device, names) // _ROW_BYTES))
    first, rows = telemetry.rows(field.whole(body, "from", 0, (1 << 62) - 1), most)
    return {"first": first, "next": telemetry.next, "names": names, "within": telemetry.within, "rows": rows}


def _room_bytes(device: "Device", names: "list[str]") -> int:
    """Give the bytes that an answer has for readings beside these names; one reading has room where it is 0, too."""
    return device.buffer_bytes - _ROOM_BYTES - sum([len(name.encode()) + 7 for name in names])


def clock(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Give the time, which every answer holds."""
    return {}


def clear(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Leave the fault state, if its cause is gone."""
    device.clear()
    return {"state": device.lease.state}


def configure(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Take the configuration that was uploaded."""
    device.configure(field.whole(body, "crc"))
    return {"cfg": device.config_crc, "dict": device.machine.dictionary.hash}


def update(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Take the firmware that was uploaded, on trial at the next start."""
    slot = field.text(body, "slot")
    try:
        device.slots.announce(slot, field.whole(body, "len"), field.data(body, "sha"), device.poll)
    except FirmwareError as error:
        if error.rc == number.NOT_AS_ANNOUNCED:
            device.upload.forget()  # so that it is sent anew, and not gone on with where it ended
        raise
    return {}


def confirm(device: "Device", body: "dict[str, Any]") -> "dict[str, Any]":
    """Keep the firmware that runs."""
    device.slots.confirm()
    return {"slot": device.slots.slot}


COMMANDS = {
    number.HELLO: (READ, FREE, WORK, hello),
    number.DICTIONARY: (READ, FREE, WORK, dictionary),
    number.OPEN: (WRITE, FREE, WORK, open_session),
    number.SETTLE: (WRITE, OWNED, WORK, settle),
    number.LEASE: (WRITE, COUNTED, SAFETY, lease),
    number.STOP: (WRITE, FREE, SAFETY, stop),
    number.SET: (WRITE, LEASED, WORK, set_output),
    number.READ_VALUE: (READ, FREE, WORK, read_value),
    number.MOVE: (WRITE, LEASED, WORK, move),
    number.HOME: (WRITE, LEASED, WORK, home),
    number.JOB: (READ, FREE, WORK, job),
    number.WATCH: (WRITE, COUNTED, WORK, watch),
    number.READINGS: (READ, FREE, WORK, readings),
    number.CLOCK: (READ, FREE, WORK, clock),
    number.CLEAR: (WRITE, COUNTED, WORK, clear),
    number.CONFIGURE: (WRITE, LEASED_EVER, WORK, configure),
    number.UPDATE: (WRITE, LEASED_EVER, WORK, update),
    number.CONFIRM: (WRITE, COUNTED, WORK, confirm),
}


def answer(device: "Device", op: int, command: int, body: "dict[str, Any]") -> "dict[str, Any]":
    """Do what a request of this group asks for, or refuse it.

    A command with a number keeps what it is answered, an error too: asked again, it is answered the same.
    """
    known = COMMANDS.get(command)
    if known is None or known[0] != op:
        raise FirmwareError(number.NO_COMMAND, f"{command}")
    _, needs, lane, function = known
    session = device.session
    if needs >= OWNED:
        session.check(field.whole(body, "s"))
    if needs < COUNTED:
        return _timed(device, function(device, body))
    before = session.begin(lane, field.whole(body, "n"))
    if before is not None:
        return before
    try:
        _check_lease(device, needs)
        said = function(device, body)
    except FirmwareError as error:
        said = refusal(error)
    except OSError as error:
        said = refusal(FirmwareError(number.HARDWARE, repr(error)))
    except MemoryError:
        said = {"rc": NO_MEMORY}
    said = _timed(device, said)
    session.end(lane, said)
    return said


def _check_lease(device: "Device", needs: int) -> None:
    if needs == LEASED and device.lease.fault:
        raise FirmwareError(number.FAULT, device.lease.fault)
    if needs >= LEASED and (device.lease.left_us <= 0 or device.lease.state == IDLE):
        raise FirmwareError(number.NO_LEASE)


def _timed(device: "Device", said: "dict[str, Any]") -> "dict[str, Any]":
    if "t" not in said:
        said["t"] = device.clock.now()
    return said
