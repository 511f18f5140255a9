"""A session with a microcontroller: commands that run at most once, and what to do when it has restarted."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from firmware_bridge.error import (
    BridgeError,
    BridgeTimeout,
    NoDevice,
    NoProtocol,
    OutcomeUnknown,
    PortBusy,
    Refused,
    Restarted,
)
from firmware_bridge.link import refusal
from firmware_bridge.link.lane import Answer, Lane, Numbers
from firmware_bridge.link.link import TIMEOUT_S, Link
from firmware_bridge.session.clock import Clock
from firmware_bridge.session.hello import Hello, agree, read_hello
from firmware_bridge.wire import number
from firmware_bridge.wire.message import READ, WRITE

__all__ = ["Session"]

logger = logging.getLogger("edge_sdk.bridge")

_HELLO_S = 2.0
_AGAIN = 2  # how often a command that did not run is sent anew, under another number
_BROKEN = (1, 2, 7)  # SMP's errors without a reason, without memory, and of an answer that is too long
_HELD_S = 2.0  # longest wait for the lease of a process that has ended


class Session:
    """What is asked within a session, and the session itself, opened anew when the microcontroller has restarted.

    Parameters
    ----------
    link : Link
        Whose `greet` is to call this one's.
    clock : Clock
        Told of every round trip.
    lease_s : float
        How long the lease is that a session begins with.
    sleep : function
        Waits, while another process's lease runs out.

    Attributes
    ----------
    ended : bool
        Set when no session is to be opened any more.
    hello : Hello or None
        What the microcontroller said of itself last.
    on_dictionary : function
        Called when a session was opened with another dictionary than before.
    """

    def __init__(
        self, link: Link, clock: Clock, *, lease_s: float = 1.0, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._link, self._clock, self._sleep = link, clock, sleep
        self.lease_s, self.ended = lease_s, False
        self.hello: Hello | None = None
        self._opened = (0, 0)  # epoch and number, which change at once
        self.on_dictionary: Callable[[], None] = lambda: None
        self._work, self._safety = Numbers(link.work, "w"), Numbers(link.safety, "s")
        self._renewing = threading.RLock()
        self._talking: tuple[int, Lane] | None = None  # which thread renews, and in which lane it asks

    @property
    def epoch(self) -> int:
        """Count the sessions: what was begun in an earlier one is over."""
        return self._opened[0]

    @property
    def number(self) -> int:
        """The session's own number."""
        return self._opened[1]

    def greet(self) -> None:
        """Say hello on a port that was just opened, and go on with the session or open one."""
        self._renew(self._link.greeting, anew=self.epoch == 0)

    def read(self, command: int, body: Mapping[str, Any], what: str, *, timeout_s: float = TIMEOUT_S) -> Answer:
        """Ask something that changes nothing; raises BridgeError if there is no answer, or it is an error."""
        return self.ask(READ, number.EDGE, command, body, what, timeout_s=timeout_s)

    def read_of(self, epoch: int, command: int, body: Mapping[str, Any], what: str) -> Answer:
        """Ask something about what was begun in an epoch; raises Restarted when that is over."""
        self._check_epoch(epoch, what)
        try:
            return self.read(command, body, what)
        except Refused as error:
            if error.rc == number.NO_JOB:  # it may have restarted just now
                self.refresh()
            raise
        finally:
            self._check_epoch(epoch, what)

    def ask(
        self,
        op: int,
        group: int,
        command: int,
        body: Mapping[str, Any],
        what: str,
        *,
        timeout_s: float = TIMEOUT_S,
        lane: Lane | None = None,
        urgent: bool = False,
    ) -> Answer:
        """Ask anything that has no number."""
        lane = lane or self._lane()
        answer = self._link.request(op, group, command, body, lane=lane, timeout_s=timeout_s, urgent=urgent)
        self._note(answer)
        refusal.check(what, answer.body)
        return answer

    def change(
        self,
        command: int,
        body: Mapping[str, Any],
        what: str,
        *,
        timeout_s: float = TIMEOUT_S,
        safety: bool = False,
        settle: bool = True,
    ) -> Answer:
        """Ask for something that is to run once.

        Parameters
        ----------
        command, body
            Without session and number.
        what : str
            For messages: ``Setting heater to 0.5``.
        safety : bool
            In the safety lane.
        settle : bool
            Wait for a port that is gone, and ask what became of it where no answer came; a lease has no need of that.

        Raises
        ------
        BridgeTimeout
            If it did not run, and will not.
        OutcomeUnknown
            If it is not known whether it ran.
        Restarted
            If the microcontroller restarted meanwhile.
        Refused
            If it answered that it will not.
        """
        (epoch, session), numbers = self._opened, self._safety if safety else self._work
        body = {"s": session, **body}
        if not numbers.lock.acquire(timeout=timeout_s):
            raise BridgeTimeout(f"{what} did not come to its turn in {timeout_s:g} s.", fix="Try again.")
        try:
            for again in range(_AGAIN + 1):
                self._check_epoch(epoch, what)
                answer = self._once(numbers, command, body, what, timeout_s, epoch if settle else None)
                if answer is not None:
                    break
                if again == _AGAIN:
                    raise BridgeTimeout(
                        f"{what} did not run: the microcontroller heard nothing of it.", fix="Try again."
                    )
            assert answer is not None
        finally:
            numbers.lock.release()
        self._look_at(answer, epoch, what, once=answer.sends == 1)
        if answer.body.get("rc") in _BROKEN:
            raise self._unknown(what, "The microcontroller broke down at it.")
        refusal.check(what, answer.body)
        return answer

    def _once(
        self, numbers: Numbers, command: int, body: Mapping[str, Any], what: str, timeout_s: float, epoch: int | None
    ) -> Answer | None:
        """Send a command under a new number; None when it surely did not run. Without an epoch it is not settled."""
        numbers.newest += 1
        told = {"n": numbers.newest, **body}
        patient = epoch is not None
        try:
            answer = self._link.request(
                WRITE, number.EDGE, command, told, lane=numbers.lane, timeout_s=timeout_s, patient=patient
            )
        except BridgeTimeout as error:
            if epoch is None or not error.sends:
                raise
            return self._settle(numbers, told, what, timeout_s, epoch, error)
        self._note(answer)
        return answer

    def _settle(
        self, numbers: Numbers, told: Mapping[str, Any], what: str, timeout_s: float, epoch: int, cause: BridgeTimeout
    ) -> Answer | None:
        """Ask what became of a number, which can never run afterwards."""
        asked = {"s": told["s"], "n": told["n"], "of": numbers.of}
        try:
            answer = self._link.request(WRITE, number.EDGE, number.SETTLE, asked, timeout_s=timeout_s)
        except BridgeTimeout as error:
            raise self._unknown(what, str(cause)) from error
        self._look_at(answer, epoch, what, once=False)
        if answer.body.get("ran") is False:
            return None
        ran = answer.body.get("r")
        if not isinstance(ran, dict):
            raise self._unknown(what, "The microcontroller does not say what became of it.")
        return Answer(ran, answer.sent_s, answer.received_s, 2)

    def _unknown(self, what: str, why: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"{what}: whether that ran is not known.",
            why=f"{why}{self._recorded(what)}",
            fix="Look at the device before going on; home axes, and set outputs anew.",
        )

    def _recorded(self, what: str) -> str:
        path = self._link.recorder.write(what)
        return f" The last frames are in {path}." if path else ""

    def _look_at(self, answer: Answer, epoch: int, what: str, *, once: bool) -> None:
        """Where a session is not known any more, find out why, open one anew, and raise for what was under way."""
        error = answer.body.get("err")
        if isinstance(error, dict) and error.get("group") == number.EDGE and error.get("rc") == number.NO_SESSION:
            try:
                self.look_again(epoch)
            except (BridgeTimeout, PortBusy) as gone:  # a copy of it may have run before the restart, or another came
                if once and isinstance(gone, PortBusy):
                    raise
                raise self._unknown(what, gone.what) from gone
            self._check_epoch(epoch, what)

    def look_again(self, epoch: int) -> None:
        """Say hello and open a session anew, unless that was done since an epoch."""
        with self._renewing:
            if self.epoch == epoch and not self.ended:
                self._renew(self._link.work, anew=True)

    @property
    def info(self) -> Hello:
        """What the microcontroller said of itself last; raises BridgeError before it said anything."""
        if self.hello is None:
            raise BridgeError("This bridge was not opened yet.", fix="Get one from open_bridge().")
        return self.hello

    def refresh(self) -> Hello:
        """Say hello now, open a session anew where that shows a restart, and give what was said."""
        self._renew(self._lane(), anew=False)
        return self.info

    def _check_epoch(self, epoch: int, what: str) -> None:
        if self.epoch == epoch:
            return
        raise Restarted(
            f"The microcontroller restarted, or another session was opened there, while this was under way: {what}.",
            why=f"Outputs are at their safe values and positions unknown.{self._recorded(what)}",
            fix="Home the axes, set the outputs anew, and go on: the session is open again.",
        )

    def _renew(self, lane: Lane, *, anew: bool) -> None:
        """Say hello; open a session where there is none, or where the microcontroller has restarted."""
        with self._renewing:
            self._talking = threading.get_ident(), lane
            try:
                hello = self._hello(lane)
                before = self.hello
                restarted = before is not None and hello.boot != before.boot
                self.hello = hello
                if restarted:
                    logger.warning("The microcontroller has restarted: outputs are safe, positions unknown.")
                if restarted or anew:
                    hello = self.hello = self._open(hello, lane)
                if before is None or hello.dictionary != before.dictionary:
                    self.on_dictionary()
            finally:
                self._talking = None

    def _hello(self, lane: Lane) -> Hello:
        try:
            answer = self._link.request(READ, number.EDGE, number.HELLO, {}, **self._how(lane))
        except BridgeTimeout as error:
            raise BridgeTimeout(
                "Nothing that speaks the bridge's protocol answers on this port.",
                why=error.why,
                fix="Is this the right port (edge bridge list)? edge bridge flash puts the firmware on a new board.",
            ) from error
        if "err" in answer.body or answer.body.get("rc"):
            raise NoProtocol(
                "What answers has no bridge.",
                why="It speaks SMP, and knows nothing of group 64: another firmware.",
                fix="edge bridge flash puts the bridge's firmware on it.",
            )
        hello = read_hello(answer.body)
        if self.hello is not None and hello.identity != self.hello.identity:
            raise NoDevice(
                f"Another board is on this port: {hello.identity.hex()} instead of {self.hello.identity.hex()}.",
                fix="Plug the first one in again, or open the bridge anew for this one.",
            )
        if self.hello is not None and hello.boot != self.hello.boot:
            self._clock.reset()
            self._link.restarted()
        self._link.most_bytes = hello.buffer_bytes
        self._note(answer)
        return hello

    def _open(self, hello: Hello, lane: Lane) -> Hello:
        """Open a session under a new number, once another's lease has run out; give the hello of the start it is in."""
        left_s, again = min(hello.lease_s + 0.2, _HELD_S), _AGAIN
        session = int.from_bytes(os.urandom(4), "big")
        body = {"s": session, "pv": agree(list(hello.protocols)), "ms": round(self.lease_s * 1000)}
        while True:
            body["boot"] = hello.boot
            answer = self._link.request(WRITE, number.EDGE, number.OPEN, body, **self._how(lane))
            try:
                refusal.check("Opening a session", answer.body)
                break
            except PortBusy:
                if left_s <= 0:
                    raise
                self._sleep(0.05)
                left_s -= 0.05
            except Refused as error:
                if error.rc != number.NO_SESSION or not again:
                    raise
                hello, again = self._hello(lane), again - 1  # it restarted once more in between
        self._note(answer)
        self._work.newest = self._safety.newest = 0
        self._opened = self.epoch + 1, session
        return hello

    def _lane(self) -> Lane:
        """Give the lane to ask in: while a port is being greeted that is its own, for the thread that does so."""
        talking = self._talking
        return talking[1] if talking and talking[0] == threading.get_ident() else self._link.work

    def _how(self, lane: Lane) -> dict[str, Any]:
        """Say how to ask while renewing: a port that is gone would be greeted by a thread that waits for this one."""
        return {"lane": lane, "timeout_s": _HELLO_S, "patient": False}

    def _note(self, answer: Answer) -> None:
        told = answer.body.get("t")
        if type(told) is int:  # of whichever sending, it was handled after the first of them
            self._clock.note(told, answer.sent_s, answer.received_s)
