"""What goes wrong on a serial line, put on purpose into the bytes that pass: seeded, counted, on the caller's clock."""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, fields

__all__ = ["BOOT_LOG", "KINDS", "FaultLine", "FaultPair", "Faults", "Split", "by_line"]

KINDS = ("drop", "double", "late", "flip", "cut", "noise", "stall")

# As an RP2040 and an ESP32 say it when they start, and a REPL when somebody talks to it; the last breaks off.
BOOT_LOG = (
    b"MPY: soft reboot\r\nMicroPython v1.25.0; Raspberry Pi Pico with RP2040\r\n>>> ",
    b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n",
    b"\x06\x09 is no frame, nor is \x04\x14AAAA\r\n",
    b"\xff\x00\xfe" * 9,
    b'Traceback (most recent call last):\r\n  File "main.py", line',
)
_LONGEST_UNIT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Faults:
    """How often what goes wrong in one direction: shares of all units, of which each meets one fault at most.

    Parameters
    ----------
    drop, double : float
        Lost; sent twice.
    late, late_ms : float
        Held back while what comes after passes; nothing is late while `late_ms` is 0.
    flip : float
        One bit turned over, the newline's too.
    cut : float
        The end of the unit lost, newline and all.
    noise : float
        With the text of a boot log, a REPL or garbage in front.
    stall, stall_ms : float
        All of the line waits, then comes at once.
    latency_ms, jitter_ms : float
        What every unit takes, and up to how much more, in order.
    """

    drop: float = 0.0
    double: float = 0.0
    late: float = 0.05
    late_ms: float = 0.0
    flip: float = 0.0
    cut: float = 0.0
    noise: float = 0.0
    stall: float = 0.0
    stall_ms: float = 500.0
    latency_ms: float = 0.0
    jitter_ms: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if not 0 <= getattr(self, field.name) < float("inf"):
                raise ValueError(f"{field.name}={getattr(self, field.name)} is no share and no time")
        if sum(self.shares().values()) > 1:
            raise ValueError(f"the shares of {', '.join(self.shares())} are more than 1 together")

    def shares(self) -> dict[str, float]:
        """Say which share of the units meets which fault."""
        shares = {kind: float(getattr(self, kind)) for kind in KINDS if getattr(self, kind)}
        if not self.late_ms:
            shares.pop("late", None)
        return shares


Split = Callable[[bytearray], "list[bytes]"]


def by_line(waiting: bytearray) -> list[bytes]:
    """Take whole lines off the front: the units of our protocol and of SMP."""
    units = []
    while (end := waiting.find(b"\n") + 1) or len(waiting) >= _LONGEST_UNIT_BYTES:
        end = end or _LONGEST_UNIT_BYTES
        units.append(bytes(waiting[:end]))
        del waiting[:end]
    return units


class FaultLine:
    r"""One direction of a line: bytes go in by `put`, and come out by `take` when they are due.

    Parameters
    ----------
    faults : Faults
        How often what goes wrong; may be replaced at any time.
    seed : int
        The same seed and the same units give the same faults.
    split : callable
        What takes whole units off what has come.
    script : tuple of (kind, place)
        What `meet` takes, for the first units.

    Attributes
    ----------
    counts : Counter
        Units that came (`units`), and faults by kind.
    unplugged : bool
        Nothing passes while it is set; what was under way is lost.

    Examples
    --------
    >>> line = FaultLine(Faults(drop=0.5), seed=3)
    >>> line.put(b"1\n2\n3\n4\n", 0.0)
    >>> line.take(0.0), line.counts["drop"]
    (b'3\n4\n', 2)
    """

    def __init__(
        self, faults: Faults, seed: int = 0, split: Split = by_line, script: tuple[tuple[str, int], ...] = ()
    ) -> None:
        self.faults = faults
        self.counts: Counter[str] = Counter()
        self.unplugged = False
        self._dice = random.Random(seed)
        self._split = split
        self._script = deque(script)
        self._waiting = bytearray()
        self._held: list[tuple[float, int, bytes]] = []
        self._order = 0
        self._clear_s = float("-inf")  # until when all that comes in order has to wait

    def put(self, data: bytes, now_s: float) -> None:
        """Take in what one side has written."""
        self._waiting += data
        for unit in self._split(self._waiting):
            self.counts["units"] += 1
            kind, place = self._script.popleft() if self._script else self._draw()
            if kind:
                self.counts[kind] += 1
            self._strike(kind, place, unit, now_s)
        if self.unplugged:
            self.clear()

    def meet(self, *script: tuple[str, int]) -> None:
        """Say what the next units meet: a kind, or "" for none, and its place (which bit, which byte, which text)."""
        self._script.extend(script)

    def take(self, now_s: float) -> bytes:
        """Give what is due by now to the other side."""
        due = bytearray()
        while self._held and self._held[0][0] <= now_s:
            due += heapq.heappop(self._held)[2]
        return bytes(due)

    def due_s(self) -> float | None:
        """Say when the next bytes are due, or None if none are under way."""
        return self._held[0][0] if self._held else None

    def clear(self) -> None:
        """Lose what is under way, as a plug that is pulled does."""
        self._held.clear()
        self._waiting.clear()

    def _draw(self) -> tuple[str, int]:
        roll = self._dice.random()
        place = self._dice.getrandbits(30)  # always drawn, so that one fault more does not shift all the rest
        for kind, share in self.faults.shares().items():
            roll -= share
            if roll < 0:
                return kind, place
        return "", 0

    def _strike(self, kind: str, place: int, unit: bytes, now_s: float) -> None:
        if kind == "drop":
            return
        if kind == "flip":
            struck = bytearray(unit)
            struck[place // 8 % len(unit)] ^= 1 << place % 8
            unit = bytes(struck)
        elif kind == "cut":
            unit = unit[: place % len(unit)]
        elif kind == "noise":
            unit = BOOT_LOG[place % len(BOOT_LOG)] + unit
        elif kind == "stall":
            self._clear_s = max(self._clear_s, now_s + self.faults.stall_ms / 1000)
        elif kind == "late":
            self._hold(now_s + self.faults.late_ms / 1000, unit)
            return
        for _ in range(2 if kind == "double" else 1):
            self._pass(unit, now_s)

    def _pass(self, unit: bytes, now_s: float) -> None:
        """Send a unit behind all that was sent in order."""
        takes_ms = self.faults.latency_ms
        if self.faults.jitter_ms:
            takes_ms += self._dice.uniform(0, self.faults.jitter_ms)
        self._clear_s = max(self._clear_s, now_s + takes_ms / 1000)
        self._hold(self._clear_s, unit)

    def _hold(self, due_s: float, unit: bytes) -> None:
        self._order += 1
        heapq.heappush(self._held, (due_s, self._order, unit))


class FaultPair:
    """Both directions of a line, each with dice of its own.

    Parameters
    ----------
    to_device, to_host : Faults
        What goes wrong either way; `to_host` is as `to_device` where it is not given.
    seed : int
        Of both.
    split : callable
        What takes whole units off what has come.
    """

    def __init__(self, to_device: Faults, to_host: Faults | None = None, seed: int = 0, split: Split = by_line) -> None:
        self.to_device = FaultLine(to_device, 2 * seed, split)
        self.to_host = FaultLine(to_host or to_device, 2 * seed + 1, split)

    @property
    def counts(self) -> dict[str, int]:
        """Units and faults of both directions, by kind."""
        return dict(self.to_device.counts + self.to_host.counts)

    def due_s(self) -> float | None:
        """Say when the next bytes of either direction are due, or None if none are under way."""
        return min((due for line in (self.to_device, self.to_host) if (due := line.due_s()) is not None), default=None)

    def unplug(self, gone: bool = True) -> None:
        """Pull the plug, or put it back in."""
        for line in (self.to_device, self.to_host):
            line.unplugged = gone
            line.clear()
