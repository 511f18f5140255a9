"""What a start does not need is imported later, and is the same then."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edge_sdk.late import Late, LateLogger

PACKAGES = ("bundle", "memory", "pipeline", "runtime")
_START = """
import sys
import numpy  # which brings subprocess on Python 3.10
brought = set(sys.modules)
import edge_sdk
edge_sdk.load
for name in ("logging", "subprocess", "signal", "edge_sdk.memory.plan", "edge_sdk.memory.budget",
             "edge_sdk.memory.footprint", "boards.profile", "edge_sdk.runtime.interpreter",
             "edge_sdk.runtime.delegate", "edge_sdk.bundle.spiece"):
    if name in sys.modules and name not in brought:
        print(name)
"""


def test_a_module_is_imported_with_the_first_of_its_names() -> None:
    code = (
        "import sys; from edge_sdk.late import Late; late = Late('colorsys'); assert 'colorsys' not in sys.modules;"
        "print(late.rgb_to_hsv(0, 0, 0), 'colorsys' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "(0.0, 0.0, 0) True\n"


def test_what_is_set_in_the_module_shows() -> None:
    assert Late("sys").modules is sys.modules


def test_what_loads_a_bundle_imports_neither_planner_nor_boards_nor_what_starts_processes() -> None:
    ended = subprocess.run([sys.executable, "-c", _START], capture_output=True, text=True, check=True)
    assert ended.stdout == ""


@pytest.mark.parametrize("package", ["edge_sdk", *(f"edge_sdk.{name}" for name in PACKAGES)])
def test_names_that_are_not_loaded_yet_are_listed_and_are_there(package: str) -> None:
    code = (
        f"import {package} as package; names = set(package.__all__); print(names - set(dir(package)));"
        "print([name for name in names if not hasattr(package, name)])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["set()", "[]"]


def test_a_logger_tells_what_is_listened_to_and_where_it_comes_from(caplog: pytest.LogCaptureFixture) -> None:
    logger = LateLogger("edge_sdk.some")
    with caplog.at_level("INFO", "edge_sdk.some"):
        logger.debug("not this")
        logger.info("%d of %s", 3, "these")
        logger.warning("and this")
    assert caplog.record_tuples == [("edge_sdk.some", 20, "3 of these"), ("edge_sdk.some", 30, "and this")]
    assert {record.filename for record in caplog.records} == {"test_late.py"}


def test_a_warning_is_told_where_nobody_set_up_logging_and_what_is_less_is_not() -> None:
    code = (
        "import sys; from edge_sdk.late import LateLogger; logger = LateLogger('some'); logger.info('nothing');"
        "assert 'logging' not in sys.modules; logger.warning('the card is %s', 'full')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr == "the card is full\n"
