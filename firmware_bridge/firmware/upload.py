"""Uploads: pieces of a file in their order, however often each of them comes."""

from binascii import crc32

from firmware_bridge.firmware.error import FirmwareError
from firmware_bridge.wire import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from firmware_bridge.firmware.files import Files
    from firmware_bridge.firmware.slot import Slots

CONFIG = "/config.json"
STAGED = "/config.json.new"
"""Where an uploaded configuration waits until it is checked and taken."""
MOST_BYTES = {CONFIG: 8192, "/slot/a": 1 << 20, "/slot/b": 1 << 20}


class Upload:
    """The upload that is under way, or was last.

    Parameters
    ----------
    files : Files
        Where it goes.
    slots : Slots
        What says which slot may be written to.
    """

    def __init__(self, files: "Files", slots: "Slots") -> None:
        self._files = files
        self._slots = slots
        self._name = ""
        self._length = 0
        self._next = 0
        self._first = -1  # CRC of the first piece, which tells one that comes again from another upload
        self._sha = b""

    def put(self, name: str, start: int, data: bytes, length: int, sha: bytes = b"") -> int:
        """Take a piece, and give where the next one starts.

        One that begins the file that is under way, as its length and `sha` of all of it say, goes on with that.

        Raises
        ------
        FirmwareError
            When the file would be too long, or cannot be written.
        """
        if start == 0:
            if sha and (name, length, sha) == (self._name, self._length, self._sha):
                return self._next
            return self._begin(name, data, length, sha)
        if name != self._name:
            return 0
        if start == self._next and start < self._length:
            self._append(data)
        return self._next

    def forget(self) -> None:
        """Let go of what is under way."""
        self._files.drop()
        self._name = ""

    def _begin(self, name: str, data: bytes, length: int, sha: bytes) -> int:
        first = crc32(data)
        if (name, length, first, len(data)) == (self._name, self._length, self._first, self._next):
            return self._next
        if length > MOST_BYTES[name]:
            raise FirmwareError(number.RANGE, f"{name} is {length} bytes long, at most {MOST_BYTES[name]} are taken")
        if name != CONFIG:
            self._slots.check(name[-1:])
        self._name = ""
        try:
            self._files.begin(name)
        except OSError as error:
            raise FirmwareError(number.HARDWARE, f"{name}: {error!r}") from None
        self._name, self._length, self._first, self._next = name, length, first, 0
        self._sha = sha
        self._append(data)
        return self._next

    def _append(self, data: bytes) -> None:
        if self._next + len(data) > self._length:
            raise FirmwareError(number.RANGE, f"{self._name} was announced as {self._length} bytes")
        try:
            self._files.append(data)
            self._next += len(data)
            if self._next == self._length:
                self._finish()
        except OSError as error:
            name = self._name
            self.forget()
            raise FirmwareError(number.HARDWARE, f"{name}: {error!r}") from None

    def _finish(self) -> None:
        if self._name == CONFIG:
            self._files.finish(STAGED)
            return
        self._slots.prepare(self._name[-1:])
        self._files.finish(self._name)
