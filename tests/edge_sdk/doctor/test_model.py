from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.bundle import StoredBundle, list_bundles, open_bundle
from edge_sdk.bundle.folder import SHIPPED
from edge_sdk.doctor import examine, find_checks, inference
from edge_sdk.doctor.inference import inference_answer, inference_memory
from edge_sdk.doctor.model import _make_writable, bundle_verified, cache_quota, cache_weights, edgetpu, teflon
from edge_sdk.doctor.surroundings import Space
from edge_sdk.memory import peak
from edge_sdk.runtime import DELEGATES, WeightCache, delegate
from edge_sdk.runtime.delegate_check import trial_limit_s

Told = Callable[[Any], list[tuple[str, str]]]
SOURCE = Path(__file__).parents[1] / "runtime/delegate.c"
SMEAR = SHIPPED / "smear.litertlm"


class TestDelegates:
    def test_a_board_without_the_part_has_nothing_to_check(self, machine: Any, told: Told) -> None:
        assert told(teflon(machine())) == [("nothing", "This board has nothing for it.")]

    def test_a_library_that_is_not_installed_is_no_failure(self, machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(delegate, "_folders", lambda: iter(()))
        ((finding),) = edgetpu(machine())
        assert finding.mark == "nothing"
        assert "libedgetpu.so.1 is not installed" in finding.what
        assert finding.fix

    @pytest.mark.parametrize(
        ("flag", "mark", "part"),
        [
            ('-DREFUSE_WITHOUT="/no/such/device"', "warning", "Not used for"),
            ("-DCRASH_IN_CREATE", "warning", "SIGSEGV"),
            ("-DFINE", "nothing", "takes nothing of"),
        ],
    )
    def test_one_that_does_not_do_is_told_and_the_cpu_goes_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str, mark: str, part: str
    ) -> None:
        if shutil.which("gcc") is None:
            pytest.skip("no gcc here to compile delegates with")
        command = ["gcc", "-shared", "-fPIC", flag, "-o", str(tmp_path / "libteflon.so"), str(SOURCE)]
        subprocess.run(command, check=True)
        monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
        monkeypatch.setenv("EDGE_BOARD", "rock-5b")
        (finding,) = examine(find_checks(["delegate.teflon"]))
        assert (finding.id, finding.mark) == ("delegate.teflon", mark)
        assert part in finding.what
        assert "smear" in finding.what

    def test_the_trial_of_one_ends_before_its_check_is_taken_for_hanging(self) -> None:
        with open_bundle(SMEAR) as bundle:
            longest_s = trial_limit_s(bundle.section("tf_lite_pixel_encoder").size)
        assert all(check.limit_s > longest_s for check in find_checks(["delegate"]))

    def test_there_is_a_check_for_every_delegate(self) -> None:
        assert {check.id for check in find_checks(["delegate"])} == {f"delegate.{name}" for name in DELEGATES}


class TestBundles:
    def test_the_shipped_one_is_whole(self, machine: Any, told: Told) -> None:
        shipped = [stored for stored in list_bundles() if stored.name == "smear"]
        ((mark, what),) = told(bundle_verified(machine(), shipped))
        assert mark == "ok"
        assert what.startswith("smear is whole")

    def test_one_that_was_cut_off_is_a_failure_and_the_next_is_looked_at(self, machine: Any, tmp_path: Path) -> None:
        cut = tmp_path / "cut.litertlm"
        cut.write_bytes(SMEAR.read_bytes()[:100_000])
        bundles = [StoredBundle("cut", cut, 100_000, False), StoredBundle("smear", SMEAR, 1, True)]
        found = list(bundle_verified(machine(), bundles))
        assert [finding.mark for finding in found] == ["failure", "ok"]
        assert "edge bundle remove cut" in found[0].fix

    def test_one_that_cannot_be_read_is_a_failure(self, machine: Any, tmp_path: Path) -> None:
        (finding,) = bundle_verified(machine(), [StoredBundle("gone", tmp_path / "gone.litertlm", 1, True)])
        assert finding.mark == "failure"
        assert "pip install --force-reinstall" in finding.fix


class TestPackedWeights:
    def test_whole_files_are_fine_and_damaged_ones_are_named(self, machine: Any, tmp_path: Path) -> None:
        cache = WeightCache(tmp_path / "weights")
        assert [finding.mark for finding in cache_weights(machine(), cache)] == ["ok"]
        cache.folder.mkdir()
        (cache.folder / "a.weights").write_bytes(b"\0" * 100)
        (finding,) = cache_weights(machine(), cache)
        assert finding.mark == "warning"
        assert finding.fix == f"rm {cache.folder / 'a.weights'}"

    def test_a_folder_that_cannot_be_written_is_a_warning(
        self, machine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("edge_sdk.doctor.model.os.access", lambda path, mode: False)
        (finding,) = cache_weights(machine(), WeightCache(tmp_path / "weights"))
        assert finding.mark == "warning"
        assert "EDGE_CACHE" in finding.fix

    def test_nothing_above_the_folder_changes_hands(self) -> None:
        folder = Path("/home/a/.cache/edge/weights")
        assert "chown -R $USER /home/a/.cache/edge/weights" in _make_writable(folder, folder)
        for above in ("/home/a/.cache", "/home/a", "/home", "/"):
            assert "chown" not in _make_writable(folder, Path(above))

    def test_a_user_without_a_home_keeps_nothing(self, machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(WeightCache, "usual", classmethod(lambda cls: None))
        assert [finding.mark for finding in cache_weights(machine())] == ["warning"]
        assert [finding.mark for finding in cache_quota(machine())] == ["nothing"]

    @pytest.mark.parametrize(("used", "free", "mark"), [(10, 10**9, "ok"), (950, 10**9, "warning"), (10, 0, "warning")])
    def test_the_quota_and_the_disk_set_the_limit(
        self, machine: Any, tmp_path: Path, used: int, free: int, mark: str
    ) -> None:
        cache = WeightCache(tmp_path, quota_bytes=1000)
        (tmp_path / "a.weights").write_bytes(b"\0" * used)
        here = machine(space=lambda path: Space(1, free, 10**9, None, False))
        assert [finding.mark for finding in cache_quota(here, cache)] == [mark]


class TestInference:
    def test_the_shipped_model_gives_the_expected_answers(self, machine: Any, told: Told) -> None:
        ((mark, what),) = told(inference_answer(machine()))
        assert mark == "ok", what
        assert re.search(r"after \d+ ms", what)

    def test_another_answer_is_a_failure_that_says_what_it_was(
        self, machine: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inference, "EXPECTED", {"smear-1.jpg": 77})
        (finding,) = inference_answer(machine())
        assert finding.mark == "failure"
        assert "77 white blood cells were expected" in finding.what
        assert "Trust no answer" in finding.fix

    def test_memory_beyond_the_plan_is_a_warning(self, machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(peak, "private_bytes", lambda: 10**10)
        (finding,) = inference_memory(machine())
        assert finding.mark == "warning"
        assert finding.what.startswith("At most it took 10 GB of private memory; ")

    def test_memory_that_is_given_back_before_the_end_counts_too(
        self, machine: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks: list[int] = []

        def passing() -> int:
            looks.append(10**10 if threading.current_thread() is not threading.main_thread() and not looks[1:] else 1)
            return looks[-1]

        monkeypatch.setattr(peak, "private_bytes", passing)
        (finding,) = inference_memory(machine())
        assert looks[0] == looks[-1] == 1
        assert finding.mark == "warning", finding.what

    def test_a_process_of_its_own_keeps_to_the_plan(self) -> None:
        (finding,) = examine(find_checks(["inference.memory"]))
        assert finding.mark == "ok", finding.what
