"""A machine of files for checks to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.doctor.finding import Finding
from edge_sdk.doctor.surroundings import Surroundings

Machine = Callable[..., Surroundings]

# Written after what a Raspberry Pi 5 shows: github.com/raspberrypi/linux, bcm2712-rpi-5-b.dts, and sbc-bench.
PI_5 = {
    "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/cpuinfo": "\n".join(
        f"processor\t: {core}\nFeatures\t: fp asimd crc32 atomics asimddp\nCPU implementer\t: 0x41\n"
        "CPU architecture: 8\nCPU part\t: 0xd0b\n"
        for core in range(4)
    ),
    "proc/meminfo": "MemTotal: 4148000 kB\nMemFree: 3000000 kB\nMemAvailable: 3500000 kB\n",
    "proc/sys/kernel/osrelease": "6.6.51+rpt-rpi-2712\n",
    "proc/swaps": "Filename Type Size Used Priority\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n',
    "etc/group": "root:x:0:\ndialout:x:20:\nvideo:x:44:\n",
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a function that makes a Raspberry Pi 5 of files: some of them replaced or (None) taken away."""

    def make(files: dict[str, str | None] | None = None, **said: Any) -> Surroundings:
        for name, text in {**PI_5, **(files or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text)
            else:
                path.unlink(missing_ok=True)
        usual: dict[str, Any] = {
            "environ": {},
            "groups": frozenset({4242}),
            "python": (3, 11),
            "python_bits": 64,
            "c_library": ("glibc", "2.36"),
            "synchronised": lambda: True,
        }
        return Surroundings(root=tmp_path, **{**usual, **said})

    return make


def told(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """Give marks and sentences."""
    return [(finding.mark, finding.what) for finding in findings]


@pytest.fixture(name="told")
def _told() -> Callable[[Iterable[Finding]], list[tuple[str, str]]]:
    return told
