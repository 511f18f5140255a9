"""Have weights packed in a process of its own: where a disk fills up meanwhile, the engine ends its process.

It does so too on some damaged models, which shows here, the first time such a model is loaded with a cache.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from edge_sdk.errors import ModelError, StorageError
from edge_sdk.late import Late
from edge_sdk.runtime.region import Region
from edge_sdk.worker import worker_command

if TYPE_CHECKING:
    import signal
    import subprocess
else:
    signal, subprocess = Late("signal"), Late("subprocess")  # 0.6 MB, for the first start with a bundle

__all__ = ["IN_MEMORY", "pack"]

IN_MEMORY = ":memory"  # XNNPACK's name for a cache without a file: signatures still share packed weights
_LIMIT_S = 900.0  # a card that writes 1 MB a second takes this long for the largest models of these boards


def pack(region: Region, threads: int, file: Path) -> None:
    """Have the engine write a model's packed weights to a new file.

    Raises
    ------
    StorageError
        The file could not be written: no room, no time, no memory; or the engine refuses the model, which it does
        again, as a `ModelError`, where the model is then loaded without the file.
    ModelError
        The engine crashes on the model.
    """
    ended = _run(region, threads, str(file))
    if ended.returncode == 0:
        return
    if ended.returncode == -signal.SIGKILL:
        raise StorageError(
            f"{file} could not be written.", why="What wrote it was killed, as the kernel does where memory runs short."
        )
    if ended.returncode < 0 and _run(region, threads, IN_MEMORY).returncode < 0:
        raise ModelError(
            f"{region.name} makes the engine crash.",
            why=f"It ended with {signal.Signals(-ended.returncode).name} while preparing the model.",
            fix="The file is damaged in a way that its checks do not show: copy it again from its source.",
        )
    lines = ended.stderr.decode("utf-8", "replace").strip().splitlines() or ["The engine gave no reason."]
    if ended.returncode < 0:
        lines = ["The engine stopped, as it does where it cannot write on."]
    space = os.statvfs(file.parent)
    free = f"{space.f_bavail * space.f_frsize >> 20} MiB are free there."
    raise StorageError(f"{file} could not be written.", why=f"{lines[-1]} {free}")


def _run(region: Region, threads: int, file: str) -> subprocess.CompletedProcess[bytes]:
    where = [str(region.path), str(region.offset), str(region.size), str(threads), file]
    try:
        return subprocess.run(
            worker_command("edge_sdk.runtime.packing_worker", *where),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise StorageError(
            f"{file} was not written within {_LIMIT_S:.0f} s.", why="The disk is far too slow, or failing."
        ) from error
