from __future__ import annotations

from pathlib import Path

from edge_sdk.sensors import Journal, read_journal
from edge_sdk.sensors.record import EVENT, Record
from edge_sdk.sensors.scribe import Scribe


def event(number: int) -> Record:
    return Record(EVENT, float(number), "warm", "x" * 9000, {"number": number})


def test_what_is_put_is_in_the_journal_once_it_is_closed(tmp_path: Path) -> None:
    told: list[Record] = []
    scribe = Scribe(Journal(tmp_path / "log.db"), told.append)
    scribe.start()
    for number in range(20):
        scribe.put(event(number))
    scribe.close()
    scribe.close()
    assert [entry.record.data["number"] for entry in read_journal(tmp_path / "log.db")] == list(range(20))
    assert told == []


def test_a_full_disk_is_told_once_and_so_is_its_end(tmp_path: Path) -> None:
    told: list[Record] = []
    journal = Journal(tmp_path / "log.db")
    scribe = Scribe(journal, told.append)
    data = journal._connection()
    data.execute("PRAGMA max_page_count = 2")
    for number in range(3):
        scribe.put(event(number))
        assert scribe.write_next()
    assert [record.kind for record in told] == ["problem"]
    assert "full" in told[0].text
    assert "df -h" in told[0].data["fix"]
    data.execute("PRAGMA max_page_count = 100000")
    scribe.put(event(3))
    assert scribe.write_next()
    assert [record.text for record in told[1:]] == ["the log is written again"]
    scribe.close()
    assert [entry.record.data["number"] for entry in read_journal(tmp_path / "log.db")] == [0, 1, 2, 3]


def test_what_comes_faster_than_it_can_be_written_is_counted_and_nobody_waits(tmp_path: Path) -> None:
    told: list[Record] = []
    scribe = Scribe(Journal(tmp_path / "log.db"), told.append)
    for number in range(2005):
        scribe.put(Record(EVENT, float(number), "warm", ""))
    assert scribe.skipped == 5
    scribe.close()
    scribe.close()
    assert [record.text for record in told] == ["5 entries were not logged: they came faster than the disk took them"]
