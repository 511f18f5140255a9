from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from edge_sdk.bundle import (
    add_bundle,
    bundle_folder,
    find_bundle,
    folder,
    list_bundles,
    remove_bundle,
    sha256,
)
from edge_sdk.errors import BundleError, StorageError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundles of the test's own, and nothing shipped."""
    monkeypatch.setenv("EDGE_BUNDLES", str(tmp_path / "home"))
    monkeypatch.setattr(folder, "SHIPPED", tmp_path / "shipped")
    return tmp_path / "home"


@pytest.fixture
def tiny(material: Path) -> Path:
    return material / "bundles/tiny-text.litertlm"


def test_the_folder_is_where_the_environment_says(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bundle_folder() == home
    monkeypatch.delenv("EDGE_BUNDLES")
    monkeypatch.setenv("XDG_DATA_HOME", "/data/of/user")
    assert bundle_folder() == Path("/data/of/user/edge/bundles")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert bundle_folder() == Path.home() / ".local/share/edge/bundles"


def test_an_added_bundle_is_the_same_to_the_byte_and_found_by_its_name(tiny: Path, home: Path) -> None:
    done = []
    stored = add_bundle(tiny, progress=done.append)
    assert (stored.name, stored.path, stored.shipped) == ("tiny-text", home / "tiny-text.litertlm", False)
    assert stored.path.read_bytes() == tiny.read_bytes()
    assert sum(done) == 2 * tiny.stat().st_size
    assert find_bundle("tiny-text") == stored.path
    assert list_bundles() == [stored]
    assert [path.name for path in home.iterdir()] == ["tiny-text.litertlm"]


def test_a_model_keeps_its_suffix_and_may_be_renamed(material: Path, home: Path) -> None:
    stored = add_bundle(material / "models/automl_labeler_model.tflite", name="flowers")
    assert stored.path == home / "flowers.tflite"
    assert find_bundle("flowers") == stored.path


def test_a_name_that_is_taken_stays_taken(tiny: Path, material: Path) -> None:
    first = add_bundle(tiny, name="a")
    for other in (tiny, material / "models/automl_labeler_model.tflite"):
        with pytest.raises(BundleError, match="There is a bundle a already"):
            add_bundle(other, name="a")
    assert list_bundles() == [first]


@pytest.mark.parametrize("name", ["", "../a", "a/b", ".hidden", "a b", "a\n", "x" * 101, "\u00fc"])
def test_a_name_that_leads_elsewhere_is_refused(tiny: Path, name: str) -> None:
    with pytest.raises(BundleError, match="cannot be a bundle's name"):
        add_bundle(tiny, name=name)
    assert list_bundles() == []


def test_a_damaged_bundle_is_not_added(tiny: Path, tmp_path: Path, home: Path) -> None:
    cut_off = tmp_path / "cut.litertlm"
    cut_off.write_bytes(tiny.read_bytes()[:-1])
    with pytest.raises(BundleError, match=r"cut\.litertlm is damaged"):
        add_bundle(cut_off)
    assert not home.exists()


def test_a_full_disk_leaves_nothing_behind(tiny: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="could not be copied") as error:
        add_bundle(tiny)
    assert "No space left" in str(error.value.why)
    assert "nothing was left behind" in str(error.value.fix)
    assert list(home.iterdir()) == []


def test_an_interruption_leaves_nothing_behind(tiny: Path, home: Path) -> None:
    def stop(done_bytes: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_bundle(tiny, progress=stop)
    assert list(home.iterdir()) == []


def test_a_copy_that_reads_back_differently_is_not_kept(
    tiny: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wear_out(descriptor: int, offset: int, length: int, advice: int) -> None:
        (part,) = home.glob(".*.part")
        with part.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\x55")

    monkeypatch.setattr(os, "posix_fadvise", wear_out)
    with pytest.raises(StorageError, match="reads back differently"):
        add_bundle(tiny)
    assert list(home.iterdir()) == []


def test_the_copy_is_on_the_disk_before_it_has_its_name(
    tiny: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    sync, rename = os.fsync, Path.rename

    def noted_sync(descriptor: int) -> None:
        order.append(Path(f"/proc/self/fd/{descriptor}").readlink().suffix or "folder")
        sync(descriptor)

    def noted_rename(self: Path, target: Path) -> Path:
        order.append(f"rename to {target.name}")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    add_bundle(tiny)
    assert order == [".part", "rename to tiny-text.litertlm", "folder"]


def test_what_a_power_cut_left_is_cleared_away_after_a_day(tiny: Path, home: Path) -> None:
    home.mkdir()
    old, fresh = home / ".old.part", home / ".fresh.part"
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    add_bundle(tiny)
    assert not old.exists()
    assert fresh.exists()


def test_a_folder_that_cannot_be_written_says_so(tiny: Path, home: Path) -> None:
    home.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="could not be copied") as error:
        add_bundle(tiny)
    assert "EDGE_BUNDLES" in str(error.value.fix)


def test_a_removed_bundle_is_gone_and_only_that(tiny: Path, home: Path) -> None:
    kept = add_bundle(tiny, name="kept")
    assert remove_bundle(add_bundle(tiny, name="gone").name) == home / "gone.litertlm"
    assert list_bundles() == [kept]


def test_nothing_outside_the_folder_and_nothing_shipped_is_removed(tiny: Path, tmp_path: Path, home: Path) -> None:
    shipped = tmp_path / "shipped/smear.litertlm"
    shipped.parent.mkdir()
    shipped.write_bytes(tiny.read_bytes())
    outside = tmp_path / "outside.litertlm"
    outside.write_bytes(b"mine")
    home.mkdir()
    for name in ("../outside", str(outside), "outside", "", ".", ".."):
        with pytest.raises(BundleError, match="There is no bundle"):
            remove_bundle(name)
    with pytest.raises(BundleError, match="smear came with the SDK and stays"):
        remove_bundle("smear")
    assert outside.exists()
    assert shipped.exists()


def test_a_link_is_removed_and_what_it_leads_to_stays(tiny: Path, tmp_path: Path, home: Path) -> None:
    home.mkdir()
    target = tmp_path / "elsewhere.litertlm"
    target.write_bytes(tiny.read_bytes())
    (home / "linked.litertlm").symlink_to(target)
    remove_bundle("linked")
    assert target.exists()
    assert list(home.iterdir()) == []


def test_an_added_bundle_goes_before_a_shipped_one_of_its_name(tiny: Path, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped/tiny-text.litertlm"
    shipped.parent.mkdir()
    shipped.write_bytes(tiny.read_bytes())
    assert find_bundle("tiny-text") == shipped
    added = add_bundle(tiny)
    assert find_bundle("tiny-text") == added.path
    remove_bundle("tiny-text")
    assert find_bundle("tiny-text") == shipped


def test_a_path_is_found_as_a_path(tiny: Path) -> None:
    assert find_bundle(tiny) == find_bundle(str(tiny)) == tiny


def test_what_is_not_there_is_missed_with_the_names_that_are(tiny: Path) -> None:
    add_bundle(tiny)
    with pytest.raises(BundleError, match="There is no bundle smeer") as error:
        find_bundle("smeer")
    assert "tiny-text" in str(error.value.why)
    assert "edge bundle add" in str(error.value.fix)


def test_half_copied_and_foreign_files_are_not_listed(tiny: Path, home: Path) -> None:
    stored = add_bundle(tiny)
    for name in (".half.litertlm", "notes.txt", ".x.part"):
        (home / name).write_bytes(b"")
    (home / "folder.litertlm").mkdir()
    assert list_bundles() == [stored]


def test_the_digest_is_that_of_the_file(tiny: Path) -> None:
    assert sha256(tiny) == hashlib.sha256(tiny.read_bytes()).hexdigest()


def test_a_user_without_a_home_has_the_shipped_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EDGE_BUNDLES", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", _no_home)
    assert all(stored.shipped for stored in list_bundles())
    with pytest.raises(StorageError, match="no home"):
        bundle_folder()


def test_a_relative_data_folder_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_BUNDLES", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "here")
    assert bundle_folder().is_absolute()


def _no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")
