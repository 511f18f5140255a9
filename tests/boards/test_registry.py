from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import boards
from boards import EdgeError, Profile, detect, find_profile, profiles

ACME = """
from boards import Profile
BOARD = Profile(id="acme-one", name="ACME One", soc="A1", architecture="aarch64", compatibles=("acme,one",))
TAKEN = [Profile(id="rpi-5", name="Mine", soc="", architecture="any", compatibles=("raspberrypi,5-model-b", "acme,5"))]
CLAIM = Profile(id="acme-claim", name="", soc="", architecture="any", compatibles=("raspberrypi,4-model-b",))
NONSENSE = ["acme"]
"""


@pytest.fixture
def fresh() -> Iterator[None]:
    profiles.cache_clear()
    yield
    profiles.cache_clear()


def install(folder: Path, entry_points: str, module: str = ACME) -> None:
    """Lay out what pip leaves behind when it installs a distribution."""
    (folder / "acme_boards.py").write_text(module)
    info = folder / "acme_boards-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-boards\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[edge_sdk.boards]\n{entry_points}\n")


@pytest.mark.usefixtures("fresh")
def test_another_distribution_adds_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "one = acme_boards:BOARD")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_profile("acme-one").name == "ACME One"
    tree = tmp_path / "root/proc/device-tree"
    tree.mkdir(parents=True)
    (tree / "compatible").write_bytes(b"acme,one\0acme,a1\0")
    assert detect(tmp_path / "root", {}).profile.id == "acme-one"


def test_another_distribution_adds_a_board_to_a_new_process(tmp_path: Path) -> None:
    install(tmp_path, "one = acme_boards:BOARD")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import boards; print('acme-one' in boards.profiles())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "True"


@pytest.mark.parametrize(
    ("entry_points", "module", "told"),
    [
        ("one = acme_boards:MISSING", ACME, "MISSING"),
        ("one = acme_nowhere:BOARD", ACME, "acme_nowhere"),
        ("one = acme_boards:BOARD", "raise RuntimeError('it broke')", "it broke"),
        ("one = acme_boards:BOARD", "import sys; sys.exit('gone')", "gone"),
        ("one = acme_boards:BOARD", "this is no Python", "invalid syntax"),
        ("one = acme_boards:BOARD", "from boards import Profile\nBOARD = Profile(id='x')", "missing"),
        ("one = acme_boards:NONSENSE", ACME, "expected boards.Profile, found str"),
        ("one = acme_boards:TAKEN", ACME, "'rpi-5'"),
    ],
)
@pytest.mark.usefixtures("fresh")
def test_a_broken_entry_point_costs_a_warning_and_nothing_else(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    entry_points: str,
    module: str,
    told: str,
) -> None:
    install(tmp_path, entry_points, module)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "acme_boards", raising=False)
    assert find_profile("rpi-5").soc == "BCM2712"
    assert told in caplog.text
    assert caplog.records[0].name == "edge_sdk.boards"


@pytest.mark.usefixtures("fresh")
def test_another_distribution_takes_no_board_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "one = acme_boards:CLAIM")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "acme_boards", raising=False)
    tree = tmp_path / "root/proc/device-tree"
    tree.mkdir(parents=True)
    (tree / "compatible").write_bytes(b"raspberrypi,4-model-b\0brcm,bcm2711\0")
    assert detect(tmp_path / "root", {}).profile.id == "rpi-4b"


@pytest.mark.parametrize(
    ("asked", "near"), [("rpi-zero-2-w", "rpi-zero-2w"), ("rpi5", "rpi-5"), ("jetson-orin", "jetson-orin-nano")]
)
def test_an_unknown_id_names_those_that_look_alike(asked: str, near: str) -> None:
    with pytest.raises(EdgeError, match="There is no board") as caught:
        find_profile(asked)
    assert near in (caught.value.why or "")


def test_an_id_like_no_other_names_all() -> None:
    with pytest.raises(EdgeError) as caught:
        find_profile("????")
    assert all(id_ in (caught.value.why or "") for id_ in profiles())


def test_an_id_may_be_written_in_capitals() -> None:
    assert find_profile(" RPI-5\n") is profiles()["rpi-5"]


def test_the_errors_alone_load_no_table() -> None:
    code = "import sys, boards.errors; print([m for m in sys.modules if m.startswith('boards.')])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "['boards.errors']"


@pytest.mark.parametrize("name", boards.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(boards, name)
    assert value.__doc__
    assert len(value.__doc__) > 20


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = boards.nothing  # type: ignore[attr-defined]


def test_all_profiles_are_profiles_under_their_own_ids() -> None:
    assert all(isinstance(profile, Profile) and profile.id == id_ for id_, profile in profiles().items())
