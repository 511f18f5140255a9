from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from boards import profiles
from edge_sdk.cli import board as module
from edge_sdk.cli.main import edge
from edge_sdk.runtime.delegate import Delegate

CORE = "processor\t: {}\nFeatures\t: fp asimd crc32 atomics asimddp\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n"
PI_5 = {
    "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/cpuinfo": "\n".join(CORE.format(core) for core in range(4)),
    "proc/meminfo": "MemTotal: 4148000 kB\nMemAvailable: 3500000 kB\n",
}
LUCKFOX = {
    **PI_5,
    "proc/device-tree/compatible": "rockchip,rv1103g-38x38-ipc-v10\0rockchip,rv1103\0",
    "proc/device-tree/model": "Luckfox Pico Mini A\0",
}


@pytest.fixture
def grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("EDGE_BOARD", raising=False)

    def grow(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return grow


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(edge, ["board", *map(str, arguments)], catch_exceptions=False)


class TestBoard:
    def test_it_says_what_this_is_and_what_will_be_used(self, grown: Any) -> None:
        lines = run("--root", grown(PI_5)).stdout.splitlines()
        assert lines[0] == "board            Raspberry Pi 5 Model B Rev 1.0 (rpi-5)"
        assert "4 x Cortex-A76, aarch64" in lines[2]
        assert lines[3] == "memory           4.2 GB to use, sold as 4 GB"
        assert any(line.startswith("will be used") for line in lines)
        assert any("cameras:" in line for line in lines)

    def test_accelerators_that_cannot_be_reached_are_said_to_be_so(self, grown: Any) -> None:
        text = run("--root", grown(PI_5)).stdout
        assert "VideoCore GPU: NOT REACHABLE. The engine has only a WebGPU plug-in" in text
        assert "Hailo (AI Kit, AI HAT+): NOT REACHABLE." in text
        assert "Coral Edge TPU: reached by the delegate edgetpu." in text

    def test_a_board_that_the_sdk_does_not_run_on_says_why_and_uses_nothing(self, grown: Any) -> None:
        done = run("--root", grown(LUCKFOX))
        assert profiles()["luckfox-pico"].unsupported in done.stdout
        assert "will be used" not in done.stdout
        assert done.exit_code == 0

    def test_a_processor_that_would_die_is_not_asked_for_more(
        self, grown: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = {"proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu lm sse2\nmodel name\t: Intel Core 2\n"}

        def never(name: str) -> Any:
            raise AssertionError(name)

        monkeypatch.setattr(module, "import_module", never)
        text = run("--root", grown({**PI_5, **old})).stdout
        assert "CANNOT RUN" in text
        assert "SIGILL" in text

    def test_a_library_that_the_sdk_does_not_use_stands_in_nobodys_way(self, grown: Any) -> None:
        a53 = CORE.replace(" atomics asimddp", "").replace("0xd0b", "0xd03")  # without what litert-lm-api needs
        text = run("--root", grown({**PI_5, "proc/cpuinfo": a53.format(0)})).stdout
        assert "CANNOT RUN" not in text
        assert "will be used" in text

    def test_a_library_that_cannot_be_loaded_is_said(self, grown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(name: str) -> Any:
            raise ImportError("libopenblas.so.0: cannot open shared object file")

        monkeypatch.setattr(module, "import_module", broken)
        text = run("--root", grown(PI_5)).stdout
        assert "libopenblas.so.0" in text
        assert "edge doctor --only python" in text

    def test_json_has_the_same(self, grown: Any) -> None:
        told = json.loads(run("--root", grown(PI_5), "--json").stdout)
        assert (told["id"], told["ram_option_bytes"], told["unsupported"]) == ("rpi-5", 4 << 30, None)
        assert told["use"]["threads"] >= 1
        assert told["use"]["budget"]["total_bytes"] > 0
        assert {each["name"]: each["delegate"] for each in told["accelerators"]}["VideoCore GPU"] is None

    def test_of_a_delegate_it_is_said_what_it_is_used_for(self, grown: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EDGE_BOARD", "rock-5b")
        monkeypatch.setattr(Delegate, "find", lambda self: Path("/usr/lib") / self.library)
        text = run("--root", grown(PI_5)).stdout
        assert "teflon for vision encoders, without a budget, if it answers as the CPU does" in text
        assert "edgetpu for files compiled for it (NAME_edgetpu.tflite), without a budget, if it" in text

    def test_it_is_said_of_this_machine_too(self) -> None:
        done = subprocess.run([sys.executable, "-m", "edge_sdk", "board"], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("board ")


class TestList:
    def test_every_board_has_a_line_with_its_id(self) -> None:
        lines = run("list").stdout.splitlines()
        assert [line.split()[0] for line in lines] == list(profiles())
        assert "rpi-4b               1/2/4/8 GB     Raspberry Pi 4 Model B" in lines
        assert sum(line.endswith("(not supported)") for line in lines) == sum(
            bool(profile.unsupported) for profile in profiles().values()
        )

    def test_json_has_every_board(self) -> None:
        told = json.loads(run("list", "--json").stdout)
        assert [each["id"] for each in told] == list(profiles())
