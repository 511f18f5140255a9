from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from boards.telemetry.file import Files

Grow = Callable[[dict[str, str]], Path]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("keep", [False, True])
class TestReading:
    def test_a_value_is_always_that_of_now(self, tree: Grow, keep: bool) -> None:
        files = Files(tree({"temp": "41\n"}), keep=keep)
        assert files.number("/temp") == 41
        tree({"temp": "9\n"})
        assert files.number("/temp") == 9
        files.close()

    @pytest.mark.parametrize("text", ["lots", "-1", "1.5", "\udcff\udcfe", "9" * 5000, "12 13"])
    def test_a_value_that_makes_no_sense_is_named_with_what_it_holds(
        self, tmp_path: Path, keep: bool, text: str
    ) -> None:
        (tmp_path / "temp").write_bytes(text.encode("utf-8", "surrogateescape"))
        files = Files(tmp_path, keep=keep)
        assert files.number("/temp") is None
        (named,) = files.take_unreadable()
        assert named.startswith("/temp: holds ")
        assert len(named) < 100
        assert files.take_unreadable() == ()
        files.close()

    @pytest.mark.parametrize("text", ["", "\n", "\0\0"])
    def test_an_empty_file_is_named(self, tree: Grow, keep: bool, text: str) -> None:
        files = Files(tree({"temp": text}), keep=keep)
        assert files.text("/temp") is None
        assert files.take_unreadable() == ("/temp: is empty",)
        files.close()

    def test_a_missing_file_is_named_unless_it_may_be_missing(self, tmp_path: Path, keep: bool) -> None:
        files = Files(tmp_path, keep=keep)
        assert files.text("/temp", optional=True) is None
        assert files.take_unreadable() == ()
        assert files.text("/temp") is None
        assert files.take_unreadable() == ("/temp: No such file or directory",)

    def test_a_folder_in_place_of_a_file_is_named(self, tmp_path: Path, keep: bool) -> None:
        (tmp_path / "temp").mkdir()
        files = Files(tmp_path, keep=keep)
        assert files.number("/temp", optional=True) is None
        assert files.take_unreadable() == ("/temp: Is a directory",)
        files.close()

    def test_a_file_that_may_not_be_read_is_named(
        self, tree: Grow, keep: bool, ordinary_user: Callable[[], AbstractContextManager[None]]
    ) -> None:
        root = tree({"temp": "1\n"})
        (root / "temp").chmod(0)
        files = Files(root, keep=keep)
        with ordinary_user():
            assert files.number("/temp", optional=True) is None
        assert files.take_unreadable() == ("/temp: Permission denied",)


def test_kept_files_are_closed_and_none_is_kept_after_that(tree: Grow) -> None:
    before = open_files()
    files = Files(tree({"one": "1\n", "two": "2\n"}), keep=True)
    assert (files.number("/one"), files.number("/two"), files.number("/one")) == (1, 2, 1)
    assert open_files() == before + 2
    files.close()
    files.close()
    assert open_files() == before
    assert files.number("/one") == 1
    assert open_files() == before


def test_a_file_that_fails_is_let_go_and_tried_again(tree: Grow) -> None:
    before = open_files()
    files = Files("/", keep=True)
    # Writing there traces a process; reading gives an error each time.
    for _ in range(3):
        assert files.text("/proc/self/mem") is None
        assert len(files.take_unreadable()) == 1
    files.close()
    assert open_files() == before


def test_a_long_table_is_read_whole(tree: Grow) -> None:
    files = Files(tree({"table": "0123456789\n" * 10_000}))
    assert len(files.whole("/table") or "") == 110_000


def test_names_come_in_the_order_of_their_numbers(tree: Grow) -> None:
    files = Files(tree({f"zones/zone{number}/temp": "1" for number in (10, 2, 1)} | {"zones/other": ""}))
    assert files.names("/zones", "zone[0-9]+") == ["zone1", "zone2", "zone10"]
    assert files.names("/nowhere") == []
    assert files.names("/zones/other") == []
    assert files.take_unreadable() == ()
