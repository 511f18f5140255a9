"""Outputs: set within their range and for their time, and safe whenever nobody answers for them."""

from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.firmware.field import is_number
from firmware_bridge.wire import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NEVER = -1
_AGAIN_US = 100_000  # how often what did not become safe is tried again


class _Output:
    """One output: what is set, how long its lease and its time run yet, and why it is not safe."""

    def __init__(self, part: "Any") -> None:
        entry = part.entry
        self.part = part
        self.kind = entry.get("kind", "")
        self.least = entry.get("least", 0)
        self.most = entry.get("most", 1)
        self.safe = entry.get("safe", 0)
        self.longest_us = entry.get("lease_ms", 1 << 20) * 1000
        self.value = self.safe
        self.lease_us = 0
        self.until_us = _NEVER
        self.why = ""

    def checked(self, value: "Any") -> "Any":
        if self.kind == "colour":
            right = isinstance(value, list) and len(value) == 3
            if right and all(is_number(part) and part == int(part) and 0 <= part <= 255 for part in value):
                return [int(part) for part in value]
            raise FirmwareError(number.RANGE, "a colour is [r, g, b], each a whole number from 0 to 255")
        if value is True or value is False:
            value = int(value)
        if not is_number(value) or not self.least <= value <= self.most:
            raise FirmwareError(number.RANGE, f"{value!r:.40} is not from {self.least} to {self.most}")
        if self.kind == "digital" and value not in (0, 1):
            raise FirmwareError(number.RANGE, f"{value} is neither 0 nor 1")
        return int(value) if self.kind == "digital" else value

    def make_safe(self) -> None:
        self.lease_us = 0
        self.until_us = _NEVER
        try:
            self.part.write(self.safe)
        except Exception as error:  # whatever it is, the other outputs are to become safe all the same
            self.why = f"cannot be made safe: {error!r}"
            return
        self.value = self.safe
        self.why = ""

    def runs_out(self, passed_us: int) -> bool:
        self.lease_us -= passed_us
        if self.until_us != _NEVER:
            self.until_us = max(0, self.until_us - passed_us)
        return self.lease_us <= 0 or self.until_us == 0


class Outputs:
    """All outputs of the configuration; each is safe from the start.

    Parameters
    ----------
    parts : dict
        The hardware's outputs by name.

    Attributes
    ----------
    why : str
        What cannot be made safe, nothing where all can.
    """

    def __init__(self, parts: "dict[str, Any]") -> None:
        self._outputs = {name: _Output(part) for name, part in parts.items()}
        self._waited_us = 0
        self.why = ""
        self.make_safe()

    def __contains__(self, name: object) -> bool:
        return name in self._outputs

    def why_of(self, name: str) -> str:
        """Why an output cannot be made safe, nothing where it can."""
        return self._outputs[name].why

    def value(self, name: str) -> "Any":
        """Give what is set."""
        return self._outputs[name].value

    def set(self, name: str, value: "Any", left_us: int, for_ms: int = 0) -> "Any":
        """Set an output, for as long as its lease runs, or for `for_ms` of that.

        Raises
        ------
        FirmwareError
            When there is none of that name, the value is out of its range, or the hardware does not take it.
        """
        if name not in self._outputs:
            raise FirmwareError(number.NO_NAME, f"there is no output {name!r:.40}")
        output = self._outputs[name]
        value = output.checked(value)
        output.lease_us = min(left_us, output.longest_us)  # it may have been set, even when it does not answer
        output.until_us = for_ms * 1000 if for_ms else _NEVER
        try:
            output.part.write(value)
        except OSError as error:
            raise FirmwareError(number.HARDWARE, f"{name}: {error!r}") from None
        output.value = value
        return value

    def renew(self, left_us: int) -> None:
        """Renew the lease of all that are set, each for as long as it may have one."""
        for output in self._outputs.values():
            if output.lease_us > 0:
                output.lease_us = min(left_us, output.longest_us)

    def make_safe(self) -> None:
        """Set every output to its safe value; `why` tells what did not work."""
        for output in self._outputs.values():
            output.make_safe()
        self._look()

    def advance(self, passed_us: int) -> None:
        """Let time pass: what has run out becomes safe, and what did not become safe is tried again."""
        for output in self._outputs.values():
            if output.lease_us > 0 and output.runs_out(passed_us):
                output.make_safe()
                self._look()
        if self.why:
            self._waited_us += passed_us
            if self._waited_us >= _AGAIN_US:
                self._waited_us = 0
                self._try_again()

    def _try_again(self) -> None:
        for output in self._outputs.values():
            if output.why:
                output.make_safe()
        self._look()

    def _look(self) -> None:
        self.why = ""
        for name, output in self._outputs.items():
            if output.why:
                self.why = f"{name} {output.why}"
