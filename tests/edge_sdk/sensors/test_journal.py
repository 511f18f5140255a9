from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sdk.errors import ClosedError, StorageError
from edge_sdk.sensors.journal import Journal, read_journal
from edge_sdk.sensors.record import ANSWER, EVENT, READING, Record

# Says each number once it was told that it is on the disk; ends by being killed alone.
WRITER = """
import sys
from edge_sdk.sensors.journal import Journal
from edge_sdk.sensors.record import EVENT, READING, Record
journal = Journal(sys.argv[1], most_mb=1.0, commit_s=1e9)
number = int(sys.argv[2])
while True:
    for _ in range(3):
        journal.add(Record(READING, float(number), "temperature", "x" * 300, {"number": number}))
        number += 1
    journal.add(Record(EVENT, float(number), "warm", "fired", {"number": number}))
    print(number, flush=True)
    number += 1
"""


class Now:
    def __init__(self) -> None:
        self.s = 50.0

    def __call__(self) -> float:
        return self.s


def event(number: int, size: int = 10) -> Record:
    return Record(EVENT, float(number), "warm", "x" * size, {"number": number})


def reading(number: int) -> Record:
    return Record(READING, float(number), "temperature", "temperature 37 degC", {"number": number})


def numbers(path: Path) -> list[int]:
    return [entry.record.data["number"] for entry in read_journal(path)]


def test_what_was_added_is_read_again(tmp_path: Path) -> None:
    told = Record(ANSWER, 12.5, "look", "Nine.", {"question": "How many?", "readings": [{"value": 37.2}]})
    with Journal(tmp_path / "log.db", wall=lambda: 1e9) as journal:
        journal.add(told)
        (entry,) = read_journal(tmp_path / "log.db")
    assert (entry.unix_s, entry.record) == (1e9, told)


def test_a_reading_waits_for_others_and_an_event_takes_all_of_them_along(tmp_path: Path) -> None:
    now = Now()
    with Journal(tmp_path / "log.db", commit_s=5.0, clock=now) as journal:
        journal.add(reading(1))
        assert numbers(tmp_path / "log.db") == []
        now.s += 5.0
        journal.add(reading(2))
        assert numbers(tmp_path / "log.db") == [1, 2]
        journal.add(reading(3))
        journal.add(event(4))
        assert numbers(tmp_path / "log.db") == [1, 2, 3, 4]
        journal.add(reading(5))
    assert numbers(tmp_path / "log.db") == [1, 2, 3, 4, 5]


def test_readings_that_come_faster_than_the_disk_is_written_to_are_not_lost(tmp_path: Path) -> None:
    with Journal(tmp_path / "log.db", commit_s=1e9) as journal:
        for number in range(12_000):
            journal.add(reading(number))
        assert journal.lost == 0
    assert numbers(tmp_path / "log.db") == list(range(12_000))


def test_only_entries_of_a_kind_and_after_a_number_are_read(tmp_path: Path) -> None:
    with Journal(tmp_path / "log.db") as journal:
        for number in range(1, 1203):
            journal.add(event(number) if number % 400 == 0 else reading(number))
    found = list(read_journal(tmp_path / "log.db", kind=EVENT))
    assert [entry.record.data["number"] for entry in found] == [400, 800, 1200]
    assert [entry.number for entry in read_journal(tmp_path / "log.db", after=1199)] == [1200, 1201, 1202]


def test_the_oldest_go_first_and_the_limit_is_kept_all_the_time(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with Journal(path, most_mb=1.0) as journal:
        for number in range(2500):
            journal.add(event(number, size=1000))
            assert journal.size_bytes <= 1e6
        kept = numbers(path)
        assert kept == list(range(kept[0], 2500))
        assert len(kept) > 300
    assert path.stat().st_size <= 1e6


def test_a_smaller_limit_gives_room_back_and_drops_the_oldest(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with Journal(path, most_mb=8.0) as journal:
        for number in range(50):
            journal.add(event(number, size=100_000))
    assert path.stat().st_size > 4e6
    with Journal(path, most_mb=1.0) as journal:
        assert journal.size_bytes <= 1e6
        journal.add(event(50))
        kept = numbers(path)
    assert kept == list(range(kept[0], 51))
    assert 0 < kept[0] < 50
    assert path.stat().st_size <= 1e6


def test_a_writer_that_is_killed_thirty_times_loses_nothing_that_it_was_told_is_written(tmp_path: Path) -> None:
    dice, path, begin = random.Random(11), tmp_path / "log.db", 0
    for _ in range(30):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(begin)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            said = [int(writer.stdout.readline()) for _ in range(dice.randint(1, 60))]
            writer.kill()
            said += [int(line) for line in writer.stdout.read().splitlines() if line]
        kept = numbers(path)
        assert kept == list(range(kept[0], kept[-1] + 1))
        assert kept[-1] >= said[-1]
        assert (kept[-1] - 3) % 4 == 0, "a transaction was written in part"
        with sqlite3.connect(path) as data:
            assert data.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        data.close()
        begin = kept[-1] + 1
    assert kept[0] > 0, "the limit was never met"


def test_whatever_of_the_last_writes_a_power_cut_leaves_the_file_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    journal = Journal(path)
    for number in range(40):
        journal.add(event(number, size=200))
    whole = (tmp_path / "log.db-wal").read_bytes()
    dice = random.Random(3)
    lengths = []
    for cut in range(60):
        copy = tmp_path / f"cut{cut}.db"
        shutil.copy(path, copy)
        end = dice.randrange(len(whole))
        torn = dice.randbytes(dice.randrange(4096))  # what a card makes of the block that it was writing
        (tmp_path / f"cut{cut}.db-wal").write_bytes(whole[:end] + torn)
        with Journal(copy) as again:
            again.add(event(99))
        kept = numbers(copy)
        assert kept == [*range(len(kept) - 1), 99]
        lengths.append(len(kept))
    journal.close()
    assert len(set(lengths)) > 20


@pytest.fixture
def full(tmp_path: Path) -> Iterator[tuple[Journal, sqlite3.Connection]]:
    """Give a journal whose file may take no page more, which SQLite tells as it tells a full disk."""
    journal = Journal(tmp_path / "log.db", commit_s=0.0)
    journal.add(event(0))
    data = journal._connection()
    data.execute("PRAGMA max_page_count = 2")
    yield journal, data
    data.execute("PRAGMA max_page_count = 100000")
    journal.close()


def test_a_full_disk_is_told_and_what_waits_is_written_once_there_is_room(
    full: tuple[Journal, sqlite3.Connection], tmp_path: Path
) -> None:
    journal, data = full
    for number in (1, 2):
        with pytest.raises(StorageError, match="full") as told:
            journal.add(event(number, size=9000))
        assert "df -h" in (told.value.fix or "")
    assert numbers(tmp_path / "log.db") == [0]
    data.execute("PRAGMA max_page_count = 100000")
    journal.add(event(3))
    assert numbers(tmp_path / "log.db") == [0, 1, 2, 3]
    assert journal.lost == 0


def test_much_that_waited_for_room_is_written_within_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with Journal(path, most_mb=1.0) as journal:
        journal._waiting = [(0.0, 0.0, EVENT, "warm", "x" * 1000, f'{{"number":{number}}}') for number in range(5000)]
        journal.commit()
        assert journal.size_bytes <= 1e6
        kept = numbers(path)
    assert kept == list(range(kept[0], 5000))
    assert len(kept) > 200


def test_a_disk_that_stays_full_costs_the_oldest_of_what_waits_and_no_more_memory(
    full: tuple[Journal, sqlite3.Connection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_sdk.sensors.journal._WAITING_MOST", 5)
    journal, data = full
    for number in range(1, 9):
        with pytest.raises(StorageError):
            journal.add(event(number, size=9000))
    assert journal.lost == 3
    data.execute("PRAGMA max_page_count = 100000")
    journal.commit()
    assert numbers(tmp_path / "log.db") == [0, 4, 5, 6, 7, 8]


def on_a_small_disk(program: str) -> str:
    """Run a program where /mnt is a disk of 300 kB, and give what it says."""
    script = 'mount -t tmpfs -o size=300k none /mnt || exit 77; exec "$0" -c "$1"'
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, sys.executable, program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.skip(f"this system lets nobody mount a small disk: {done.stderr.strip()[:100]}")
    assert "Traceback" not in done.stderr
    return done.stdout


def test_a_file_system_without_room_is_told_as_such() -> None:
    said = on_a_small_disk("""
from edge_sdk.errors import StorageError
from edge_sdk.sensors.journal import Journal
from edge_sdk.sensors.record import EVENT, Record
journal = Journal("/mnt/log.db")
for number in range(1000):
    try:
        journal.add(Record(EVENT, 0.0, "warm", "x" * 1000))
    except StorageError as error:
        print(number, error)
        break
""")
    number, _, said = said.partition(" ")
    assert int(number) > 20
    assert "disk is full" in said


def test_a_disk_that_is_full_at_the_start_is_told_as_such() -> None:
    said = on_a_small_disk("""
from pathlib import Path
from edge_sdk.errors import StorageError
from edge_sdk.sensors.journal import Journal
Journal("/mnt/log.db").close()
try:
    with Path("/mnt/fill").open("wb", buffering=0) as file:
        while file.write(bytes(1000)):
            pass
except OSError:
    pass
try:
    Journal("/mnt/log.db")
except StorageError as error:
    print(error.what, error.fix)
""")
    assert "/mnt/log.db could not be opened" in said
    assert "df -h" in said


def test_a_reader_sees_one_moment_while_the_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with Journal(path) as journal:
        for number in range(3):
            journal.add(event(number))
        reader = read_journal(path)
        first = next(reader)
        journal.add(event(3))
        assert [first.record.data["number"], *(entry.record.data["number"] for entry in reader)] == [0, 1, 2]
        assert numbers(path) == [0, 1, 2, 3]


@pytest.mark.parametrize("content", [b"no database at all" * 400, b""])
def test_a_file_that_is_no_journal_is_not_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.db").write_bytes(content)
    with pytest.raises(StorageError, match="could not be read"):
        list(read_journal(tmp_path / "other.db"))


def test_another_program_s_file_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as data:
        data.execute("CREATE TABLE mine (a)")
    data.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="another program") as told:
        Journal(path)
    assert "mv" in (told.value.fix or "")
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be opened"):
        Journal(tmp_path / "none" / "log.db")
    with pytest.raises(StorageError, match="no such file"):
        list(read_journal(tmp_path / "none.db"))


def test_a_limit_that_holds_next_to_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"0\.1 MB"):
        Journal(tmp_path / "log.db", most_mb=0.1)


def test_a_closed_journal_says_so_and_closing_twice_is_harmless(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log.db")
    journal.close()
    journal.close()
    with pytest.raises(ClosedError):
        journal.add(event(1))
