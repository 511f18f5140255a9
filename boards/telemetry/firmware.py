"""What a Raspberry Pi's firmware says of throttling, as one word of bits.

Source of the bits: https://www.raspberrypi.com/documentation/computers/os.html#get_throttled; of bit 2's two causes:
https://github.com/raspberrypi/firmware/issues/615.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from boards.errors import EdgeError
from boards.telemetry.file import Files
from boards.telemetry.sign import Sign

__all__ = ["ask_firmware", "find_firmware", "firmware_signs"]

_UNDER_VOLTAGE, _CAPPED, _THROTTLED, _SOFT_LIMIT = 1, 2, 4, 8
_WORDS = {_CAPPED: "clock capped", _THROTTLED: "throttled", _SOFT_LIMIT: "soft temperature limit"}
_TIMEOUT_S = 2.0


def find_firmware(files: Files) -> str | None:
    """Find the kernel's file of the bits; None where it has none, as on mainline kernels and on other boards."""
    # Through the driver first: the device's own folder is called otherwise on a Raspberry Pi 5.
    folders = ["/sys/bus/platform/drivers/raspberrypi-firmware", "/sys/devices/platform/soc", "/sys/devices/platform"]
    folders += [f"/sys/devices/platform/{name}" for name in files.names("/sys/devices/platform", "soc@.*")]
    for folder in folders:
        for name in files.names(folder, ".*firmware"):
            if files.exists(f"{folder}/{name}/get_throttled"):
                return f"{folder}/{name}/get_throttled"
    return None


def firmware_signs(bits: int, source: str, *, whole_boot: bool) -> tuple[Sign, Sign]:
    """Take the bits apart into under-voltage and heat.

    A clock is capped or throttled for either reason: it counts as heat where no under-voltage is told with it.

    Parameters
    ----------
    bits : int
        0 to 3 tell of now, 16 to 19 of earlier.
    source : str
        Where they are from.
    whole_boot : bool
        Whether the earlier bits go back to the boot; where something clears them, only a set one says anything.

    >>> for sign in firmware_signs(0x50005, "vcgencmd", whole_boot=True):
    ...     print(sign.cause, sign.now, sign.since_boot)
    under-voltage True True
    heat False False
    """
    now, before = bits & 15, bits >> 16 & 15
    words = ", ".join(word for bit, word in _WORDS.items() if now & bit)
    volts = bool(now & _UNDER_VOLTAGE), bool(before & _UNDER_VOLTAGE)
    heat = _hot(now), _hot(before)
    return (
        Sign("under-voltage", volts[0], volts[1] or (False if whole_boot else None), source, words if volts[0] else ""),
        Sign("heat", heat[0], heat[1] or (False if whole_boot else None), source, words if heat[0] else ""),
    )


def _hot(bits: int) -> bool:
    return bool(bits & _SOFT_LIMIT or (bits & (_CAPPED | _THROTTLED) and not bits & _UNDER_VOLTAGE))


def ask_firmware(root: str | Path = "/", command: str = "vcgencmd") -> tuple[Sign, Sign]:
    """Ask a Raspberry Pi's firmware itself, through `vcgencmd` in a process of its own; about 10 ms.

    It also tells of all the time since boot where the kernel's file does not, and where there is no such file.

    Parameters
    ----------
    root : str or Path
        The folder that stands for `/`; a device tree there must say that this is a Raspberry Pi.
    command : str
        The program's name or path.

    Raises
    ------
    EdgeError
        Where this is no Raspberry Pi (some systems for other boards bring a `vcgencmd` that makes up its answers), or
        the program is missing, fails or does not answer within 2 s.
    """
    names = Files(root).whole("/proc/device-tree/compatible") or ""
    if not any(name.startswith("raspberrypi,") for name in names.split("\0")):
        raise EdgeError(
            f"{command} was not asked: this is not a Raspberry Pi.",
            why="The device tree names no board of theirs; on other boards the program is a substitute.",
            fix="Read the throttling that the kernel tells of: Telemetry().read().throttling",
        )
    try:
        done = subprocess.run(
            [command, "get_throttled"], capture_output=True, text=True, check=True, timeout=_TIMEOUT_S
        )
        bits = int(done.stdout.strip().removeprefix("throttled="), 16)
    except FileNotFoundError as error:
        raise EdgeError(
            f"There is no {command}.", fix="sudo apt install raspi-utils (or libraspberrypi-bin)"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EdgeError(f"{command} gave no answer within {_TIMEOUT_S:g} s.", fix="Start the board anew.") from error
    except subprocess.CalledProcessError as error:
        why = (error.stderr or error.stdout or "").strip() or f"It ended with status {error.returncode}."
        fix = "Add the user to the group that may ask: sudo usermod -aG video $USER, then log in again."
        raise EdgeError(f"{command} failed.", why=why, fix=fix) from error
    except (OSError, ValueError) as error:
        raise EdgeError(
            f"{command} gave no bits.", why=str(error), fix="Run it by hand and see what it says."
        ) from error
    return firmware_signs(bits, f"{command} get_throttled", whole_boot=True)
