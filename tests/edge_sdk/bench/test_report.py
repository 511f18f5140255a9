from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.bench import Condition, Measure, Report, Subject, read_report, write_report
from edge_sdk.errors import BenchError, StorageError

SUBJECT = Subject("smear", "ab" * 32, "rpi-5", "4 x Cortex-A76", "auto", 4, "512MB", "/dev/video0")
REPORT = Report(
    version="0.1",
    subject=SUBJECT,
    short=False,
    measures=(
        Measure("decode@256", "tokens/s", 100.0, 90.0, 110.0, 7, 0.8),
        Measure("encode", "s", 0.01, 0.009, 0.02, 7),
    ),
    limits=(Measure("read@1.48", "bytes/s", 2e10, 1e10, 3e10, 7),),
    before=Condition(41.5, False, (), 0.5),
    after=Condition(None, True, ("heat",), None),
    notes=("Power was not told.",),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_report(REPORT, tmp_path / "report.json")
    return tmp_path / "report.json"


def edited(file: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    data = json.loads(file.read_text())
    edit(data)
    file.write_text(json.dumps(data))
    return file


def test_what_is_written_is_read_as_it_was(file: Path) -> None:
    assert read_report(file) == REPORT
    assert [path.name for path in file.parent.iterdir()] == ["report.json"]


@pytest.mark.parametrize("name", ["run@serving/default v2", "read@1523"])
def test_whatever_a_signature_is_called_its_run_is_read_again(tmp_path: Path, name: str) -> None:
    report = replace(REPORT, measures=(Measure(name, "s", 1.0, 1.0, 1.0, 1),))
    write_report(report, tmp_path / "report.json")
    assert read_report(tmp_path / "report.json") == report


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nothing/report\.json was not written"):
        write_report(REPORT, tmp_path / "nothing" / "report.json")


def test_a_report_of_another_version_is_refused_as_such(file: Path) -> None:
    def later(data: dict[str, Any]) -> None:
        data |= {"format": 2, "news": []}

    with pytest.raises(BenchError, match="of another version") as caught:
        read_report(edited(file, later))
    assert "Measure again" in (caught.value.fix or "")


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda data: data.update(extra=1), "'extra' is not known"),
        (lambda data: data.pop("limits"), "'limits' is missing"),
        (lambda data: data["subject"].pop("sha256"), "'sha256' is missing"),
        (lambda data: data["subject"].update(board="\x1b[2J"), "no text for people"),
        (lambda data: data["subject"].update(bundle="x" * 301), "no text for people"),
        (lambda data: data["notes"].append(7), "no text for people"),
        (lambda data: data["measures"][0].update(unit="horses"), "'horses'"),
        (lambda data: data["measures"][0].update(name="decode\n"), "a measure is called"),
        (lambda data: data["measures"][0].update(name="run@\x1b[2J"), "a measure is called"),
        (lambda data: data["measures"][0].update(median=10.0), "at the least, median and most"),
        (lambda data: data["measures"][0].update(least=0), "at the least, median and most"),
        (lambda data: data["measures"][0].update(most="110"), "is no number"),
        (lambda data: data["measures"][0].update(turns=0), "0 times"),
        (lambda data: data["measures"][0].update(turns=True), "True times"),
        (lambda data: data["measures"][0].update(share=float("nan")), "NaN is no number"),
        (lambda data: data["measures"].append(data["measures"][0]), "in it twice"),
        (lambda data: data.update(measures={}), "not laid out"),
        (lambda data: data.update(short=1), "not laid out"),
        (lambda data: data.update(before=None), "not laid out"),
        (lambda data: data.update(notes=["x"] * 51), "not laid out"),
    ],
)
def test_what_no_benchmark_writes_is_refused(file: Path, edit: Callable[[dict[str, Any]], object], why: str) -> None:
    with pytest.raises(BenchError, match="is no report") as caught:
        read_report(edited(file, edit))
    assert why in (caught.value.why or "")


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b"[" * 100_000, b"null", b'{"format": 1}'])
def test_what_is_no_report_at_all_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.json").write_bytes(content)
    with pytest.raises(BenchError, match="is no report"):
        read_report(tmp_path / "odd.json")


def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, kind in (("/dev/zero", "a device"), (tmp_path / "pipe", "a pipe"), (tmp_path, "a folder")):
        with pytest.raises(BenchError, match="cannot be read") as caught:
            read_report(path)
        assert kind in (caught.value.why or "")


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "film.json").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(BenchError, match="is too large"):
        read_report(tmp_path / "film.json")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="cannot be read"):
        read_report(tmp_path / "none.json")


def test_a_report_that_is_damaged_anywhere_is_read_or_refused_and_nothing_else(file: Path) -> None:
    whole = file.read_bytes()
    chance = random.Random(3)
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        file.write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
        with suppress(BenchError):
            assert isinstance(read_report(file), Report)
