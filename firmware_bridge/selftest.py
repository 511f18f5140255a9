"""Tries a link and what stands behind it, and says what to do about what fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median

from firmware_bridge.bridge import Bridge
from firmware_bridge.error import BridgeError, BridgeTimeout
from firmware_bridge.link.statistic import Statistics

__all__ = ["Result", "run_selftest"]

_ECHOES = 50
_LOOKS = 8
_FRAMES = 200
_AROUND_BYTES = 64  # what stands around an echo's text in a packet
_SLOW_S = 0.1  # half of what the lease is renewed by
_LOST_SHARE = 0.01
_GIVEN_UP = 2  # a request waits for ten seconds
_UNSURE_S = 0.02
_LATE_S = 0.05  # after the lease, by when all is to be safe
_LOOK_S = 0.01

_WORN = "Try another cable and port, without a hub; keep it away from motors; on a UART take a slower ?baud=."


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one test.

    Attributes
    ----------
    name : str
        Of the test.
    passed : bool
        Whether all is as it should be.
    what : str
        What was found, in words.
    fix : str
        What to do where it is not.
    figures : mapping
        The same in numbers.
    """

    name: str
    passed: bool
    what: str
    fix: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


def run_selftest(
    bridge: Bridge,
    *,
    output: str | None = None,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Result]:
    """Try a bridge: a result after each test. It is of no use any more afterwards: its lease has run out.

    Parameters
    ----------
    bridge : Bridge
        Open.
    output : str, optional
        Is set, to see it go safe; the bridge must allow it. Nothing is set otherwise.
    sleep, clock : function
        Wait; monotonic seconds.
    """
    tests: dict[str, Callable[[], Result]] = {
        "hello": lambda: _hello(bridge),
        "round trip": lambda: _round_trip(bridge, clock),
        "frames": lambda: _frames(bridge),
        "clock": lambda: _clock(bridge),
        "sensors": lambda: _sensors(bridge),
        "stop": lambda: _stop(bridge, clock),
        "lease": lambda: _lease(bridge, output, sleep, clock),
    }
    for name, test in tests.items():
        try:
            yield test()
        except BridgeError as error:
            yield Result(name, False, f"{error.what} {error.why or ''}".strip(), error.fix or "")


def _hello(bridge: Bridge) -> Result:
    hello, offers = bridge.look(), bridge.dictionary
    figures = {"sensors": len(offers.sensors), "outputs": len(offers.outputs), "axes": len(offers.axes)}
    told = f"{hello.board}, firmware {hello.firmware}; {', '.join(f'{kind} {n}' for kind, n in figures.items())}"
    if hello.state == "fault":
        fix = "edge bridge read shows what fails: mend that, then edge bridge clear."
        return Result("hello", False, f"{told}; it is in the fault state.", fix, figures)
    if not any(figures.values()):
        fix = "Send it a configuration: edge bridge configure FILE."
        return Result("hello", False, f"{told}: there is nothing to read or set.", fix, figures)
    return Result("hello", True, f"{told}.", "", figures)


def _round_trip(bridge: Bridge, clock: Callable[[], float]) -> Result:
    took_s = []
    for number in range(_ECHOES):
        began_s = clock()
        bridge.echo(f"echo {number}")
        took_s.append(clock() - began_s)
    took_s.sort()
    middle_s, most_s = median(took_s), took_s[-1]
    figures = {"median_s": middle_s, "least_s": took_s[0], "most_s": most_s}
    told = f"{_ms(middle_s)} in the middle, {_ms(took_s[0])} to {_ms(most_s)}, of {_ECHOES} echoes."
    fix = "Is the line slow (?baud=), or this machine busy? A lease of 1 s needs an answer every 200 ms."
    return Result("round trip", middle_s <= _SLOW_S, told, "" if middle_s <= _SLOW_S else fix, figures)


def _frames(bridge: Bridge) -> Result:
    most = bridge.info.buffer_bytes - _AROUND_BYTES
    before = bridge.statistics
    unanswered = 0
    for number in range(_FRAMES):
        size = 1 + number * (most - 1) // (_FRAMES - 1)
        try:
            bridge.echo("abcdefghij"[number % 10] * size)
        except BridgeTimeout:
            unanswered += 1
            if unanswered == _GIVEN_UP:
                told = f"echoes of {size} bytes get no answer in all their tries."
                return Result("frames", False, told, _WORN, {"unanswered": unanswered})
    told = f"{_FRAMES - unanswered} of {_FRAMES} echoes of 1 to {most} bytes came back right"
    return _counted(before, bridge.statistics, told, unanswered)


def _counted(before: Statistics, after: Statistics, told: str, unanswered: int) -> Result:
    """Judge a line by what was sent again and dropped; an answer that came late was not lost."""
    again = after.retransmits - before.retransmits
    dropped = {cause: count - before.dropped.get(cause, 0) for cause, count in after.dropped.items()}
    late = dropped.pop("unasked", 0) + dropped.pop("late", 0)
    damaged, lost = sum(dropped.values()), max(0, again - late)
    noise_bytes = after.noise_bytes - before.noise_bytes
    causes = ", ".join(f"{count} {cause}" for cause, count in sorted(dropped.items()) if count)
    told += f"; {again} sent again, {late} answered late, damaged on the way here: {causes or 'none'}"
    told += f", {noise_bytes} bytes of other text." if noise_bytes else "."
    figures = {
        "unanswered": unanswered,
        "retransmits": again,
        "late": late,
        "damaged": damaged,
        "noise_bytes": noise_bytes,
    }
    passed = not unanswered and lost + damaged <= _LOST_SHARE * _FRAMES
    return Result("frames", passed, told, "" if passed else _WORN, figures)


def _clock(bridge: Bridge) -> Result:
    for _ in range(_LOOKS):
        bridge.look()
    if not bridge.clock.is_known:
        return Result("clock", False, "nothing is known of it: every answer had to be asked for again.", _WORN)
    unsure_s = bridge.clock.offset.uncertainty_s
    fix = "" if unsure_s <= _UNSURE_S else "Round trips are long or uneven: see above."
    return Result("clock", not fix, f"known within {_ms(unsure_s)}.", fix, {"uncertainty_s": unsure_s})


def _sensors(bridge: Bridge) -> Result:
    wrong = []
    for name, entry in bridge.dictionary.sensors.items():
        try:
            reading = bridge.sensor(name).read()
        except BridgeError as error:
            wrong.append(f"{name}: {error.why or error.what}")
            continue
        least = float("-inf") if entry.least is None else entry.least
        most = float("inf") if entry.most is None else entry.most
        if not least <= reading.value <= most:
            wrong.append(f"{reading} is out of its range, {least:g} to {most:g}")
    count = len(bridge.dictionary.sensors)
    figures = {"sensors": count, "wrong": len(wrong)}
    if wrong:
        fix = "Check its wiring, supply and address on the bus, and the driver's name in the configuration."
        return Result("sensors", False, "; ".join(wrong), fix, figures)
    return Result("sensors", True, f"{count} read, each in its range." if count else "there is none.", "", figures)


def _stop(bridge: Bridge, clock: Callable[[], float]) -> Result:
    began_s = clock()
    bridge.stop()
    took_s = clock() - began_s
    return _safe(bridge, "stop", f"obeyed in {_ms(took_s)}", {"took_s": took_s})


def _lease(bridge: Bridge, output: str | None, sleep: Callable[[float], object], clock: Callable[[], float]) -> Result:
    """Renew once more, set the output, and watch what happens when nobody renews."""
    bridge.lease.close()
    bridge.lease.tick()
    began_s = clock()
    if output is not None:
        bridge.output(output).on()
    lease_s, left_s = bridge.lease.lease_s, bridge.look().lease_s
    most_s = clock() + left_s + _LATE_S + (bridge.statistics.round_trip_s or 0) - began_s
    while (state := bridge.look().state) == "live" and clock() - began_s < most_s:
        sleep(_LOOK_S)
    took_s = clock() - began_s
    figures = {"took_s": took_s, "lease_s": lease_s}
    if state == "live":
        told = f"it still ran {took_s:.2f} s after it was renewed for {lease_s:g} s."
        return Result("lease", False, told, "Do not use this firmware for anything that can burn or crash.", figures)
    shown = f"{output} was on" if output else "no output was set: --output NAME sets one, to see it go safe"
    return _safe(bridge, "lease", f"ran out {took_s:.2f} s after it was renewed ({shown})", figures)


def _safe(bridge: Bridge, name: str, told: str, figures: Mapping[str, float]) -> Result:
    outputs = bridge.dictionary.outputs
    unsafe = [one for one, entry in outputs.items() if bridge.output(one).value != entry.safe]
    if unsafe:
        fix = "Do not use this firmware for anything that can burn or crash; edge bridge flash puts ours on it."
        return Result(name, False, f"{told}, but not safe: {', '.join(unsafe)}.", fix, figures)
    return Result(
        name, True, f"{told}; {f'all {len(outputs)} outputs are safe' if outputs else 'no output'}.", "", figures
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
