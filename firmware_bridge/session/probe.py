"""What answers on a port: a bridge, another SMP server, MicroPython's prompt, other text, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from firmware_bridge.error import BridgeTimeout, NoProtocol
from firmware_bridge.link.trace import Passed, Trace
from firmware_bridge.port.port import Port
from firmware_bridge.session.hello import Hello, read_hello
from firmware_bridge.wire import number
from firmware_bridge.wire.line import lines
from firmware_bridge.wire.message import READ, READ_ANSWER, Message, encode_message

__all__ = ["ASKING", "Probe", "probe"]

ASKING = lines(encode_message(Message(READ, number.EDGE, number.HELLO, 0, {})))
"""The line that asks who is there. To a REPL it is a word that it does not know; it changes nothing anywhere."""
_PROMPT = ">>>"
_ASK_AGAIN_S = 0.4
_SLICE_S = 0.05


@dataclass(frozen=True, slots=True)
class Probe:
    """What answers.

    Attributes
    ----------
    kind : str
        ``bridge``; ``smp``, which is another firmware that speaks SMP; ``micropython``; ``text``; ``nothing``.
    says : str
        In words.
    hello : Hello or None
        Of a bridge.
    """

    kind: str
    says: str
    hello: Hello | None = None


def probe(port: Port, *, timeout_s: float = 1.5, clock: Callable[[], float] = time.monotonic) -> Probe:
    """Ask on an open port who is there; nothing is changed by it, and no session opened.

    Raises
    ------
    BridgeError
        If the port goes away meanwhile.
    """
    trace, text = Trace("<"), ""
    now_s = clock()
    end_s, ask_s = now_s + timeout_s, now_s
    while now_s < end_s:
        if now_s >= ask_s:
            ask_s = now_s + _ASK_AGAIN_S
            try:
                port.write(ASKING)
            except BridgeTimeout as error:
                return Probe("nothing", f"It takes no bytes. {error.why}")
        for seen in trace.feed(port.read(_SLICE_S), clock()):
            told = _told(seen)
            if told is not None:
                return told
            text = seen.text if seen.kind == "text" and seen.text.strip() else text
        now_s = clock()
    rest = "".join(seen.text for seen in trace.flush(now_s))
    if _PROMPT in rest or _PROMPT in text or "MicroPython" in text:
        return Probe("micropython", "MicroPython's prompt, without the bridge's firmware")
    text = rest or text
    return Probe("text", f"something that says: {text[:60]}") if text else Probe("nothing", "nothing answers")


def _told(seen: Passed) -> Probe | None:
    message = seen.message
    if message is None or message.op != READ_ANSWER or message.group != number.EDGE or message.command != number.HELLO:
        return None
    if "err" in message.body or message.body.get("rc"):
        return Probe("smp", "a firmware that speaks SMP, without a bridge")
    try:
        hello = read_hello(message.body)
    except NoProtocol as error:
        return Probe("smp", error.what)
    named = f", {hello.name!r}" if hello.name else ""
    return Probe("bridge", f"a bridge: firmware {hello.firmware} on {hello.board}{named}", hello)
