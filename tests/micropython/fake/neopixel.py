"""A fake of MicroPython's `neopixel`, for tests only."""

import machine


class NeoPixel:
    def __init__(self, pin, count):
        self.pin, self.count, self.colour = pin.number, count, None

    def fill(self, colour):
        self.colour = colour

    def write(self):
        machine.LOG.append(("leds", self.pin, (self.count, self.colour)))
