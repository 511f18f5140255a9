from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.error import Refused
from firmware_bridge.firmware.upload import MOST_BYTES
from firmware_bridge.maintenance.flash import flash
from firmware_bridge.maintenance.upload import config_bytes, image_bytes

READERS: list[tuple[Callable[[Path], Any], int]] = [
    (config_bytes, MOST_BYTES["/config.json"]),
    (lambda path: flash("auto", config=path), MOST_BYTES["/config.json"]),
    (image_bytes, MOST_BYTES["/slot/b"]),
]


def test_a_file_is_sent_as_it_is_and_a_mapping_as_json(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'{"v":  1}')
    assert config_bytes(path) == image_bytes(path) == b'{"v":  1}'
    assert json.loads(config_bytes({"v": 1})) == {"v": 1}
    assert image_bytes(b"firmware") == b"firmware"


@pytest.mark.parametrize(("read", "most_bytes"), READERS)
def test_a_device_or_a_pipe_in_place_of_a_file_is_told_at_once(
    read: Callable[[Path], Any], most_bytes: int, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((Path("/dev/zero"), "a device"), (tmp_path / "pipe", "a pipe"), (tmp_path, "a folder")):
        with pytest.raises(Refused) as caught:
            read(path)
        assert caught.value.why == f"It is {kind}, not a file."
        assert caught.value.fix


@pytest.mark.parametrize(("read", "most_bytes"), READERS)
def test_a_file_that_no_microcontroller_takes_is_told_before_it_is_sent(
    read: Callable[[Path], Any], most_bytes: int, tmp_path: Path
) -> None:
    with (tmp_path / "film").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Refused, match="film is too large") as caught:
        read(tmp_path / "film")
    assert str(most_bytes) in str(caught.value.why)
