"""Uploads arrive whole or not at all, however often each piece comes."""

from __future__ import annotations

import hashlib
import random
from binascii import crc32

import pytest
from bench import CONFIG, SESSION, Bench

from firmware_bridge.firmware.dictionary import encode
from firmware_bridge.wire import number
from firmware_bridge.wire.message import READ, WRITE


def piece(bench, at, data, whole=None, name="/slot/a"):
    body = {"off": at, "data": data, "name": name, "s": SESSION}
    if whole is not None:
        body["len"] = whole
    return bench.request(number.FILE_DATA, body, WRITE, number.FILE)


def test_a_file_comes_whole_through_doubled_lost_and_late_pieces(bench):
    bench.open(5000)
    dice = random.Random(4)
    data = dice.randbytes(5000)
    sent, at = [], 0
    while at < len(data):
        sent.append(piece(bench, at, data[at : at + 300], len(data) if at == 0 else None))
        copies = [sent[-1]] * dice.choice((0, 1, 1, 2)) + dice.sample(sent[1:], min(len(sent) - 1, 1))
        for answer in bench.answers(b"".join(copies)):
            at = max(at, answer.body["off"])
    assert bench.files.read("/slot/a", 0, 9999) == data
    told = bench.ask(number.FILE_HASH, {"name": "/slot/a", "type": "sha256"}, READ, number.FILE)
    assert told == {"type": "sha256", "off": 0, "len": 5000, "output": hashlib.sha256(data).digest()}
    assert bench.ask(number.FILE_STATUS, {"name": "/slot/a"}, READ, number.FILE) == {"len": 5000}


def test_a_piece_out_of_its_turn_is_answered_with_the_next_and_not_written(bench):
    bench.open(5000)
    ask = lambda *args: bench.answers(piece(bench, *args))[0].body["off"]  # noqa: E731
    assert ask(5, b"late") == 0
    assert ask(0, b"abcd", 8) == 4
    assert ask(0, b"abcd", 8) == 4
    assert ask(6, b"x") == 4
    assert ask(2, b"x") == 4
    assert ask(4, b"efgh") == 8
    assert ask(4, b"efgh") == 8
    assert bench.files.read("/slot/a", 0, 99) == b"abcdefgh"


def test_what_was_there_stays_until_the_new_file_is_whole(bench):
    bench.open(5000)
    bench.upload("/slot/a", b"old")
    bench.answers(piece(bench, 0, b"new", 6))
    assert bench.files.read("/slot/a", 0, 99) == b"old"
    bench.answers(piece(bench, 3, b"est"))
    assert bench.files.read("/slot/a", 0, 99) == b"newest"


def test_an_upload_that_begins_anew_starts_over(bench):
    bench.open(5000)
    bench.answers(piece(bench, 0, b"first", 9))
    bench.answers(piece(bench, 5, b"half"[:2]))
    bench.upload("/slot/a", b"second one", piece=4)
    assert bench.files.read("/slot/a", 0, 99) == b"second one"


def begun(bench, data, sha, session=SESSION):
    body = {"off": 0, "data": data[:4], "name": "/slot/a", "len": len(data), "sha": sha, "s": session}
    return bench.ask(number.FILE_DATA, body, WRITE, number.FILE)["off"]


def test_the_file_that_is_under_way_goes_on_where_it_stopped_in_another_session_too(bench):
    data, sha = b"all of the file", hashlib.sha256(b"all of the file").digest()
    bench.open(100)
    assert begun(bench, data, sha) == 4
    bench.answers(piece(bench, 4, data[4:9]))
    assert begun(bench, data, sha) == 9  # a copy that comes late does not start it over
    bench.pass_us(200_000)
    bench.ask(number.OPEN, {"s": 77, "pv": [1, 1], "ms": 5000}, WRITE)
    assert begun(bench, data, sha, session=77) == 9
    rest = {"off": 9, "data": data[9:], "name": "/slot/a", "s": 77}
    assert bench.ask(number.FILE_DATA, rest, WRITE, number.FILE)["off"] == len(data)
    assert bench.files.read("/slot/a", 0, 99) == data


def test_another_file_of_the_same_length_starts_over(bench):
    bench.open(5000)
    assert begun(bench, b"the first", hashlib.sha256(b"the first").digest()) == 4
    bench.answers(piece(bench, 4, b"fi"))
    assert begun(bench, b"the other", hashlib.sha256(b"the other").digest()) == 4
    bench.answers(piece(bench, 4, b"other"))
    assert bench.files.read("/slot/a", 0, 99) == b"the other"


def test_a_configuration_that_was_taken_can_be_sent_and_taken_again(bench):
    bench.open(5000)
    data = encode({**CONFIG, "name": "again"}).encode()
    for _ in range(2):
        assert bench.upload("/config.json", data, piece=len(data)) == len(data)
        assert "dict" in bench.do(number.CONFIGURE, {"crc": crc32(data) & 0xFFFFFFFF})


def test_a_file_that_is_not_what_was_announced_is_taken_anew(bench):
    data, sha = b"all of the file", hashlib.sha256(b"all of the file").digest()
    bench.open(5000)
    assert begun(bench, data, sha) == 4
    bench.answers(piece(bench, 4, data[4:]))
    bench.files.put("/slot/a", b"ALL of the file")
    assert begun(bench, data, sha) == len(data)
    told = bench.do(number.UPDATE, {"slot": "a", "len": len(data), "sha": sha})
    assert bench.rc(told) == number.NOT_AS_ANNOUNCED
    assert begun(bench, data, sha) == 4


def test_a_configuration_that_is_not_what_was_announced_is_taken_anew(bench):
    data = encode({**CONFIG, "name": "again"}).encode()
    first = {"off": 0, "data": data, "name": "/config.json", "len": len(data), "sha": hashlib.sha256(data).digest()}
    bench.open(5000)
    for _ in range(2):
        bench.ask(number.FILE_DATA, {**first, "s": SESSION}, WRITE, number.FILE)
        bench.files.put("/config.json.new", data.replace(b"again", b"wrong"))
    assert bench.rc(bench.do(number.CONFIGURE, {"crc": crc32(data) & 0xFFFFFFFF})) == number.CONFIG
    bench.ask(number.FILE_DATA, {**first, "s": SESSION}, WRITE, number.FILE)
    assert "dict" in bench.do(number.CONFIGURE, {"crc": crc32(data) & 0xFFFFFFFF})


def test_more_than_was_announced_is_refused(bench):
    bench.open(5000)
    bench.answers(piece(bench, 0, b"abc", 5))
    (answer,) = bench.answers(piece(bench, 3, b"def"))
    assert bench.rc(answer.body) == number.RANGE
    assert bench.files.size("/slot/a") == -1


@pytest.mark.parametrize(("name", "most"), [("/config.json", 8192), ("/slot/b", 1 << 20)])
def test_a_file_may_be_only_so_long(bench, name, most):
    bench.open(5000)
    (answer,) = bench.answers(piece(bench, 0, b"a", most + 1, name))
    assert bench.rc(answer.body) == number.RANGE
    assert str(most) in answer.body["why"]


@pytest.mark.parametrize("name", ["/boot.json", "/slot/../main.py", "/main.py", "config.json", "", 5, None])
def test_no_other_file_can_be_written_or_read(bench, name):
    bench.open(5000)
    for command, op in ((0, WRITE), (0, READ), (1, READ), (2, READ)):
        body = {"off": 0, "data": b"x", "len": 1, "name": name, "s": SESSION, "n": 1}
        answer = bench.ask(command, body, op, number.FILE)
        assert answer["err"] == {"group": number.FILE, "rc": 2}


def test_uploads_want_the_session_that_holds_the_lease(bench):
    body = {"off": 0, "data": b"x", "len": 1, "name": "/slot/a"}
    bench.open(100)
    assert bench.rc(bench.ask(0, {**body, "s": 1}, WRITE, number.FILE)) == number.NO_SESSION
    assert bench.rc(bench.ask(0, body, WRITE, number.FILE)) == number.RANGE
    bench.pass_us(101_000)
    assert bench.rc(bench.ask(0, {**body, "s": SESSION}, WRITE, number.FILE)) == number.NO_LEASE


def test_files_are_read_in_pieces(bench):
    data, at, whole = b"", 0, None
    bench.server.buffer_bytes = 300
    while whole is None or at < whole:
        answer = bench.ask(0, {"off": at, "name": "/config.json"}, READ, number.FILE)
        whole = answer.get("len", whole)
        data += answer["data"]
        at = len(data)
    assert data == bench.files.read("/config.json", 0, 9999)
    past = bench.ask(0, {"off": whole + 1, "name": "/config.json"}, READ, number.FILE)
    assert past["err"] == {"group": 8, "rc": 12}
    missing = bench.ask(1, {"name": "/slot/b"}, READ, number.FILE)
    assert missing["err"] == {"group": 8, "rc": 3}
    assert bench.ask(9, {}, READ, number.FILE) == {"rc": 8}
    assert bench.ask(2, {"name": "/config.json", "type": "md5"}, READ, number.FILE) == {"rc": 8}


def test_a_configuration_waits_beside_the_one_in_use(bench):
    bench.open(5000)
    bench.upload("/config.json", b"{}")
    assert bench.ask(1, {"name": "/config.json"}, READ, number.FILE)["len"] > 100
    bench.start()
    assert bench.ask(number.HELLO)["name"] == CONFIG["name"]


def test_a_full_disk_is_told_and_the_upload_can_begin_again(tmp_path):
    bench = Bench(str(tmp_path))
    bench.open(5000)
    whole, bench.files.append = bench.files.append, lambda data: _full()
    (answer,) = bench.answers(piece(bench, 0, b"abc", 3))
    assert bench.rc(answer.body) == number.HARDWARE
    bench.files.append = whole
    assert bench.upload("/slot/a", b"abc") == 3
    assert bench.files.read("/slot/a", 0, 9) == b"abc"


def _full():
    raise OSError(28, "no space")


def test_leases_run_out_while_a_long_file_is_hashed(bench):
    bench.open(5000)
    bench.upload("/slot/a", bytes(200_000), piece=700)
    bench.do(number.LEASE, {"ms": 300})
    bench.do(number.SET, {"name": "heater", "value": 1})
    poll, bench.server.poll = bench.server.poll, lambda: (_pass(bench), poll())
    bench.ask(2, {"name": "/slot/a", "type": "sha256"}, READ, number.FILE)
    assert bench.parts.outputs["heater"].now == 0


def _pass(bench):
    bench.clock.now_us += 1000
