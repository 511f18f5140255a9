"""A fake of MicroPython's `esp32`, for tests only: that it is there says what this is."""

import machine

machine.TIMERS = (0, 1, 2, 3)
