"""A simulated incubator: heater, fan and lamp in a box with a dish of water and a door that somebody opens."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

__all__ = ["Incubator"]

_ROOM_C = 22.0
_ROOM_HUMIDITY = 0.45
_HEATER_W = 60.0
_LAMP_W = 4.0
_MASS_J_PER_K = 2400.0  # water, glass and the inner wall
_LOSS_W_PER_K = 1.3
_FAN_LOSS_W_PER_K = 0.5
_DOOR_LOSS_W_PER_K = 9.0
_SENSOR_LAG_S = 6.0
_DISH_LAG_S = 400.0
_DOOR_LAG_S = 25.0
_NOISE_C = 0.03
_NOISE_PERCENT = 0.2
_OPENED_EVERY_S = 900.0
_OPEN_S = (10.0, 40.0)
_STEP_S = 1.0  # short beside every lag
_MOST_STEPS = 2000


def saturation_hpa(celsius: float) -> float:
    """Tell the vapour pressure of water at saturation.

    Source: Alduchov and Eskridge (1996), "Improved Magnus form approximation of saturation vapor pressure",
    equation 21.

    Examples
    --------
    >>> round(saturation_hpa(37.0), 1)
    62.7
    """
    return 6.1094 * math.exp(17.625 * celsius / (243.04 + celsius))


class Incubator:
    """A thermal mass with heat loss, sensors that lag behind it, and vapour above a dish.

    Parameters
    ----------
    clock : callable
        The time in seconds; physics catches up with it whenever something is read or set.
    seed : int
        Of the noise and of when the door is opened.
    pace : float
        Seconds of physics in each second of the clock.

    Attributes
    ----------
    air_c : float
        How warm it is, without lag and noise.
    """

    name = "incubator"

    def __init__(self, clock: Callable[[], float], seed: int = 0, pace: float = 1.0) -> None:
        self._clock = clock
        self._pace = pace
        self._noise = random.Random(2 * seed)
        self._somebody = random.Random(2 * seed + 1)  # of its own, so that reading does not change who opens the door
        self._then_s = clock()
        self.air_c = self._felt_c = _ROOM_C
        self._vapour_hpa = _ROOM_HUMIDITY * saturation_hpa(_ROOM_C)
        self._set = {"heater": 0.0, "lamp": 0.0, "fan": 0.0}
        self._door_open = False
        self._door_turns_in_s = self._somebody.expovariate(1 / _OPENED_EVERY_S)

    def sensors(self) -> dict[str, tuple[dict[str, object], Callable[[], float]]]:
        """Give each sensor's entry of the dictionary and what reads it."""
        tenth = {"period_us": 100_000}
        warm: dict[str, object] = {"unit": "degC", "least": -40, "most": 85, "accuracy": 0.5, **tenth}
        moist: dict[str, object] = {"unit": "%", "least": 0, "most": 100, "accuracy": 3.0, **tenth}
        door: dict[str, object] = {"unit": "", "least": 0, "most": 1, **tenth}
        return {
            "temperature": (warm, self._temperature),
            "humidity": (moist, self._humidity),
            "door": (door, self._door),
        }

    def outputs(self) -> dict[str, tuple[dict[str, object], Callable[[float], None]]]:
        """Give each output's entry of the dictionary and what sets it."""
        pwm: dict[str, object] = {"unit": "", "least": 0, "most": 1, "safe": 0, "kind": "pwm", "lease_ms": 5000}
        digital = {**pwm, "kind": "digital"}
        return {"heater": (pwm, self._setter("heater")), "lamp": (pwm, self._setter("lamp")),
                "fan": (digital, self._setter("fan"))}  # fmt: skip

    def _setter(self, name: str) -> Callable[[float], None]:
        def write(value: float) -> None:
            self._advance()
            self._set[name] = float(value)

        return write

    def _temperature(self) -> float:
        self._advance()
        return round(self._felt_c + self._noise.gauss(0, _NOISE_C), 2)

    def _humidity(self) -> float:
        self._advance()
        percent = 100 * self._vapour_hpa / saturation_hpa(self._felt_c)
        return round(min(max(percent + self._noise.gauss(0, _NOISE_PERCENT), 0.0), 100.0), 1)

    def _door(self) -> float:
        self._advance()
        return int(self._door_open)

    def _advance(self) -> None:
        """Catch up with the clock, in steps that are short beside every lag."""
        left_s = (self._clock() - self._then_s) * self._pace
        self._then_s = self._clock()
        longest_s = max(_STEP_S, left_s / _MOST_STEPS)
        while left_s > 0:
            step_s = min(left_s, longest_s, self._door_turns_in_s)
            self._step(step_s)
            left_s -= step_s

    def _step(self, step_s: float) -> None:
        loss = _LOSS_W_PER_K + _FAN_LOSS_W_PER_K * self._set["fan"] + _DOOR_LOSS_W_PER_K * self._door_open
        heat_w = _HEATER_W * self._set["heater"] + _LAMP_W * self._set["lamp"]
        self.air_c = _towards(self.air_c, _ROOM_C + heat_w / loss, step_s, _MASS_J_PER_K / loss)
        self._felt_c = _towards(self._felt_c, self.air_c, step_s, _SENSOR_LAG_S)
        self._vapour_hpa = _towards(self._vapour_hpa, 0.92 * saturation_hpa(self.air_c), step_s, _DISH_LAG_S)
        if self._door_open:
            room_hpa = _ROOM_HUMIDITY * saturation_hpa(_ROOM_C)
            self._vapour_hpa = _towards(self._vapour_hpa, room_hpa, step_s, _DOOR_LAG_S)
        self._door_turns_in_s -= step_s
        if self._door_turns_in_s <= 0:
            self._door_open = not self._door_open
            waits = self._somebody.uniform(*_OPEN_S), self._somebody.expovariate(1 / _OPENED_EVERY_S)
            self._door_turns_in_s = waits[0] if self._door_open else waits[1]


def _towards(value: float, goal: float, step_s: float, lag_s: float) -> float:
    """Follow a goal as a first-order lag does, exactly for a goal that holds still."""
    return goal + (value - goal) * math.exp(-step_s / lag_s)
