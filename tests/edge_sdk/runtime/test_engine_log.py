"""What engines print while they load is caught; what others print meanwhile is not lost."""

from __future__ import annotations

import logging
import os

import pytest

from edge_sdk.runtime.engine_log import Caught, caught


def test_complaints_are_kept_once_each_and_without_the_place_in_the_source(capfd: pytest.CaptureFixture[str]) -> None:
    log = Caught()
    with caught(log):
        os.write(2, b"INFO: Created something.\nERROR: [load.cc:12] It is broken.\n")
        os.write(2, b"ERROR: It is broken.\nERROR: Twice.\nSee instructions: elsewhere\n")
    assert log.complaints() == "It is broken.\nTwice."
    assert capfd.readouterr().err == ""


def test_lines_of_others_are_handed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with caught(Caught()):
        os.write(2, b"a line of somebody else\nINFO: of the engine\n")
    assert capfd.readouterr().err == "a line of somebody else\n"


def test_what_was_caught_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "edge_sdk.runtime"), caught(Caught()):
        os.write(2, b"INFO: Created something.\n")
    assert "Created something." in caplog.text


def test_an_error_within_the_block_comes_through_and_standard_error_is_back(capfd: pytest.CaptureFixture[str]) -> None:
    log = Caught()
    with pytest.raises(IndexError), caught(log):
        [][os.write(2, b"ERROR: first\n")]
    os.write(2, b"after\n")
    assert log.complaints() == "first"
    assert capfd.readouterr().err == "after\n"


def test_several_blocks_add_up_in_one_log() -> None:
    log = Caught()
    for line in (b"ERROR: one\n", b"ERROR: two\n"):
        with caught(log):
            os.write(2, line)
    assert log.complaints() == "one\ntwo"
