"""Chips as register maps and a wire as bytes, typed from datasheets; runs in MicroPython, too."""

# BMP280 datasheet BST-BMP280-DS001-11, 3.12: the worked example; the BME280 has the same formulas and places.
TRIM = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000)
HUMIDITY_TRIM = (75, 362, 0, 312, 50, 30)
RAW_TEMPERATURE, RAW_PRESSURE, RAW_HUMIDITY = 519888, 415148, 32000


class Clock:
    """One that stands until it is told to move; it wraps as MicroPython's does."""

    def __init__(self) -> None:
        self.now_us = (1 << 30) - 300_000

    def __call__(self) -> int:
        return self.now_us & ((1 << 30) - 1)

    def pass_ms(self, ms: int) -> None:
        self.now_us += ms * 1000


class I2C:
    """A bus with one chip of byte registers; `written` is what came."""

    def __init__(self, address, registers) -> None:
        self.address = address
        self.registers = dict(registers)
        self.written = []
        self.there = True

    def readfrom_mem(self, address, register, count):
        self._select(address)
        return bytes([self.registers.get(register + place, 0) for place in range(count)])

    def writeto_mem(self, address, register, data) -> None:
        self._select(address)
        self.written.append((register, bytes(data)))
        for place, byte in enumerate(data):
            self.registers[register + place] = byte

    def _select(self, address) -> None:
        if not self.there or address != self.address:
            raise OSError(5)


class WordI2C(I2C):
    """One whose registers have 16 bits each, the lower byte first."""

    def readfrom_mem(self, address, register, count):
        self._select(address)
        word = self.registers.get(register, 0)
        return bytes((word & 255, word >> 8))[:count]

    def writeto_mem(self, address, register, data) -> None:
        self._select(address)
        self.written.append((register, bytes(data)))
        self.registers[register] = data[0] | data[1] << 8


def little(value):
    """Give 16 bits, the lower byte first."""
    return (value & 255, value >> 8 & 255)


def put(registers, start, data) -> None:
    """Put bytes into a register map."""
    for place, byte in enumerate(data):
        registers[start + place] = byte


def bme280():
    """Give a BME280 with the datasheet's example in it."""
    registers = {0xD0: 0x60, 0xF3: 0}
    put(registers, 0x88, [byte for value in TRIM for byte in little(value)])
    h1, h2, h3, h4, h5, h6 = HUMIDITY_TRIM
    registers[0xA1] = h1
    put(registers, 0xE1, [h2 & 255, h2 >> 8, h3, h4 >> 4, h4 & 15 | (h5 & 15) << 4, h5 >> 4, h6])
    bus = I2C(0x76, registers)
    bme280_measured(bus)
    return bus


def bme280_measured(bus, temperature=RAW_TEMPERATURE, pressure=RAW_PRESSURE, humidity=RAW_HUMIDITY) -> None:
    """Have it hold other measurements."""
    data = []
    for raw in (pressure, temperature):
        data += [raw >> 12, raw >> 4 & 255, raw << 4 & 255]
    data += [humidity >> 8, humidity & 255]
    put(bus.registers, 0xF7, data)


class Wire:
    """One wire with one DS18B20, byte by byte."""

    def __init__(self, rom, pad) -> None:
        self.rom = bytes(rom)
        self.pad = bytearray(pad)
        self.there = True
        self.power = 0xFF
        self.conversions = 0
        self.bytes = 0
        self._out = b""
        self._in = bytearray()

    def reset(self):
        self._out = b""
        self._in = bytearray()
        return self.there

    def readbyte(self):
        self.bytes += 1
        if not self._out:
            return 0xFF
        byte, self._out = self._out[0], self._out[1:]
        return byte

    def writebyte(self, byte) -> None:
        self.bytes += 1
        self._in.append(byte)
        got = bytes(self._in)
        if got == b"\x33":
            self._out = self.rom
        rest = got[1:] if got[:1] == b"\xcc" else got[9:] if got[:9] == b"\x55" + self.rom else b""
        if rest == b"\x44":
            self.conversions += 1
        if rest == b"\xbe":
            self._out = bytes(self.pad)
        if rest == b"\xb4":
            self._out = bytes((self.power,))
