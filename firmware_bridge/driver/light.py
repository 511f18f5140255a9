"""How sensors of light choose their gain and time: a ladder that is gone up in the dark and down in the light."""

from firmware_bridge.driver.chip import I2CChip

_OFF = 1100  # microseconds that a chip's millisecond may be
_AGES = 3  # so many measurements may have passed since one that is still given
_SLACK_US = 20_000  # their clocks run off by some percent


class LightChip(I2CChip):
    """A sensor of light; its value is ``light`` (lx).

    Attributes
    ----------
    ladder : tuple
        Its settings, the least sensitive first: sensitivity, milliseconds, bits of the register, and the count above
        which the next lower one is taken.
    """

    ladder: "tuple[tuple[float, int, int, int], ...]" = ()

    def poll(self) -> bool:
        """Look whether a measurement is done, and whether another setting suits the light better."""
        if self._ready and self._passed_us(self._since_us) >= self._due_us:
            try:
                self._look()
            except OSError:  # told when it is read next, which tries again
                self._ready = False
        return False

    def age(self) -> "tuple[int, int]":
        """Say how many microseconds ago what `read` gave was measured, and how far off that may be either way.

        The newest measurement that was whole at a look ended up to one of them before it, and began up to two before.
        """
        return self._passed_us(self._lux_us) + self._half_us, self._half_us

    def _begin(self) -> None:
        self._identify()
        self._take(0)

    def _value(self, value: str) -> "float | None":
        if self._passed_us(self._since_us) >= self._due_us:
            self._look()
        if self._lux is None or self._passed_us(self._lux_us) > _AGES * self._wait_us():
            return None
        return self._lux

    def _wait_us(self) -> int:
        return self.ladder[self._step][1] * 1000 + _SLACK_US

    def _take(self, step: int) -> None:
        self._step = step
        self._lux: float | None = None
        self._lux_us = self._half_us = 0
        self._due_us = self._wait_us()
        self._set(self.ladder[step][2])
        self._since_us = self._clock_us()

    def _look(self) -> None:
        """Take a measurement; one that is beyond the setting's counts says only that another is to be taken."""
        sensitivity, ms, _, most = self.ladder[self._step]
        counts = self._counts()
        if counts is None:
            return
        if counts[0] >= most and self._step > 0:
            # At the end of what it counts nothing is known of how much more there is.
            self._take(0 if counts[0] >= self._full(ms) else self._step - 1)
            return
        self._since_us = self._lux_us = self._clock_us()
        self._half_us = self._due_us = ms * _OFF
        self._lux = None if counts[0] >= self._full(ms) else self._lux_of(counts, sensitivity)
        if self._step + 1 < len(self.ladder):
            more, _, _, most_there = self.ladder[self._step + 1]
            if counts[0] * more / sensitivity < most_there / 2:
                held = self._lux, self._lux_us, self._half_us
                self._take(self._step + 1)
                self._lux, self._lux_us, self._half_us = held  # coarser, but of now

    def _identify(self) -> None:
        raise NotImplementedError

    def _set(self, bits: int) -> None:
        """Begin measuring with a setting."""
        raise NotImplementedError

    def _counts(self) -> "tuple[int, int] | None":
        """Give what it counted, None while it counts for the first time; the first number is what may overflow."""
        raise NotImplementedError

    def _full(self, ms: int) -> int:
        """Give the most that it counts in so long."""
        raise NotImplementedError

    def _lux_of(self, counts: "tuple[int, int]", sensitivity: float) -> "float | None":
        """Give the light, None where it is beyond the chip's range."""
        raise NotImplementedError
