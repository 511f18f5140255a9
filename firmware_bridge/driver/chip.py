"""What the drivers have in common: set up on first use, and anew after anything that went wrong."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PERIOD = 1 << 30  # the clocks of all ports wrap at a multiple of it


class Chip:
    """A sensor's chip.

    Nothing is asked of it before the first `read`, so that one that is missing hinders nothing else, and one that was
    plugged in again is set up again.

    Parameters
    ----------
    bus : machine.I2C, onewire.OneWire or what has their functions
        Where it hangs.
    address : int
        Of the chip, there.
    clock_us : function
        Microseconds, modulo 2**30 or a multiple of it, as ``time.ticks_us`` gives them.

    Attributes
    ----------
    attended : bool
        Whether somebody calls `poll`, who sees to it that only one at a time talks on a wire.
    """

    name = ""
    attended = False

    def __init__(self, bus: "Any", address: int, clock_us: "Callable[[], int]") -> None:
        self.bus = bus
        self.address = address
        self._clock_us = clock_us
        self._ready = False

    def read(self, value: str) -> "float | None":
        """Give one of its values, None where it has none just now, such as while it measures for the first time.

        Raises
        ------
        OSError
            If it does not answer, or is another chip; its text says what is wrong.
        """
        try:
            if not self._ready:
                self._begin()
                self._ready = True
            return self._value(value)
        except OSError:
            self._ready = False
            raise

    def age(self) -> "tuple[int, int]":
        """Say how many microseconds ago what `read` gave was measured, and how far off that may be either way.

        What takes a while is measured in its middle, and off by as much as a half of it: nobody knows when in between
        the value was what it is.
        """
        raise NotImplementedError

    def poll(self) -> bool:
        """Do what is due, for a few milliseconds at most; tell whether its bus is to be left to it for now."""
        return False

    def _begin(self) -> None:
        raise NotImplementedError

    def _value(self, value: str) -> "float | None":
        raise NotImplementedError

    def _passed_us(self, since_us: int) -> int:
        return (self._clock_us() - since_us) & (_PERIOD - 1)

    def _error(self, what: str) -> OSError:
        return OSError(f"{self.name} at 0x{self.address:02x} {what}")


class I2CChip(Chip):
    """One on an I2C bus, with registers."""

    def get(self, register: int, count: int) -> bytes:
        """Read registers one after the other."""
        try:
            return bytes(self.bus.readfrom_mem(self.address, register, count))
        except OSError as error:
            raise self._error(f"does not answer ({error}): check its wiring, supply and address") from None

    def put(self, register: int, data: bytes) -> None:
        """Write registers one after the other."""
        try:
            self.bus.writeto_mem(self.address, register, data)
        except OSError as error:
            raise self._error(f"does not take what is written ({error}): check its wiring and supply") from None

    def _check_id(self, register: int, expected: int, known: "dict[int, str]") -> None:
        """Check that it is the chip that it should be; `known` are others that are found in its place."""
        found = self.get(register, 1)[0]
        if found != expected:
            other = known.get(found, "another chip")
            raise self._error(f"is {other}: its id is 0x{found:02x}, not 0x{expected:02x}")
