from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from boards.errors import EdgeError
from boards.file import read_file


class OwnError(EdgeError):
    pass


def refused(path: str | Path, most_bytes: int = 10) -> OwnError:
    with pytest.raises(OwnError) as caught:
        read_file(path, most_bytes, OwnError, fix="Name another one.")
    assert caught.value.fix == "Name another one."
    return caught.value


def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"", b"0123456789"):
        path.write_bytes(data)
        assert read_file(path, 10, OwnError, fix="") == data


def test_one_that_is_too_large_is_told_with_what_it_may_have(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789a")
    error = refused(path)
    assert (error.what, error.why) == (f"{path} is too large.", "It has more than 10 bytes, the most there can be.")


def test_no_more_is_read_of_a_large_one_than_it_may_have(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # 1 TB, if it were read
    assert "too large" in refused(path).what


def test_a_device_a_folder_a_pipe_and_a_socket_are_told_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        found = [refused(path).why for path in ("/dev/zero", tmp_path, tmp_path / "pipe", tmp_path / "socket")]
    assert found == [f"It is {kind}, not a file." for kind in ("a device", "a folder", "a pipe", "a socket")]


def test_one_that_is_missing_or_has_no_name_is_told(tmp_path: Path) -> None:
    assert refused(tmp_path / "none").why == "No such file or directory."
    assert "null" in str(refused("a\0b").why)
