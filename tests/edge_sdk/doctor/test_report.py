from __future__ import annotations

import errno
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.doctor import Finding, write_report
from edge_sdk.doctor.anonymity import Anonymity
from edge_sdk.doctor.report import MOST_BYTES
from edge_sdk.errors import StorageError

# What must be in no report, and every place where it is planted below.
SECRETS = {
    "serial of the board": "100000007c3f9a1e",
    "the same without its zeros": "7c3f9a1e",
    "serial of a USB device": "E6612483CB1A2B2C",
    "serial of another": "SN 0042/77",
    "the same in a link's name": "SN_0042_77",
    "serial of a disk": "0x5f3e21ab",
    "serial of a PC": "5CG1234XYZ",
    "MAC address": "b8:27:eb:1a:2b:3c",
    "the same with dashes": "b8-27-eb-1a-2b-3c",
    "the same without colons": "b827eb1a2b3c",
    "MAC address of someone else": "de:ad:be:ef:00:42",
    "machine id": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "boot id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "UUID of a partition": "9a8b7c6d-02",
    "host": "clinic-7",
    "host with its domain": "clinic-7.hospital.example",
    "user": "adaeze",
    "user's whole name": "Adaeze Okonkwo",
    "user of the command": "bola",
    "user with an accent": "José",
    "IPv4 address": "192.168.77.13",
    "IPv6 address": "fe80::ba27:ebff:fe1a:2b3c",
    "whole IPv6 address": "2001:db8:85a3:8d3:1319:8a2e:370:7348",
    "Wi-Fi": "Ward 3 Guests",
    "another Wi-Fi": "Lab_Upstairs",
    "Wi-Fi in quotes": "Dr Bola's phone",
    "mail address": "ada@hospital.example",
}
PATHS = {"user in a path": "chidi"}
# What nothing but the text around it gives away: (where, the secret).
PLAIN = [
    ("androidboot.serialno=4f2c9d71aa", "4f2c9d71aa"),
    ("androidboot.serialno = 4f2c9d71aa androidboot.mode=normal", "4f2c9d71aa"),
    ("smsc95xx 1-1:1.0 enxb827eb010203: renamed from eth0", "b827eb010203"),
    ("wlxdca632aabbcc: link is not ready", "dca632aabbcc"),
    ("macaddr=b827eb010204 rootwait", "b827eb010204"),
    ("ata1.00: serial WD-WCC4N5XYZ12, max UDMA/133", "WD-WCC4N5XYZ12"),
    ("Serial Number WD-WCC4N5XYZ12", "WD-WCC4N5XYZ12"),
    ("serial_number: 5XYZ12Q", "5XYZ12Q"),
    ("serial no. 5XYZ12Q", "5XYZ12Q"),
    ("S/N: 5XYZ12Q", "5XYZ12Q"),
    ("EXT4-fs (sda1): mounted on /media/ngozi/STICK", "ngozi"),
    ("a bundle in /run/media/ngozi/STICK", "ngozi"),
    ("[/media/NGOZI_USB/report.zip]", "NGOZI_USB"),
    ('psk="correct horse battery"', "correct horse battery"),
    ("wifi.psk=0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0", "0f1e2d3c4b5a6978"),
    ("wpa_psk: hunter22", "hunter22"),
    ("wifi_password=hunter22", "hunter22"),
    ("passphrase = hunter22", "hunter22"),
    ("password: 'hunter22 and more'", "hunter22 and more"),
]
EVERYTHING = "\n".join(f"{name} = {secret}" for name, secret in SECRETS.items())
LOG = (
    "usb 1-1: SerialNumber: E6612483CB1A2B2C\nwlan0: authenticate with de:ad:be:ef:00:42\nSerial\t\t: 100000007c3f9a1e"
)
TREE = {
    "proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/device-tree/serial-number": "100000007c3f9a1e\0",
    "proc/cpuinfo": f"processor\t: 0\nFeatures\t: fp asimd\n\nSerial\t\t: 100000007c3f9a1e\n{EVERYTHING}\n",
    "proc/cmdline": "coherent_pool=1M smsc95xx.macaddr=B8:27:EB:1A:2B:3C root=PARTUUID=9a8b7c6d-02 rootwait "
    "systemd.hostname=clinic-7 ip=192.168.77.13::192.168.77.1 serial=100000007c3f9a1e",
    "proc/version": "Linux version 6.6.51 (adaeze@clinic-7) gcc 12\n",
    "proc/meminfo": "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\n",
    "proc/modules": f"{EVERYTHING}\n{LOG}\n",
    "proc/sys/kernel/hostname": "clinic-7\n",
    "proc/sys/kernel/random/boot_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6\n",
    "sys/class/net/eth0/address": "b8:27:eb:1a:2b:3c\n",
    "sys/class/net/lo/address": "00:00:00:00:00:00\n",
    "sys/bus/usb/devices/1-1/serial": "E6612483CB1A2B2C\n",
    "sys/bus/usb/devices/1-1/product": "Bridge E6612483CB1A2B2C\n",
    "sys/bus/usb/devices/1-1/idVendor": "2e8a\n",
    "sys/bus/usb/devices/1-2/serial": "SN 0042/77\n",
    "sys/block/mmcblk0/device/serial": "0x5f3e21ab\n",
    "sys/class/dmi/id/product_serial": "5CG1234XYZ\n",
    "etc/hostname": "clinic-7\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 clinic-7.hospital.example clinic-7\n",
    "etc/machine-id": "0a1b2c3d4e5f60718293a4b5c6d7e8f9\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nadaeze:x:1000:1000:Adaeze Okonkwo,,,:/home/adaeze:/bin/bash\n",
    "etc/NetworkManager/system-connections/Ward 3 Guests.nmconnection": "[wifi]\nssid=Ward 3 Guests\n",
    "etc/wpa_supplicant/wpa_supplicant.conf": 'network={\n\tssid="Lab_Upstairs"\n\tpsk="x"\n}\n',
    "etc/netplan/50-wifi.yaml": "network:\n wifis:\n  wlan0:\n   access-points:\n"
    '    "Dr Bola\'s phone":\n     password: x\n',
    "etc/os-release": "PRETTY_NAME=Debian\n",
    "boot/firmware/config.txt": "# by bola, in /home/chidi/notes\ndtparam=uart0=on\n",
    "dev/serial/by-id/usb-Raspberry_Pi_Bridge_E6612483CB1A2B2C-if00": "",
    "dev/serial/by-id/usb-Maker_Meter_SN_0042_77-if00-port0": "",
    "dev/v4l/by-id/usb-Maker_Scope_UNSEEN99-video-index0": "",
    "home/adaeze/x": "",
    "home/José/x": "",
}
ENVIRON = {"USER": "bola", "HOME": "/home/bola", "EDGE_BUNDLES": "/home/chidi/bundles", "PATH": "/usr/bin"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name, text in TREE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def texts(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


class TestWhatIsTakenOut:
    def test_nothing_that_was_planted_anywhere_is_left(self, tree: Path, tmp_path: Path) -> None:
        found = Finding(
            "failure", f"/home/chidi/a.jpg on clinic-7\n{EVERYTHING}\n{LOG}", f"ssh bola@clinic-7 {EVERYTHING}", "a.b"
        )
        written = texts(write_report(tmp_path / "r.zip", [found], root=tree, environ=ENVIRON))
        for name, text in written.items():
            for kind, secret in {**SECRETS, **PATHS}.items():
                assert secret.lower() not in text.lower(), f"{kind} is in {name}"
            assert "unseen99" not in text.lower(), name

    @pytest.mark.parametrize(("text", "secret"), PLAIN)
    @pytest.mark.parametrize("around", ["{}", "  {}\n", "[    4.2] x {} y\n"])
    def test_what_only_the_text_around_it_gives_away_is_taken_out(self, text: str, secret: str, around: str) -> None:
        cleaned = Anonymity("/nowhere", {}).clean(around.format(text))
        assert secret.lower() not in cleaned.lower()

    @pytest.mark.parametrize(
        "text",
        [
            "Serial: 8250/16550 driver, 5 ports", "serial8250: ttyS0 at MMIO", "serial console disabled",
            "usbcore: registered new interface driver usbserial_generic", "input: enxtended keys", "/media/",
            "dtoverlay=disable-bt", "drm: /dev/media0", "console=serial0,115200", "serial ports are there",
        ],
    )  # fmt: skip
    def test_what_only_sounds_alike_is_kept(self, text: str) -> None:
        cleaned = Anonymity("/nowhere", {}).clean(text)
        assert cleaned == text or text.startswith("Serial: ")

    def test_what_is_taken_out_of_json_leaves_json(self) -> None:
        said = {"what": " ".join(text for text, _ in PLAIN), "last": 'ssid="A B" psk=x', "fix": "serial=12345"}
        cleaned = Anonymity("/nowhere", {}).clean(json.dumps(said, indent=1))
        assert json.loads(cleaned).keys() == said.keys()
        assert not any(secret in cleaned for _, secret in PLAIN)
        assert "A B" not in cleaned

    def test_what_tells_of_the_machine_is_kept(self, tree: Path, tmp_path: Path) -> None:
        found = Finding("warning", "Linux 6.6.51 at 12:34:56.", "sudo apt install x", "os.kernel")
        written = texts(write_report(tmp_path / "r.zip", [found], root=tree, environ=ENVIRON))
        board = json.loads(written["board.json"])
        assert (board["profile"], board["model"]) == ("rpi-4b", "Raspberry Pi 4 Model B Rev 1.4")
        assert json.loads(written["findings.json"]) == [found.as_json()]
        assert json.loads(written["telemetry.json"])["memory"]["total_bytes"] == 4_096_000_000
        assert "raspberrypi,4-model-b\nbrcm,bcm2711" in written["files/proc/device-tree/compatible"]
        assert "USB 1-1: 2e8a Bridge" in written["devices.txt"]
        assert "/dev/serial/by-id/usb-Raspberry_Pi_Bridge_[serial]-if00" in written["devices.txt"]
        assert "numpy " in written["packages.txt"]
        assert "rootwait" in written["files/proc/cmdline"]
        assert "dtparam=uart0=on" in written["files/boot/firmware/config.txt"]

    def test_names_that_every_such_machine_has_are_kept(self) -> None:
        hidden = Anonymity("/nowhere", {"USER": "root"})
        for text in ("root=/dev/mmcblk0p2", "raspberrypi,5-model-b", "at 12:34:56", "1.2.3", "00:00.0", "1:2.3"):
            assert hidden.clean(text) == text

    def test_a_short_name_is_taken_out_where_it_stands_alone(self) -> None:
        hidden = Anonymity("/nowhere", {"USER": "pi"})
        assert hidden.clean("pi@x: pipe, /home/pi/a") == "[user]@x: pipe, /home/[user]/a"

    def test_an_override_that_names_no_board_leaves_the_board_in_it(self, tree: Path, tmp_path: Path) -> None:
        environ = {**ENVIRON, "EDGE_BOARD": "nonsense"}
        board = json.loads(texts(write_report(tmp_path / "r.zip", [], root=tree, environ=environ))["board.json"])
        assert (board["profile"], board["settings"]["EDGE_BOARD"]) == ("rpi-4b", "nonsense")

    @pytest.mark.parametrize("name", ["a", "", "x" * 300, "a.b*c[", "(x", "\\d"])
    def test_any_name_of_a_user_can_be_taken_out(self, name: str) -> None:
        cleaned = Anonymity("/nowhere", {"USER": name}).clean(f"<{name}>")
        assert len(name) < 2 or name not in cleaned


class TestTheFile:
    def test_it_is_small_whatever_the_machine_says(self, tree: Path, tmp_path: Path) -> None:
        for name in ("proc/cpuinfo", "proc/modules", "proc/partitions", "etc/os-release"):
            (tree / name).write_text("192.168.77.13 long\n" * 200_000)
        many = [Finding("failure", "x" * 1000, "y", "a.b")] * 3000
        path = write_report(tmp_path / "r.zip", many, root=tree, environ=ENVIRON)
        written = texts(path)
        assert sum(len(text.encode()) for text in written.values()) <= MOST_BYTES
        assert path.stat().st_size < MOST_BYTES
        assert all("192.168" not in text for text in written.values())

    def test_a_broken_part_says_why_and_the_others_are_there(
        self, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(root: Any) -> Any:
            raise RuntimeError("no telemetry for adaeze")

        monkeypatch.setattr("edge_sdk.doctor.report.Telemetry", broken)
        written = texts(write_report(tmp_path / "r.zip", [], root=tree, environ=ENVIRON))
        assert written["telemetry.json"] == "not to be had: RuntimeError: no telemetry for [user]"
        assert "rpi-4b" in written["board.json"]

    def test_one_that_lies_there_is_replaced_and_nothing_else_is_left(self, tree: Path, tmp_path: Path) -> None:
        folder = tmp_path / "out"
        folder.mkdir()
        for _ in range(2):
            write_report(folder / "r.zip", [], root=tree, environ=ENVIRON)
        assert [path.name for path in folder.iterdir()] == ["r.zip"]

    def test_a_full_disk_is_told_and_leaves_the_old_one(
        self, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        folder = tmp_path / "out"
        folder.mkdir()
        (folder / "r.zip").write_bytes(b"the old one")
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match="the disk is full") as caught:
            write_report(folder / "r.zip", [], root=tree, environ=ENVIRON)
        assert "another disk" in (caught.value.fix or "")
        assert [path.read_bytes() for path in folder.iterdir()] == [b"the old one"]

    def test_a_folder_that_is_not_there_is_told(self, tree: Path, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="was not written"):
            write_report(tmp_path / "no" / "r.zip", [], root=tree, environ=ENVIRON)
