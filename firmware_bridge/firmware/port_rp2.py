"""The port to RP2040 and RP2350: Raspberry Pi Pico and its kin.

Source: RP2040 datasheet (2.19.2 pins, 3.4 PIO's instructions, 4.5.2 PWM slices, 4.9.1 ADC inputs), RP2350 datasheet,
MicroPython's documentation of `rp2`.
"""

# ruff: noqa: F821 (the names of PIO's assembler)

import machine
import rp2

from firmware_bridge.firmware.board import Board
from firmware_bridge.firmware.error import ConfigError
from firmware_bridge.firmware.pin import Enable, Stepper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_HZ = 1_000_000  # of the state machines: a cycle is a microsecond
_CYCLES = 9  # that a step takes besides its wait
_MACHINES = 4  # of the first PIO block; a Pico W needs one of the second for its radio
_PERIOD = 1 << 30  # of the clock
_FULL = 65535


@rp2.asm_pio(  # type: ignore[untyped-decorator, unused-ignore]
    out_init=rp2.PIO.OUT_LOW, set_init=rp2.PIO.OUT_LOW, out_shiftdir=rp2.PIO.SHIFT_RIGHT, fifo_join=rp2.PIO.JOIN_TX
)
def _steps():  # type: ignore[no-untyped-def]
    pull(block)  # type: ignore[name-defined]
    out(pins, 1)  # type: ignore[name-defined]
    out(x, 31)  # type: ignore[name-defined]
    label("wait")  # type: ignore[name-defined]
    jmp(x_dec, "wait")  # type: ignore[name-defined]
    set(pins, 1)[3]  # type: ignore[name-defined, call-overload]
    set(pins, 0)  # type: ignore[name-defined, call-overload]


class PioStepper(Stepper):
    """A stepper's pins whose pulses a state machine spaces, so that none is late while a request is answered."""

    ahead_us = 4000
    burst = 8
    """As many as the state machine holds."""

    def __init__(
        self, item: "dict[str, Any]", enable: "Enable | None", which: int, clock_us: "Callable[[], int]"
    ) -> None:
        super().__init__(item, enable)
        self._clock_us = clock_us
        self._due_us = clock_us()
        self._machine = rp2.StateMachine(which, _steps, freq=_HZ, out_base=self._dir, set_base=self._step)
        self._machine.active(1)

    def queue(self, direction: int, wait_us: int) -> None:
        """Make one step so long after the one before."""
        now_us = self._clock_us()
        late_us = (now_us - self._due_us) & (_PERIOD - 1)
        if late_us < _PERIOD // 2:  # the one before is made, so that the machine begins to wait now
            self._due_us = now_us
            wait_us = max(0, wait_us - late_us)
        self._due_us += wait_us
        self._machine.put(max(0, wait_us - _CYCLES) << 1 | self._towards(direction))

    def close(self) -> None:
        """Let go of the state machine, with what it holds."""
        self._machine.active(0)


class RP2(Board):
    """An RP2040 or RP2350."""

    analog_in: tuple[int, ...] = (26, 27, 28, 29)

    def __init__(self, clock_us: "Callable[[], int]") -> None:
        super().__init__(clock_us)
        large = "RP2350B" in self.board
        self.pins = range(48 if large else 30)
        if large:
            self.analog_in = tuple(range(40, 48))
        self._machines = 0

    def check(self, wanted: "dict[str, Any]") -> None:
        """Check a configuration, and that outputs which share a timer have one frequency."""
        super().check(wanted)
        slices: dict[int, tuple[str, int, int]] = {}
        for name, item in sorted(wanted.get("outputs", {}).items()):
            if item["kind"] != "pwm":
                continue
            pin, hz = item["pin"], item.get("hz", 1000)
            which = _slice(pin)
            other, other_hz, other_pin = slices.setdefault(which, (name, hz, pin))
            if other != name and (hz != other_hz or (pin - other_pin) % 2 == 0):
                raise ConfigError(
                    f"outputs.{name}.pin",
                    f"pins {other_pin} and {pin} share a timer: give it the same hz as {other}, and another parity",
                )

    def build(self, wanted: "dict[str, Any]") -> "Any":
        """Make what a configuration that was checked says."""
        self._machines = 0
        return super().build(wanted)

    def share(self, pin: int) -> "Callable[[], float]":
        """Give what measures a pin's share of 3.3 V, the reference of the Pico's ADC."""
        adc = machine.ADC(machine.Pin(pin))
        return lambda: adc.read_u16() / _FULL

    def stepper(self, item: "dict[str, Any]", enable: "Enable | None") -> Stepper:
        """Make an axis's pins: with a state machine, as long as there are some."""
        if self._machines == _MACHINES:
            return super().stepper(item, enable)
        self._machines += 1
        return PioStepper(item, enable, self._machines - 1, self.clock_us)


def _slice(pin: int) -> int:
    """Give the timer of a pin: 8 for the first 32, 4 more for those of the RP2350B."""
    return pin >> 1 & 7 if pin < 32 else 8 + (pin >> 1 & 3)
