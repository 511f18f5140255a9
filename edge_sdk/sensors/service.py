"""Runs rules as a service: reads sensors, fires triggers, sets outputs and has questions asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge_sdk.errors import EdgeError
from edge_sdk.sensors.asker import Asker
from edge_sdk.sensors.contact import Contact
from edge_sdk.sensors.record import ACTION, EVENT, NOTE, PROBLEM, READING, Record, Tell
from edge_sdk.sensors.rule import Move, Rule, Rules, Set
from edge_sdk.sensors.rule_check import check_rules
from edge_sdk.sensors.side import Sides
from edge_sdk.sensors.trigger import BLIND, FIRED, SEEING, Event, Trigger
from firmware_bridge.error import BridgeClosed, BridgeError, Refused, Restarted
from firmware_bridge.heartbeat import HEARTBEAT, Heartbeat
from firmware_bridge.part.job import Job
from firmware_bridge.reading import Reading

__all__ = ["Service"]

PERIOD_S = 0.1
_ACT_S = 3.0  # what an action over a bad line may take before outputs go safe
_AGAIN_S = 1.0


@dataclass(slots=True)
class _Running:
    """A rule and where it stands.

    ``due_s`` is when it is to act again, ``again_s`` when those of its outputs are tried again that would not be set.
    """

    rule: Rule
    trigger: Trigger | None
    due_s: float
    undone: tuple[Set, ...] = ()
    again_s: float = 0.0


class Service:
    """Rules at work; `step` does all that is due, `run` does so again and again.

    Outputs and axes act only if the sides were opened for that: with ``allow=`` what the rules allow, and not with
    ``dry_run=True``. When a side was away, restarted or let go of its lease, its outputs are safe: the triggers of
    rules that work on it are armed anew then, so that what holds still fires again.

    Parameters
    ----------
    rules : Rules
        What is to be done; checked against what the sides offer.
    sides : Sides
        A bridge, the board's own pins, or both; open, and closed by whoever opened them.
    tell : function
        Takes a `Record` of all that happens, from this thread and the asker's.
    act : bool
        Whether it is meant: words alone differ (``would set``), since it is the side that acts or does not.
    asker : Asker, optional
        Answers questions; without one they are left out.
    heartbeat : Heartbeat
        Told that the work goes on.
    clock, sleep : function
        Monotonic seconds; waits.

    Raises
    ------
    RuleError
        If the rules name what is not there or not allowed.
    """

    def __init__(
        self,
        rules: Rules,
        sides: Sides,
        tell: Tell,
        *,
        act: bool = False,
        asker: Asker | None = None,
        heartbeat: Heartbeat = HEARTBEAT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        check_rules(rules, sides.dictionary)
        self._rules, self._sides, self._tell, self._act = rules, sides, tell, act
        self._asker, self._heartbeat, self._clock = asker, heartbeat, clock
        self._ended = False  # no Event: a signal that comes upon its lock would wait for itself
        self._sleep = sleep
        self._running = [self._start(rule) for rule in rules.rules]
        self._show_s = clock()
        self._blind: set[str] = set()
        self._jobs: list[tuple[Rule, Job]] = []
        self._contacts = [
            Contact(side, [name for name in rules.sensors if sides.of(name) is side], self._say, clock)
            for side in sides.all
        ]

    def _start(self, rule: Rule) -> _Running:
        trigger = None
        if rule.when:
            limits = rule.when.limits
            trigger = Trigger(
                self._sides.sensor(rule.when.sensor), above=limits.above, below=limits.below, for_s=limits.for_s,
                rearm_above=limits.rearm_above, rearm_below=limits.rearm_below, max_age_s=rule.when.max_age_s,
                clock=self._clock,
            )  # fmt: skip
        return _Running(rule, trigger, self._clock())

    def stop(self) -> None:
        """End `run` soon; from any thread or a signal's handler."""
        self._ended = True

    def run(self, for_s: float | None = None) -> None:
        """Work until stopped, or for so long; outputs are safe afterwards.

        Raises
        ------
        BridgeClosed
            If what the rules work on was closed meanwhile, and not by a signal that ends this, too.
        """
        begin_s = self._clock()
        try:
            with self._heartbeat.working():
                while not self._ended and (for_s is None or self._clock() - begin_s < for_s):
                    next_s = self._clock() + PERIOD_S
                    self.step()
                    self._sleep(max(0.0, next_s - self._clock()))
        except BridgeClosed:  # pins are closed by a signal before anything else hears of it
            if not self._ended:
                raise
        finally:
            self.close()

    def close(self) -> None:
        """Make all outputs safe, then end what is being asked; twice is harmless."""
        self._ended = True
        for contact in self._contacts if self._act else ():
            contact.stop()
        if self._asker is not None:
            self._asker.close()

    def step(self) -> None:
        """Do once what is due."""
        self._heartbeat.beat()
        readings = self._read()
        for contact in self._contacts:
            self._look(contact)
        for running in self._running:
            self._step(running, readings)
        self._look_at_jobs()
        now_s = self._clock()
        if readings and now_s >= self._show_s:
            self._show_s = max(self._show_s + self._rules.readings_every_s, now_s)
            self._show(readings)

    def _show(self, readings: dict[str, Reading | str]) -> None:
        words = [str(one) if isinstance(one, Reading) else f"{name} unknown" for name, one in readings.items()]
        told = [_plain(one) for one in readings.values() if isinstance(one, Reading)]
        missing = [name for name, one in readings.items() if not isinstance(one, Reading)]
        data = {"readings": told, "missing": missing}
        self._tell(Record(READING, self._clock(), "sensors", ", ".join(words), data))

    def _read(self) -> dict[str, Reading | str]:
        """Read every sensor once; where one does not answer, give why in its place."""
        found: dict[str, Reading | str] = {}
        for contact in self._contacts:
            for name, reading in contact.read():
                found[name] = reading
                self._heartbeat.beat()
        return {name: found[name] for name in self._rules.sensors}

    def _look(self, contact: Contact) -> None:
        """Look how it stands with a side; rules that work on it begin anew where its outputs went safe."""
        if contact.look():
            for running in self._running:
                if running.trigger is not None and any(
                    self._sides.of(name) is contact.side for name in running.rule.names
                ):
                    running.trigger.reset()

    def _step(self, running: _Running, readings: dict[str, Reading | str]) -> None:
        rule, trigger, now_s = running.rule, running.trigger, self._clock()
        if trigger is not None:
            reading = readings[trigger.sensor.name]
            event = trigger.update(reading) if isinstance(reading, Reading) else trigger.miss(reading)
            if event is not None:
                self._tell_event(rule, event)
            if event is not None and event.kind == FIRED:
                running.due_s = now_s + (rule.every_s or 0.0)
                self._do(running)
                return
            if trigger.armed or trigger.blind:
                running.undone = ()
                return
        if rule.every_s is not None and now_s >= running.due_s:
            running.due_s = max(running.due_s + rule.every_s, now_s)
            self._do(running)
        elif running.undone and now_s >= running.again_s:
            self._set(running, running.undone, again=True)

    def _tell_event(self, rule: Rule, event: Event) -> None:
        if event.kind in (BLIND, SEEING):  # of a sensor, however many rules go by it
            told = event.sensor in self._blind
            if told == (event.kind == BLIND):
                return
            (self._blind.add if event.kind == BLIND else self._blind.discard)(event.sensor)
        kind = PROBLEM if event.kind == BLIND else EVENT
        data = {"event": event.kind} | (_plain(event.reading) if event.reading else {})
        name = event.sensor if event.kind in (BLIND, SEEING) else rule.name
        text = event.text if event.kind == SEEING else f"{name}: {event.text}"
        self._tell(Record(kind, self._clock(), name, text, data))

    def _do(self, running: _Running) -> None:
        rule = running.rule
        if rule.say:
            self._say(NOTE, rule.name, rule.say)
        self._set(running, rule.sets)
        if rule.move:
            move = rule.move
            data = {"axis": move.axis, "um": move.um}
            self._perform(rule, move.axis, f"move {move}", self._moving(rule, move), data)
        if rule.ask and self._asker is not None:
            self._asker.put(rule)

    def _set(self, running: _Running, sets: tuple[Set, ...], *, again: bool = False) -> None:
        """Set outputs; those that will not be, for lack of a lease or over a bad line, are tried again soon."""
        rule = running.rule
        undone = []
        for each in sets:
            data = {"output": each.output, "value": each.value}
            if not self._perform(rule, each.output, f"set {each}", self._setting(each), data, again=again):
                undone.append(each)
        running.undone, running.again_s = tuple(undone), self._clock() + _AGAIN_S

    def _setting(self, each: Set) -> Callable[[], None]:
        return lambda: self._sides.output(each.output).set(each.value, for_s=each.for_s)

    def _moving(self, rule: Rule, move: Move) -> Callable[[], None]:
        def begin() -> None:
            axis = self._sides.axis(move.axis)
            ways = {"by": axis.move_by_um, "to": axis.move_to_um}
            self._jobs.append((rule, axis.home() if move.how == "home" else ways[move.how](move.um)))

        return begin

    def _perform(
        self, rule: Rule, name: str, what: str, act: Callable[[], None], data: dict[str, Any], *, again: bool = False
    ) -> bool:
        """Do something with what is called so, and tell it; say whether it was done."""
        contact = self._contact(name)
        if self._act and contact.away:
            if not again:
                why = f"the lease of the {contact.side.kind} has run out."
                self._say(PROBLEM, rule.name, f"{rule.name}: could not {what}: {why}")
            return False
        self._heartbeat.expect(_ACT_S)
        try:
            act()
        except BridgeClosed:
            raise
        except EdgeError as error:
            if not again:
                self._say(PROBLEM, rule.name, f"{rule.name}: could not {what}: {error.what}")
            return False
        finally:
            self._heartbeat.beat()
        words = what if self._act else f"would {what}"
        self._tell(Record(ACTION, self._clock(), rule.name, f"{rule.name}: {words}", {**data, "dry": not self._act}))
        return True

    def _contact(self, name: str) -> Contact:
        """Give the contact with the side on which a name is."""
        side = self._sides.of(name)
        return next(contact for contact in self._contacts if contact.side is side)

    def _look_at_jobs(self) -> None:
        """Tell which moves have ended."""
        self._jobs = [pair for pair in self._jobs if self._goes_on(*pair)]

    def _goes_on(self, rule: Rule, job: Job) -> bool:
        contact = self._contact(rule.move.axis if rule.move else "")
        if contact.silent or contact.away:  # asked again when it answers; to wait for that would keep others waiting
            return True
        try:
            state = job.state
        except BridgeClosed:
            raise
        except BridgeError as error:
            if not isinstance(error, (Restarted, Refused)):  # asked again the next time
                return True
            self._say(PROBLEM, rule.name, f"{rule.name}: {error.what}")
            return False
        if state == "running":
            return True
        if self._act:
            kind = ACTION if state == "done" else PROBLEM
            self._say(kind, rule.name, f"{rule.name}: {job.what}: {state}{f', {job.why}' if job.why else ''}")
        return False

    def _say(self, kind: str, name: str, text: str) -> None:
        self._tell(Record(kind, self._clock(), name, text))


def _plain(reading: Reading) -> dict[str, Any]:
    sure_s = round(reading.uncertainty_s, 6)
    return {"sensor": reading.name, "value": reading.value, "unit": reading.unit, "uncertainty_s": sure_s}
