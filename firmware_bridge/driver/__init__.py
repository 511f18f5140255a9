"""Drivers of sensors, the same for a microcontroller's MicroPython and for a board's own pins."""
