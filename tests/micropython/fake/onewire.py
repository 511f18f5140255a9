"""A fake of MicroPython's `onewire`, for tests only: nothing is on the wire."""


class OneWire:
    def __init__(self, pin):
        self.pin = pin.number

    def reset(self):
        return False

    def writebyte(self, byte):
        pass

    def readbyte(self):
        return 0xFF
