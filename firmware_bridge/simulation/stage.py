"""A simulated microscope stage: three axes with play and a switch each, a lamp and what the lamp shines on."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

__all__ = ["Stage", "StageAxis"]

_AMBIENT_LUX = 6.0
_LAMP_LUX = 900.0
_LIGHT_LAG_S = 0.15
_NOISE = 0.01  # of the light


class StageAxis:
    """One axis: a motor that makes steps, a slide that follows it with play, hard ends, and a switch near one of them.

    Parameters
    ----------
    entry : dict
        Its entry of the dictionary.
    start_um : float
        Where the slide is when the power comes on, which nobody knows before it is homed.

    Attributes
    ----------
    slide_um : float
        Where the slide truly is.
    pulses : int
        Steps that the motor was told to make, those forward less those back.
    lost_pulses : int
        Steps that the motor could not make, because the slide was at its end.
    """

    def __init__(self, entry: dict[str, object], start_um: float) -> None:
        self.entry = entry
        self.slide_um = start_um
        self.enabled = False
        self.pulses = self.lost_pulses = 0
        self._motor_um = start_um
        self._step_um = float(str(entry["um_per_step"]))
        self._half_play_um = float(str(entry["backlash"])) / 2
        reach_um = float(str(entry["most"])) - float(str(entry["least"]))
        self._switch_um = float(str(entry["least"]))
        self._ends_um = (self._switch_um - 0.02 * reach_um, float(str(entry["most"])) + 0.02 * reach_um)

    def enable(self, on: bool) -> None:
        """Give the motor current, or let it go."""
        self.enabled = on

    def pulse(self, direction: int) -> None:
        """Make one step, forward (1) or back (-1)."""
        self.pulses += direction
        motor_um = self._motor_um + direction * self._step_um
        slide_um = min(max(self.slide_um, motor_um - self._half_play_um), motor_um + self._half_play_um)
        if not self.enabled or not self._ends_um[0] <= slide_um <= self._ends_um[1]:
            self.lost_pulses += 1
            return
        self._motor_um, self.slide_um = motor_um, slide_um

    def at_switch(self) -> bool:
        """Tell whether the slide presses its switch."""
        return self.slide_um <= self._switch_um


class Stage:
    """Axes x, y and z, a lamp and a light sensor under it.

    Parameters
    ----------
    clock : callable
        The time in seconds, for the light sensor's lag.
    seed : int
        Of the noise and of where the slides stand at first.
    pace : float
        Seconds of physics in each second of the clock.

    Attributes
    ----------
    axes : dict of str to StageAxis
        By name.
    """

    name = "stage"

    def __init__(self, clock: Callable[[], float], seed: int = 0, pace: float = 1.0) -> None:
        self._clock = clock
        self._pace = pace
        self._dice = random.Random(seed)
        self._lamp = 0.0
        self._felt_lux = _AMBIENT_LUX
        self._then_s = clock()
        self.axes = {
            "x": self._axis(least=-5000, most=5000, um_per_step=1.25, backlash=12),
            "y": self._axis(least=-5000, most=5000, um_per_step=1.25, backlash=9),
            "z": self._axis(least=-500, most=500, um_per_step=0.25, backlash=3),
        }

    def sensors(self) -> dict[str, tuple[dict[str, object], Callable[[], float]]]:
        """Give each sensor's entry of the dictionary and what reads it."""
        entry: dict[str, object] = {"unit": "lx", "least": 0, "most": 2000, "period_us": 20_000, "accuracy": 20}
        return {"light": (entry, self._light)}

    def outputs(self) -> dict[str, tuple[dict[str, object], Callable[[float], None]]]:
        """Give each output's entry of the dictionary and what sets it."""
        entry: dict[str, object] = {"unit": "", "least": 0, "most": 1, "safe": 0, "kind": "pwm", "lease_ms": 5000}
        return {"lamp": (entry, self._set_lamp)}

    def _axis(self, least: float, most: float, um_per_step: float, backlash: float) -> StageAxis:
        speed = 800 * um_per_step  # 800 steps a second
        entry: dict[str, object] = {
            "unit": "um",
            "least": least,
            "most": most,
            "step": um_per_step,
            "um_per_step": um_per_step,
            "speed": speed,
            "acceleration": 4 * speed,
            "homes": True,
            "home": {"to": -1, "at": least, "speed": speed / 2},
            "backlash": backlash,
        }
        return StageAxis(entry, self._dice.uniform(least / 5, most / 5))

    def _set_lamp(self, value: float) -> None:
        self._advance()
        self._lamp = float(value)

    def _light(self) -> float:
        self._advance()
        return round(max(self._felt_lux * (1 + self._dice.gauss(0, _NOISE)), 0.0), 1)

    def _advance(self) -> None:
        now_s = self._clock()
        goal_lux = _AMBIENT_LUX + _LAMP_LUX * self._lamp
        share = math.exp(-(now_s - self._then_s) * self._pace / _LIGHT_LAG_S)
        self._felt_lux = goal_lux + (self._felt_lux - goal_lux) * share
        self._then_s = now_s
