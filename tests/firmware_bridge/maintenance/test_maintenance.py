from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stand import Stand

from firmware_bridge.error import BridgeError, BridgeTimeout, Refused, UnknownName
from firmware_bridge.link.lane import Answer
from firmware_bridge.link.recorder import Recorder
from firmware_bridge.link.retry import RoundTrip
from firmware_bridge.maintenance.upload import send_file
from firmware_bridge.wire import number


@pytest.fixture
def stand() -> Iterator[Stand]:
    stand = Stand("sim://incubator").open()
    yield stand
    stand.close()


class Store:
    """Takes pieces as the microcontroller does, and forgets some."""

    def __init__(self, *, forgets: int = 0, stuck: bool = False) -> None:
        self.data = b""
        self.pieces: list[Mapping[str, Any]] = []
        self.forgets, self.stuck = forgets, stuck

    def __call__(self, body: Mapping[str, Any]) -> Answer:
        self.pieces.append(body)
        if self.forgets and len(self.pieces) == 3:
            self.data = self.data[: -self.forgets]
        elif body["off"] == len(self.data) and not self.stuck:
            self.data += body["data"]
        return Answer({"off": len(self.data)}, 0.0, 0.0, 1)


class LossyStore(Store):
    """One behind a line that loses so many of its lines, each of about 90 bytes; nine tries are all that there are."""

    def __init__(self, loss: float, seed: int) -> None:
        super().__init__()
        self.loss, self.dice = loss, random.Random(seed)

    def __call__(self, body: Mapping[str, Any]) -> Answer:
        lines = 2 + (len(body["data"]) + 60) // 90
        for sends in range(1, 10):
            if all(self.dice.random() > self.loss for _ in range(lines)):
                return Answer(super().__call__(body).body, 0.0, 0.0, sends)
        self.pieces.append(body)
        raise BridgeTimeout("no answer")


def test_a_file_goes_in_pieces_that_fit_the_buffer() -> None:
    store, told = Store(), []
    data = bytes(range(256)) * 4
    send_file("/slot/b", data, 256, store, lambda sent, whole: told.append((sent, whole)))
    assert store.data == data
    assert store.pieces[0]["len"] == 1024
    assert all("len" not in piece and piece["name"] == "/slot/b" for piece in store.pieces[1:])
    assert max(len(piece["data"]) for piece in store.pieces) <= 256 - 80
    assert told[-1] == (1024, 1024)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("loss", [0.02, 0.1, 0.2])
def test_a_line_that_loses_is_sent_shorter_pieces_until_all_is_there(loss: float, seed: int) -> None:
    data, store = random.Random(seed).randbytes(130_000), LossyStore(loss, seed)
    send_file("/slot/a", data, 1024, store)
    assert store.data == data


def test_a_line_that_is_sound_again_is_sent_whole_pieces_again() -> None:
    data, store = bytes(100_000), LossyStore(0.2, 7)
    send_file("/slot/a", data, 1024, store, lambda sent, whole: setattr(store, "loss", 0.2 * (sent < 5000)))
    assert max(len(piece["data"]) for piece in store.pieces[5:30]) < 500
    assert len(store.pieces[-3]["data"]) == 1024 - 96


def test_a_microcontroller_that_does_not_answer_is_given_up_after_one_more_short_piece() -> None:
    store = LossyStore(1.0, 7)
    with pytest.raises(BridgeTimeout):
        send_file("/slot/a", bytes(5000), 1024, store)
    assert [len(piece["data"]) for piece in store.pieces] == [1024 - 96 - 38, 64 - 38]


def test_it_goes_on_where_the_microcontroller_says() -> None:
    store = Store(forgets=100)
    send_file("/config.json", b"x" * 1000, 256, store)
    assert store.data == b"x" * 1000


def test_what_an_earlier_attempt_has_sent_is_not_sent_again(stand: Stand) -> None:
    data = bytes(range(256)) * 40
    told: list[int] = []

    def interrupt(sent: int, whole: int) -> None:
        if sent > 5000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stand.bridge.upload("/slot/b", data, interrupt)
    held = stand.device._server.upload._next  # type: ignore[union-attr]
    assert held > 5000
    stand.unplug()
    for _ in range(20):
        stand.bridge.look_after()
    stand.bridge.upload("/slot/b", data, lambda sent, whole: told.append(sent))
    assert told[0] == held
    assert told[-1] == len(data)
    assert stand.device._server.files.read("/slot/b", 0, 1 << 20) == data  # type: ignore[union-attr]


def test_a_file_that_does_not_get_on_is_given_up() -> None:
    with pytest.raises(BridgeError, match="does not get on from byte 0 of 10"):
        send_file("/config.json", b"x" * 10, 256, Store(stuck=True))
    with pytest.raises(BridgeError, match="wants byte 99"):
        send_file("/config.json", b"x" * 10, 256, lambda body: Answer({"off": 99}, 0.0, 0.0, 1))


def test_only_three_names_may_be_sent() -> None:
    with pytest.raises(UnknownName, match=r"/config\.json, /slot/a, /slot/b"):
        send_file("/main.py", b"x", 256, Store())
    with pytest.raises(Refused, match="would be empty"):
        send_file("/slot/a", b"", 256, Store())


def test_a_configuration_that_is_wrong_is_refused_with_the_reason(stand: Stand) -> None:
    with pytest.raises(Refused, match="Mend the place that it names") as refused:
        stand.bridge.configure({"v": 1, "outputs": {"heater": {"kind": "steam"}}})
    assert refused.value.rc == number.CONFIG
    assert stand.bridge.output("heater").value == 0


def test_a_restart_is_waited_for(stand: Stand) -> None:
    boot = stand.bridge.info.boot
    assert stand.bridge.restart().boot != boot
    assert stand.bridge.statistics.restarts == 1
    assert stand.bridge.sensor("temperature").read()


def test_a_firmware_without_slots_says_what_to_do(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "firmware_bridge.maintenance.maintenance.Session.refresh",
        lambda session: replace(session.info, capabilities=()),
    )
    with pytest.raises(BridgeError, match="edge bridge flash"):
        stand.bridge.update(b"firmware")


def test_a_firmware_that_does_not_come_up_is_told(stand: Stand) -> None:
    told: list[tuple[int, int]] = []
    with pytest.raises(BridgeError, match="did not come up: what was flashed runs again"):
        stand.bridge.update(b"no firmware" * 200, lambda sent, whole: told.append((sent, whole)))
    assert told[-1] == (2200, 2200)


def test_the_last_hundred_each_way_are_kept_and_the_oldest_records_go(tmp_path: Path) -> None:
    recorder = Recorder(lambda: tmp_path / "kept")
    for count in range(250):
        recorder.sent((float(count), bytes([count])))
        recorder.received((count + 0.5, b"<"))
    frames = recorder.frames
    assert len(frames) == 200
    assert frames[0].time_s == 150
    assert [frame.direction for frame in frames[:4]] == [">", "<", ">", "<"]
    for old in range(12):
        (tmp_path / "kept").mkdir(exist_ok=True)
        (tmp_path / f"kept/2020010{old:02}-000000-1.frames").touch()
    path = recorder.write("a fault")
    assert path is not None
    assert path.read_text().startswith("# a fault\n150.000000 > 96\n150.500000 < 3c\n")
    assert len(list((tmp_path / "kept").iterdir())) == 10


def test_a_record_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert Recorder(lambda: tmp_path / "file/folder").write("a fault") is None


def test_the_time_out_follows_the_round_trips_within_its_bounds() -> None:
    trip = RoundTrip()
    assert trip.timeout_s == 0.1
    for _ in range(50):
        trip.measured(0.001)
    assert trip.timeout_s == 0.025
    for _ in range(50):
        trip.measured(0.2)
    assert 0.2 < trip.timeout_s < 0.3
    for _ in range(50):
        trip.measured(30)
    assert trip.timeout_s == 5


def test_losses_now_and_then_do_not_lengthen_the_time_out_and_losses_in_a_row_do() -> None:
    trip = RoundTrip()
    trip.measured(0.001)
    trip.unmeasured(0.4)
    trip.unmeasured(0.4)
    assert trip.timeout_s == 0.025
    trip.unmeasured(0.4)
    assert trip.timeout_s == 0.4
    trip.measured(0.001)
    assert trip.timeout_s == 0.025


def test_answers_soon_after_the_last_try_are_losses_however_many_in_a_row() -> None:
    trip = RoundTrip()
    trip.measured(0.001)
    for _ in range(20):
        trip.unmeasured(0.4, since_s=0.002)
    assert trip.timeout_s == 0.025
    for _ in range(3):
        trip.unmeasured(0.4, since_s=0.2)
    assert trip.timeout_s == 0.4
