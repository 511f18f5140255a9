"""What all prompts begin with is kept on flash; a file that is not as it was written is never used."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.pipeline import head as module
from edge_sdk.pipeline.head import HeadFile
from edge_sdk.pipeline.prefix import Kin

MakeToy = Callable[..., Any]
HEAD = random.Random(9).choices(range(3, 10), k=20)


class Clock:
    """Goes on by so much whenever it is looked at."""

    def __init__(self, step_s: float) -> None:
        self.now, self.step_s = 0.0, step_s

    def __call__(self) -> float:
        self.now += self.step_s
        return self.now


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "heads" / "film.head"


def start(toy: MakeToy, path: Path, clock: Clock | None = None, **how: Any) -> Any:
    """Begin as a process does: with nothing but the file."""
    maker = toy(**how)
    maker.kin = Kin(1_000_000, HeadFile(path, clock=clock or Clock(0.0)))
    return maker


def write(toy: MakeToy, path: Path, head: list[int] = HEAD, **how: Any) -> Any:
    """Ask once, as a process does that finds no file, and have the head written."""
    maker = start(toy, path, **how)
    decoder = maker.decoder()
    decoder.prefill([*HEAD, 5, 6])
    for _ in range(3):
        decoder.step(4)
    maker.kin.keep_head(lambda: head, decoder)
    if (thread := maker.kin._head_file.writing) is not None:
        thread.join()
    return maker


def ask(maker: Any, prompt: list[int]) -> int:
    """Give how many tokens of a prompt were known, after a look at the answer."""
    decoder = maker.decoder()
    assert int(decoder.prefill(prompt).argmax()) == maker.toy.say(prompt)
    return int(decoder.recalled)


def test_the_next_start_reads_what_the_first_one_computed(toy: MakeToy, file: Path) -> None:
    write(toy, file)
    again = start(toy, file)
    assert ask(again, [*HEAD, 3, 3, 8]) == 20
    assert sum(size for _, size in again.toy.calls) < 10
    assert ask(again, [*HEAD[:12], 9, 9]) == 12
    assert [path.name for path in file.parent.iterdir()] == ["film.head"]


def test_it_serves_caches_of_other_lengths(toy: MakeToy, file: Path) -> None:
    write(toy, file, lengths=(32, 128))
    assert ask(start(toy, file, lengths=(64,)), [*HEAD, 4]) == 20


@pytest.mark.parametrize("lengths", [(16, 128), (32, 128)])
def test_it_is_kept_as_the_shortest_caches_are_whichever_it_was_computed_in(
    toy: MakeToy, file: Path, lengths: tuple[int, int]
) -> None:
    write(toy, file, lengths=lengths, halves=lengths[:1])  # of 16, the shorter ones do not hold it
    written = file.stat().st_mtime_ns
    for _ in range(2):
        again = start(toy, file, lengths=lengths, halves=lengths[:1])
        assert ask(again, [*HEAD, 3, 3, 8]) == 20
        assert not again.kin._head_file.due
    assert file.stat().st_mtime_ns == written


@pytest.mark.parametrize("count", [0, 15])
def test_a_short_head_is_not_worth_a_file(toy: MakeToy, file: Path, count: int) -> None:
    write(toy, file, HEAD[:count])
    assert not file.exists()


def test_what_the_caches_do_not_begin_with_is_not_kept(toy: MakeToy, file: Path) -> None:
    write(toy, file, [9, *HEAD[1:-1], 9])
    assert not file.exists()


def test_it_is_written_once(toy: MakeToy, file: Path) -> None:
    write(toy, file)
    before = file.stat().st_mtime_ns
    maker = start(toy, file)
    assert ask(maker, [*HEAD, 3]) == 20
    asked: list[int] = []
    decoder = maker.decoder()
    maker.kin.keep_head(lambda: asked.append(1) or HEAD, decoder)
    assert asked == []
    assert file.stat().st_mtime_ns == before


def test_what_is_written_is_a_copy_and_a_program_does_not_end_before_it_is(
    toy: MakeToy, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    replace = HeadFile._replace

    def late(self: HeadFile, *arguments: Any) -> None:
        assert go_on.wait(60)
        replace(self, *arguments)

    monkeypatch.setattr(HeadFile, "_replace", late)
    maker = start(toy, file)
    decoder = maker.decoder()
    decoder.prefill([*HEAD, 5, 6])
    for _ in range(3):
        decoder.step(4)
    maker.kin.keep_head(lambda: HEAD, decoder)
    decoder.start()
    decoder.prefill([9, 9, 9, 9, 9])  # over what is being kept
    thread = maker.kin._head_file.writing
    assert thread is not None
    assert not thread.daemon
    go_on.set()
    thread.join()
    assert ask(start(toy, file), [*HEAD, 3]) == 20


def test_what_is_read_slower_than_computed_is_given_up_for_good(toy: MakeToy, file: Path) -> None:
    write(toy, file)
    assert ask(start(toy, file, Clock(100.0)), [*HEAD, 3]) == 0
    assert file.stat().st_size < 1000
    assert ask(start(toy, file), [*HEAD, 3]) == 0
    write(toy, file)
    assert file.stat().st_size < 1000


def test_a_damaged_file_is_never_used_and_made_anew(toy: MakeToy, file: Path) -> None:
    write(toy, file)
    whole = file.read_bytes()
    chance = random.Random(1)
    for _ in range(60):
        data = bytearray(whole)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        else:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        file.write_bytes(bytes(data))
        assert ask(start(toy, file), [*HEAD, 3, 4]) == 0
    file.write_bytes(whole[:-1])
    assert ask(start(toy, file), [*HEAD, 3]) == 0
    file.unlink()
    write(toy, file)
    assert ask(start(toy, file), [*HEAD, 3]) == 20


def test_numbers_that_were_changed_are_noticed_wherever_they_are(toy: MakeToy, file: Path) -> None:
    write(toy, file)
    whole = file.read_bytes()
    for place in range(1, 20 * 4 * 4, 37):
        data = bytearray(whole)
        data[-place] ^= 64
        file.write_bytes(bytes(data))
        assert ask(start(toy, file), [*HEAD, 3]) == 0


def test_a_file_of_other_caches_is_not_used(toy: MakeToy, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(toy, file)
    maker = start(toy, file)
    layout = module.Layout
    monkeypatch.setattr(layout, "cut", lambda self, length: [((1, length), np.dtype("float16"))])
    assert ask(maker, [*HEAD, 3]) == 0


def test_the_folder_keeps_to_its_quota(toy: MakeToy, tmp_path: Path) -> None:
    folder = tmp_path / "heads"
    for number in range(5):
        file = folder / f"film{number}.head"
        maker = toy()
        maker.kin = Kin(1_000_000, HeadFile(file, quota_bytes=2000, clock=Clock(0.0)))
        decoder = maker.decoder()
        decoder.prefill([*HEAD, 5])
        decoder.step(4)
        decoder.step(4)
        maker.kin.keep_head(lambda: HEAD, decoder)
        maker.kin._head_file.writing.join()
    names = sorted(path.name for path in folder.iterdir())
    assert "film4.head" in names
    assert len(names) < 5


def test_a_folder_that_cannot_be_written_to_is_done_without(toy: MakeToy, tmp_path: Path) -> None:
    place = tmp_path / "heads"
    place.write_text("a file")
    ask(write(toy, place / "film.head"), [*HEAD, 3])
    assert place.read_text() == "a file"
