"""A desk with a board that is none on it: board.py in MicroPython, started anew whenever it resets itself."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
import tty
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLASH_BYTES = 1 << 20


class Desk:
    """A board and its cable.

    Parameters
    ----------
    program : str
        MicroPython's Unix port.
    flash : Path
        The file that holds what is on the board; made where it is missing.
    chip : str
        ``rp2`` or ``esp32``.
    speed : float
        How many times too fast its timers run.
    size, heap_kb : int
        Of its flash, where it is made, and of its memory, where objects take twice what they take on 32 bits.
    dies_at : int
        After how many writes to its flash the power goes for a moment, in the middle of one; 0 for never.

    Attributes
    ----------
    line : str
        The near end of its cable.
    starts : int
        How often it has started.
    """

    def __init__(
        self,
        program: str,
        flash: Path,
        *,
        chip: str = "rp2",
        speed: float = 1,
        size: int = FLASH_BYTES,
        heap_kb: int = 1024,
        dies_at: int = 0,
    ) -> None:
        if not flash.exists():
            flash.write_bytes(b"\xff" * size)
        self._command = [program, "-X", f"heapsize={heap_kb}k", str(HERE / "board.py"), str(flash), str(speed)]
        self._path = f"{HERE / 'fake'}:{HERE / ('fake_' + chip)}"
        self._far, self._near = pty.openpty()
        tty.setraw(self._near)
        self.line = os.ttyname(self._near)
        self.starts = 0
        self._dies_at = dies_at
        self._ended = False
        self._start()
        self._thread = threading.Thread(target=self._keep)
        self._thread.start()

    def _start(self) -> None:
        self.starts += 1
        self._dies_at, dies_at = 0, self._dies_at
        self.process = subprocess.Popen(
            [*self._command, str(dies_at)],
            env={**os.environ, "MICROPYPATH": self._path},
            stdin=self._far,
            stdout=self._far,
            stderr=self._far,
        )

    def _keep(self) -> None:
        while not self._ended:
            self.process.wait()
            if not self._ended:
                self._start()

    def cut(self) -> None:
        """Cut the power for a moment."""
        self.process.kill()

    def close(self) -> None:
        """Clear the desk."""
        self._ended = True
        self.process.kill()
        self._thread.join()
        self.process.kill()
        self.process.wait()
        os.close(self._far)
        os.close(self._near)

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
