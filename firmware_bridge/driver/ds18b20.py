"""Maxim DS18B20: temperature over one wire.

Source: DS18B20 datasheet 19-7487, revision 6 (July 2019): commands, scratchpad, CRC, times. Byte 6 of the scratchpad
is 0x0C after power-on, and of Maxim's own chips another one after every measurement; a clone that leaves it so cannot
tell 85.0 degrees.
"""

from firmware_bridge.driver.chip import Chip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_READ_ROM, _MATCH_ROM, _SKIP_ROM = 0x33, 0x55, 0xCC
_CONVERT, _READ_SCRATCHPAD, _READ_POWER = 0x44, 0xBE, 0xB4
_FAMILY = 0x28
_CONVERTS_US = 750_000
_AGAIN_US = 500_000  # after a failure
_AGE_US = 2_500_000  # the longest that a measurement is given as one of now
_PIECE = 3  # bytes at a time, each of which takes half a millisecond
_POWER_ON = (0x50, 0x05, 0x0C)  # 85 degrees


class DS18B20(Chip):
    """The chip; its value is ``temperature`` (degC).

    It measures as `poll` is called. Where only `read` is, that takes up to 12 ms, and gives what was measured since
    the one before. A failure is told until a measurement came through.

    Parameters
    ----------
    bus : onewire.OneWire or what has its functions
        ``reset``, ``writebyte`` and ``readbyte``.
    address : int
        Its 64-bit ROM code, whose lowest byte is the family, 0x28; 0 where it is alone on the wire.
    """

    name = "DS18B20"
    address = 0

    def __init__(self, bus: "Any", address: int, clock_us: "Callable[[], int]") -> None:
        super().__init__(bus, address, clock_us)
        self._work: Iterator[bool] = self._measure()
        self._celsius: float | None = None
        self._measured_us = 0
        self._failure = ""
        self._failed_us = 0

    def poll(self) -> bool:
        """Do the next piece of a measurement; tell whether it is in the middle of talking."""
        try:
            return next(self._work)
        except OSError as error:
            self._failure = str(error)
            self._celsius = None
            self._ready = False
            self._failed_us = self._clock_us()
            self._work = self._measure()
            return False

    def read(self, value: str) -> "float | None":
        """Give the temperature, None before there is one that is young enough; raises OSError."""
        while not self.attended and self.poll():
            pass
        if self._failure:
            raise OSError(self._failure)
        if self._celsius is None or self._passed_us(self._measured_us) > _AGE_US:
            return None
        return self._celsius

    def age(self) -> "tuple[int, int]":
        """Say how many microseconds ago what `read` gave was measured, and how far off that may be either way."""
        return max(0, self._passed_us(self._measured_us) - _CONVERTS_US // 2), _CONVERTS_US // 2

    def _measure(self) -> "Iterator[bool]":
        """Measure again and again; gives True where the wire must be left to it, False where others may talk."""
        while self._failure and self._passed_us(self._failed_us) < _AGAIN_US:
            yield False
        while True:
            if not self._ready:
                yield from self._identify()
                self._ready = True
            yield from self._select()
            self.bus.writebyte(_CONVERT)
            begun_us = self._clock_us()
            while self._passed_us(begun_us) < _CONVERTS_US:
                yield False
            yield from self._select()
            self.bus.writebyte(_READ_SCRATCHPAD)
            pad = bytearray()
            while len(pad) < 9:
                pad.append(self.bus.readbyte())
                if len(pad) % _PIECE == 0:
                    yield True
            self._celsius = self._checked(pad)
            self._measured_us = begun_us
            self._failure = ""

    def _identify(self) -> "Iterator[bool]":
        if self.address:
            rom = self.address.to_bytes(8, "little")
            if rom[0] != _FAMILY or crc8(rom):
                raise self._error(f"is no address of one: it ends with 0x{_FAMILY:02x}, and begins with its own CRC")
        else:
            self._reset()
            self.bus.writebyte(_READ_ROM)
            yield True
            rom = bytes([self.bus.readbyte() for _ in range(8)])
            if crc8(rom):
                raise self._error("cannot be read: there is more than one on the wire, and its address is to be given")
            if rom[0] != _FAMILY:
                raise self._error(f"is another chip: its family is 0x{rom[0]:02x}, not 0x{_FAMILY:02x}")
        yield from self._select()
        self.bus.writebyte(_READ_POWER)
        if self.bus.readbyte() == 0:
            raise self._error("takes its power from the data wire, which is not supported: connect its VDD")

    def _select(self) -> "Iterator[bool]":
        self._reset()
        if not self.address:
            self.bus.writebyte(_SKIP_ROM)
            return
        self.bus.writebyte(_MATCH_ROM)
        for place, byte in enumerate(self.address.to_bytes(8, "little")):
            if place % 4 == 0:
                yield True
            self.bus.writebyte(byte)
        yield True

    def _error(self, what: str) -> OSError:
        which = f" {self.address:016x}" if self.address else ""
        return OSError(f"{self.name}{which} {what}")

    def _reset(self) -> None:
        if not self.bus.reset():
            raise self._error("does not answer: nothing is on the wire, or its pull-up of 4.7 kOhm is missing")

    def _checked(self, pad: bytearray) -> float:
        if crc8(pad):
            raise self._error("was read wrong: its CRC does not fit; shorten the wire, or make its pull-up stronger")
        if pad[4] & 0x9F != 0x1F:  # zeros all through have a right CRC, too
            raise self._error("was read wrong: the wire is held low")
        if (pad[0], pad[1], pad[6]) == _POWER_ON:
            raise self._error("lost its supply while it measured: check its VDD and ground")
        raw = pad[1] << 8 | pad[0]
        raw &= ~0 << (3 - (pad[4] >> 5))  # of fewer bits, those below are undefined
        return (raw - 65536 if raw & 0x8000 else raw) / 16


def crc8(data: "bytes | bytearray") -> int:
    """Give Maxim's CRC: x^8 + x^5 + x^4 + 1, the lowest bit first; 0 of what ends with its own.

    Examples
    --------
    >>> hex(crc8(bytes((0x02, 0x1C, 0xB8, 0x01, 0x00, 0x00, 0x00))))
    '0xa2'
    """
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x8C if crc & 1 else crc >> 1
    return crc
