"""There is always a slot that boots, whenever the power is cut."""

from __future__ import annotations

import hashlib
import itertools
import random

import pytest
from bench import SESSION, Bench

from firmware_bridge.firmware import slot
from firmware_bridge.firmware.files import Files
from firmware_bridge.wire import number
from firmware_bridge.wire.message import WRITE

OLD = b"the old firmware, which is good" * 20
NEW = random.Random(8).randbytes(3000)


class PowerCut(BaseException):
    """Nothing after this happens."""


class DyingFiles(Files):
    """Files whose power is cut at one of their operations; of a write, a part may have been done."""

    def __init__(self, root, dies_at, share=0.0) -> None:
        super().__init__(root)
        self.operations = 0
        self.dies_at = dies_at
        self.share = share

    def count(self) -> bool:
        self.operations += 1
        if self.operations > self.dies_at:
            raise PowerCut
        return self.operations == self.dies_at

    def _open(self, path, mode):
        if mode != "rb" and self.count():
            raise PowerCut
        file = super()._open(path, mode)
        return DyingFile(file, self) if mode != "rb" else file

    def _rename(self, old, new):
        if self.count():
            if self.share:  # done, but nobody hears of it
                super()._rename(old, new)
            raise PowerCut
        super()._rename(old, new)


class DyingFile:
    def __init__(self, file, files) -> None:
        self._file, self._files = file, files

    def write(self, data):
        if self._files.count():
            self._file.write(data[: int(len(data) * self._files.share)])
            self._file.close()
            raise PowerCut
        return self._file.write(data)

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


def on(folder, files=None, running="a", trial=False):
    bench = Bench(str(folder), slot=running, trial=trial)
    if files is not None:
        bench.files = files
        bench.start()
    bench.open(5000)
    return bench


def update(bench, data=NEW, to="b"):
    bench.upload(slot.path(to), data, piece=500)
    return bench.do(number.UPDATE, {"slot": to, "len": len(data), "sha": hashlib.sha256(data).digest()})


def begin(folder):
    """Have the old firmware in slot a, confirmed."""
    files = Files(str(folder))
    files.put("/slot/a", OLD)
    files.put(slot.STATE, b'{"good":"a","trial":"","tried":false}')
    return files


def test_an_update_boots_on_trial_and_stays_when_it_is_confirmed(tmp_path):
    files = begin(tmp_path)
    assert slot.boot(files) == ("a", False)
    assert bench_rc(update(on(tmp_path))) == 0
    assert slot.boot(files) == ("b", True)
    bench = on(tmp_path, running="b", trial=True)
    hello = bench.ask(number.HELLO)
    assert (hello["slot"], hello["trial"]) == ("b", True)
    assert bench.do(number.CONFIRM)["slot"] == "b"
    assert bench.ask(number.HELLO)["trial"] is False
    for _ in range(3):
        assert slot.boot(files) == ("b", False)


def test_an_update_that_is_not_confirmed_is_rolled_back_at_the_next_start(tmp_path):
    files = begin(tmp_path)
    update(on(tmp_path))
    assert slot.boot(files) == ("b", True)
    for _ in range(3):
        assert slot.boot(files) == ("a", False)


def test_the_first_update_falls_back_to_what_was_flashed(tmp_path):
    files = Files(str(tmp_path))
    assert slot.boot(files) == ("", False)
    update(on(tmp_path, running=""), to="a")
    assert slot.boot(files) == ("a", True)
    assert slot.boot(files) == ("", False)


@pytest.mark.parametrize(
    ("size", "sha"), [(len(NEW) + 1, hashlib.sha256(NEW).digest()), (len(NEW), bytes(32)), (len(NEW), b"")]
)
def test_a_file_that_is_not_what_was_announced_does_not_boot(tmp_path, size, sha):
    files = begin(tmp_path)
    bench = on(tmp_path)
    bench.upload("/slot/b", NEW)
    answer = bench.do(number.UPDATE, {"slot": "b", "len": size, "sha": sha})
    assert bench.rc(answer) == number.NOT_AS_ANNOUNCED
    assert slot.boot(files) == ("a", False)


def test_the_slot_that_runs_and_the_one_to_fall_back_to_cannot_be_written(tmp_path):
    begin(tmp_path)
    body = {"off": 0, "data": b"x", "len": 1, "s": SESSION}
    bench = on(tmp_path)
    answer = bench.ask(0, {**body, "name": "/slot/a"}, WRITE, number.FILE)
    assert (bench.rc(answer), answer["why"]) == (number.RANGE, "slot a runs: use the other one")
    bench = on(tmp_path, running="b", trial=True)
    answer = bench.ask(0, {**body, "name": "/slot/a"}, WRITE, number.FILE)
    assert (bench.rc(answer), answer["why"]) == (number.RANGE, "slot b runs on trial: confirm it first")


def test_a_slot_on_trial_that_is_written_anew_does_not_boot_before_it_is_announced(tmp_path):
    files = begin(tmp_path)
    bench = on(tmp_path)
    update(bench)
    bench.upload("/slot/b", NEW[:-1])
    assert slot.boot(files) == ("a", False)


def test_a_late_first_piece_does_not_undo_an_update(tmp_path):
    files = begin(tmp_path)
    bench = on(tmp_path)
    update(bench)
    body = {"off": 0, "data": NEW[:500], "len": len(NEW), "name": "/slot/b", "s": SESSION}
    bench.ask(0, body, WRITE, number.FILE)
    assert slot.boot(files) == ("b", True)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_power_cut_at_any_write_of_an_update_leaves_a_slot_that_boots(tmp_path, share):
    for dies_at in itertools.count(1):
        folder = tmp_path / f"{share}-{dies_at}"
        folder.mkdir()
        begin(folder)
        Bench(str(folder))
        files = DyingFiles(str(folder), dies_at, share)
        done = _live(files, folder)
        survivor = Files(str(folder))
        boots = [slot.boot(survivor)[0] for _ in range(3)]
        assert boots[1:] == [boots[1]] * 2, dies_at
        assert {survivor.read(slot.path(one), 0, 9999) for one in boots} <= {OLD, NEW}, dies_at
        if done:
            assert boots == ["b", "b", "b"]
            break
    assert dies_at > 15


def _live(files, folder) -> bool:
    """Update, start on trial and confirm, as far as the power goes; tell whether it went all the way."""
    try:
        running, _ = slot.boot(files)
        update(on(folder, files, running))
        running, trial = slot.boot(files)
        on(folder, files, running, trial).do(number.CONFIRM)
    except PowerCut:
        return False
    return True


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b'{"good":"c","trial":"","tried":false}', b'{"good":"a"}', b'{"good":[],"trial":{}}']
)
def test_a_state_that_cannot_be_read_boots_what_was_flashed(tmp_path, text):
    files = begin(tmp_path)
    files.put(slot.STATE, text)
    assert slot.boot(files) == ("", False)


def test_a_disk_that_takes_nothing_does_not_try_a_trial_for_ever(tmp_path):
    files = begin(tmp_path)
    update(on(tmp_path))
    files._rename = lambda old, new: (_ for _ in ()).throw(OSError(30, "read-only"))
    assert slot.boot(files) == ("a", False)


@pytest.mark.parametrize("trial", ["", "a", "b"])
@pytest.mark.parametrize("good", ["", "a", "b"])
@pytest.mark.parametrize("tried", [False, True])
@pytest.mark.parametrize("there", ["", "a", "b", "ab"])
def test_only_what_is_there_boots_and_a_trial_only_once(good, trial, tried, there):
    state = {"good": good, "trial": trial, "tried": tried}
    first, on_trial, after = slot.decide(state, lambda one: one in there)
    assert first == "" or first in there
    assert on_trial == (bool(trial) and not tried and trial in there)
    second, again, rest = slot.decide(after or state, lambda one: one in there)
    assert not again
    assert second in ("", good)
    assert slot.decide(rest or after or state, lambda one: one in there) == (second, False, None)


def bench_rc(answer) -> int:
    return answer.get("err", {}).get("rc", 0)
