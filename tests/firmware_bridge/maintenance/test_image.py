"""The file that a slot holds: made, made small, read, and read in place as the loader does."""

from __future__ import annotations

import ast
import importlib
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from interpreter import HERE, Interpreter

from firmware_bridge.error import BridgeError
from firmware_bridge.maintenance.image import LOADER, MAGIC, build_image, lean, read_image, sources

FILES = {"firmware_bridge/__init__.py": "", "firmware_bridge/wire/crc.py": "x = 5  # five\n"}


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import the loader over the fake of `machine`."""
    monkeypatch.syspath_prepend(str(HERE / "fake"))
    monkeypatch.delitem(sys.modules, "machine", raising=False)
    monkeypatch.delitem(sys.modules, "firmware_bridge.firmware.loader", raising=False)
    return importlib.import_module("firmware_bridge.firmware.loader")


def without_texts(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(0)
    return ast.dump(tree)


def test_every_module_of_the_firmware_is_in_it_and_nothing_of_the_boards_side() -> None:
    names = set(read_image(build_image()))
    for part in (
        "wire/cbor",
        "firmware/server",
        "firmware/main",
        "firmware/port_rp2",
        "firmware/port_esp32",
        "driver/table",
    ):
        assert f"firmware_bridge/{part}.py" in names
    assert {name.split("/")[1] for name in names} == {"__init__.py", "wire", "firmware", "driver"}
    assert read_image(build_image())["firmware_bridge/__init__.py"] == b""
    assert "firmware_bridge/firmware/loader.py" not in names


def test_the_same_sources_give_the_same_bytes_in_any_process() -> None:
    code = "import zlib; from firmware_bridge.maintenance.image import build_image; print(zlib.adler32(build_image()))"
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_made_small_a_module_is_the_same_but_for_texts_and_keeps_its_lines() -> None:
    for name, text in sources().items():
        small = lean(text)
        assert without_texts(small) == without_texts(text), name
        lines = [node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
        assert lines == [node.lineno for node in ast.walk(ast.parse(small)) if isinstance(node, ast.FunctionDef)], name
    assert sum(map(len, sources().values())) > 1.2 * len(build_image())


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ('"""A."""\nx = "#"  # b\n', '0\nx = "#"\n'),
        ("def f():\n    '''A.\n\n    B\n    '''\n    return 1\n", "def f():\n    0\n\n\n\n    return 1\n"),
        ('class A:\n    """µ"""\n\n    x: int\n', "class A:\n    0\n\n    x: int\n"),
        ('x = 1\n"""Of x."""; y = 2\n', "x = 1\n0; y = 2\n"),
        ("", ""),
    ],
)
def test_comments_and_texts_go_and_nothing_else(text: str, small: str) -> None:
    assert lean(text) == small


def test_what_is_no_image_or_damaged_is_told() -> None:
    image = build_image(FILES)
    assert read_image(image)["firmware_bridge/wire/crc.py"] == b"x = 5\n"
    for data in (b"", b"{}", MAGIC[:-1], b"\x00" * 100):
        with pytest.raises(BridgeError, match="no firmware for a slot"):
            read_image(data)
    dice = random.Random(3)
    for _ in range(50):
        damaged = bytearray(image)
        damaged[dice.randrange(16, len(image))] ^= 1 << dice.randrange(8)
        with pytest.raises(BridgeError, match="damaged"):
            read_image(bytes(damaged))


def test_one_that_no_slot_takes_is_refused() -> None:
    with pytest.raises(BridgeError, match="a slot takes 1048576"):
        build_image({"firmware_bridge/a.py": f"x = {'1' * (1 << 20)!r}\n"})


def test_the_loader_reads_it_in_place(loader: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(build_image(FILES))
    image = loader.Image(str(path))
    image.mount(True, False)
    for place, data in (("wire/crc.py", b"x = 5\n"), ("__init__.py", b"")):
        with image.open("/firmware_bridge/" + place, "rb") as piece:
            assert piece.read() == data
    assert image.stat("/firmware_bridge/wire")[0] == 0x4000
    assert image.stat("/firmware_bridge/wire/crc.py")[::6] == (0x8000, 6)
    for missing in ("/firmware_bridge/wire/none.py", "/wire"):
        with pytest.raises(OSError, match="2"):
            image.stat(missing)
    with pytest.raises(OSError, match="2"):
        image.open("/none", "rb")
    image.umount()


@pytest.mark.parametrize("at", [0, 8, 12, 20, 90, -1])
def test_the_loader_takes_no_image_that_is_damaged(loader: ModuleType, tmp_path: Path, at: int) -> None:
    data = bytearray(build_image(FILES))
    data[at] ^= 4
    path = tmp_path / "image"
    path.write_bytes(data)
    with pytest.raises((ValueError, OSError)):
        loader.Image(str(path))
    path.write_bytes(data[:10])
    with pytest.raises((ValueError, OSError)):
        loader.Image(str(path))


def test_loader_and_builder_agree_on_what_an_image_begins_with(loader: ModuleType) -> None:
    assert loader.MAGIC == MAGIC
    assert Path(loader.__file__) == LOADER


def test_micropython_imports_from_an_image(micropython: Interpreter, tmp_path: Path) -> None:
    (tmp_path / "image.py").write_bytes(build_image())  # so named, it is laid where both find it
    script = """
import sys
from firmware_bridge.firmware import loader
place = sys.modules["firmware_bridge.firmware.loader"].__file__.split("/firmware_bridge/")[0]
loader.forget()
loader.take(place + "/image.py")
from firmware_bridge.wire.crc import crc16
print(sys.modules["firmware_bridge.wire.crc"].__file__, hex(crc16(b"123456789")))
loader.forget()
print([name for name in sys.modules if name.startswith("firmware_bridge")])
"""
    told = micropython.run(script, modules=(HERE / "fake", tmp_path))
    assert told.split("\n")[:2] == ["/fw/firmware_bridge/wire/crc.py 0x31c3", "[]"]
