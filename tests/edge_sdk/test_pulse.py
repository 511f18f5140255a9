from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sdk.pulse import Beat, Pulse, pulse_folder, read_beats

PHOTO = Path(__file__).resolve().parents[2] / "edge_sdk/data/photos/smear-1.jpg"


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "edge"


@pytest.fixture
def pulse(folder: Path, clock: Clock) -> Pulse:
    made = Pulse(lambda: folder, clock)
    made.loaded("smear", 64_000_000)
    return made


class TestTelling:
    def test_rates_are_those_since_the_last_time(self, pulse: Pulse, folder: Path, clock: Clock) -> None:
        pulse.beat(frames=1)
        for _ in range(20):
            clock.now_s += 0.1
            pulse.beat(tokens=1)
        (beat,) = read_beats(folder)
        assert (beat.bundle, beat.budget_bytes, beat.pid) == ("smear", 64_000_000, os.getpid())
        assert beat.frames == 1
        assert beat.tokens_per_s == pytest.approx(10, rel=0.11)

    def test_it_is_written_once_a_second_at_the_most(
        self, pulse: Pulse, folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = []
        replace = Path.replace
        monkeypatch.setattr(Path, "replace", lambda self, target: (written.append(target), replace(self, target))[1])
        for _ in range(1000):
            clock.now_s += 0.005
            pulse.beat(tokens=1)
        assert 5 <= len(written) <= 6

    def test_a_rest_before_does_not_count_as_slow_work(self, pulse: Pulse, folder: Path, clock: Clock) -> None:
        pulse.beat(tokens=1)
        clock.now_s += 600
        for _ in range(12):
            pulse.beat(tokens=1)
            clock.now_s += 0.1
        (beat,) = read_beats(folder)
        assert beat.tokens_per_s == pytest.approx(10, rel=0.2)

    def test_work_of_several_seconds_a_frame_has_its_rate(self, pulse: Pulse, folder: Path, clock: Clock) -> None:
        for _ in range(3):
            pulse.beat(frames=1)
            clock.now_s += 8.0
        (beat,) = read_beats(folder)
        assert beat.frames_per_s == pytest.approx(0.12, abs=0.01)

    def test_nobody_else_may_look_into_the_folder_and_the_file_goes_at_the_end(
        self, pulse: Pulse, folder: Path
    ) -> None:
        pulse.beat(frames=1)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        pulse.close()
        pulse.close()
        assert list(folder.iterdir()) == []

    def test_without_a_folder_or_on_a_full_one_work_goes_on(
        self, folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Pulse(lambda: None, clock).beat(frames=1)
        folder.touch()  # a file is in the way
        Pulse(lambda: folder, clock).beat(frames=1)
        folder.unlink()

        def full(*_: object, **__: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_text", full)
        Pulse(lambda: folder, clock).beat(frames=1)
        assert read_beats(folder) == []

    def test_a_real_answer_tells_of_its_frame_and_its_bundle(self, folder: Path) -> None:
        code = (
            "import sys\nfrom edge_sdk import load, Frame\nimport edge_sdk.pulse as pulse\nfrom pathlib import Path\n"
            f"pulse.PULSE._folder = lambda: Path({str(folder)!r})\n"
            f"with load('smear', budget='300MB') as model:\n"
            f"    model.ask('How many white blood cells are there?', Frame.open({str(PHOTO)!r})).text\n"
            f"    print(next(Path({str(folder)!r}).glob('*.json')).read_text())\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        told = json.loads(done.stdout)
        assert (told["bundle"], told["budget_bytes"], told["frames"]) == ("smear", 300_000_000, 1)
        assert list(folder.iterdir()) == []


class TestReading:
    def test_processes_that_are_gone_are_left_out_and_tidied_away(self, pulse: Pulse, folder: Path) -> None:
        pulse.beat(frames=1)
        ended = subprocess.Popen([sys.executable, "-c", "pass"])
        ended.wait()
        (folder / f"{ended.pid}.json").write_text(json.dumps({**vars_of(read_beats(folder)[0]), "pid": ended.pid}))
        assert [beat.pid for beat in read_beats(folder)] == [os.getpid()]
        assert not (folder / f"{ended.pid}.json").exists()

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "null"])
    def test_what_is_no_beat_is_passed_over(self, folder: Path, text: str) -> None:
        folder.mkdir()
        (folder / "1.json").write_text(text)
        assert read_beats(folder) == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("pid", "1"), ("pid", None), ("pid", True), ("bundle", 3), ("budget_bytes", "1GB"), ("frames", [1]),
            ("frames", 10**40), ("tokens", 1.5), ("frames_per_s", "fast"), ("tokens_per_s", None), ("at_s", {}),
            ("at_s", float("nan")), ("tokens_per_s", float("inf")), ("frames_per_s", 10**40),
        ],
    )  # fmt: skip
    def test_a_beat_with_a_part_of_another_kind_is_passed_over(
        self, pulse: Pulse, folder: Path, name: str, value: object
    ) -> None:
        pulse.beat(frames=1)
        whole = vars_of(read_beats(folder)[0])
        (folder / "1.json").write_text(json.dumps({**whole, name: value}))
        (folder / "2.json").write_text(json.dumps({**whole, "budget_bytes": 5}))
        assert sorted((beat.budget_bytes or 0) for beat in read_beats(folder)) == [5, 64_000_000]

    def test_what_is_nested_without_end_is_passed_over(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "1.json").write_text("[" * 100_000)
        assert read_beats(folder) == []

    def test_one_process_can_be_asked_for(self, pulse: Pulse, folder: Path) -> None:
        pulse.beat(frames=1)
        assert read_beats(folder, os.getpid()) == read_beats(folder)
        assert read_beats(folder, 1) == []


class TestTheFolder:
    MOUNTS = "24 1 179:2 / / rw - ext4 /dev/mmcblk0p2 rw\n30 24 0:30 / /run/user/1000 rw - tmpfs tmpfs rw\n"

    @pytest.mark.parametrize(
        ("told", "expected"),
        [
            ("/run/user/1000", Path("/run/user/1000/edge")),
            ("/home/a/run", None),  # on the card
            ("run/user/1000", None),
            ("", None),
        ],
    )
    def test_it_is_only_ever_in_memory(self, tmp_path: Path, told: str, expected: Path | None) -> None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/mountinfo").write_text(self.MOUNTS)
        assert pulse_folder({"XDG_RUNTIME_DIR": told}, tmp_path) == expected

    def test_a_user_without_one_tells_nothing(self) -> None:
        assert pulse_folder({}) is None


def vars_of(beat: Beat) -> dict[str, object]:
    return {name: getattr(beat, name) for name in Beat.__slots__}
