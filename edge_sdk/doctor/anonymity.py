"""Takes out of a text what tells whose machine it is: serial numbers, addresses, names of hosts, users and networks.

What the machine itself tells of these is replaced wherever it stands; what only looks like one is replaced as well.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from boards.telemetry.file import Files

__all__ = ["Anonymity"]

_LEAST_LETTERS, _BARE_LETTERS = 2, 6
# Names that thousands of machines have; they tell nothing, and stand in names of boards and folders.
_COMMON = {
    *("localhost", "localhost.localdomain", "debian", "ubuntu", "raspberrypi", "orangepi", "jetson", "radxa"),
    *("root", "nobody", "none", "(none)", "unknown", "default", "default string", "not specified", "0123456789"),
    *("0000000000000000", "00000000", "to be filled by o.e.m.", "system serial number"),
}
_SERIALS = (
    "/proc/device-tree/serial-number",
    "/sys/firmware/devicetree/base/serial-number",
    *(f"/sys/class/dmi/id/{name}" for name in ("product_serial", "board_serial", "chassis_serial", "product_uuid")),
    "/sys/devices/soc0/serial_number",
)
_IDS = ("/etc/machine-id", "/var/lib/dbus/machine-id", "/proc/sys/kernel/random/boot_id")
_HOSTS = ("/etc/hostname", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname", "/etc/mailname")
_PEOPLE = range(1000, 60000)  # Source: login.defs(5), UID_MIN and UID_MAX.
_NETWORKS = (
    ("/etc/NetworkManager/system-connections", r"(.+?)\.nmconnection"),
    ("/run/NetworkManager/system-connections", r"(.+?)\.nmconnection"),
    ("/var/lib/iwd", r"(.+)\.(?:psk|open|8021x)"),
)
_NETWORK_FILES = ("/etc/wpa_supplicant", "/etc/NetworkManager/system-connections", "/etc/netplan")
_HEX = "[0-9a-f]"
_SERIAL = r"(?:\bi?serial(?:[ _-]?(?:number|num|no))?\.?|\bs/n)"
# In quotes, also as JSON writes them, or up to what ends it on a command line; never a quote that JSON needs.
_VALUE = r"(?:\\?\"[^\"\n]*\"|'[^'\n]*'|[^\s,;\"\\]+)"
_PATTERNS = (
    (rf"\b{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}\b", "[id]"),
    (rf"(?<![0-9a-f:])(?:{_HEX}{{2}}[:-]){{5}}{_HEX}{{2}}(?![0-9a-f:])", "[mac]"),
    (r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b", "[ip]"),
    # Addresses of version 6: with all parts, or with a gap; clock times have only two or three of two digits.
    (rf"(?<![0-9a-z:])(?:{_HEX}{{1,4}}:){{7}}{_HEX}{{1,4}}(?![0-9a-z:])", "[ip]"),
    (rf"(?<![0-9a-z:])(?:{_HEX}{{1,4}}:){{1,6}}(?::{_HEX}{{1,4}}){{1,6}}(?![0-9a-z:])", "[ip]"),
    (rf"(?<![0-9a-z:])::(?:{_HEX}{{1,4}}:){{0,5}}{_HEX}{{1,4}}(?![0-9a-z:])", "[ip]"),
    (r"(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]+", "[mail]"),
    (r"(?<=/home/)[^/\s\"':]+", "[user]"),
    # The label of a stick, or the user and then the label.
    (r"(?<=/media/)[^/\s\"':\]]+(?:/[^/\s\"':\]]+)?", "[volume]"),
    # Serial: X, serialno=X, iSerial X, S/N X; with nothing between, only what has a digit.
    (rf"({_SERIAL}\s*[:=]\s*){_VALUE}", r"\1[serial]"),
    (rf"({_SERIAL}[ \t]+)(?=[\w-]*\d)[\w-]{{4,}}", r"\1[serial]"),
    (rf"(?<![a-z0-9])((?:en|wl|ww)x|mac(?:_?addr(?:ess)?)?\s*[:=]\s*){_HEX}{{12}}(?![a-z0-9])", r"\1[mac]"),
    (rf"(\bpartuuid=|\buuid=){_VALUE}", r"\1[id]"),
    (rf"(\be?ssid\s*[:=]\s*){_VALUE}", r"\1[ssid]"),
    (rf"((?:psk|passphrase|password|passwd)[\"']?\s*[:=]\s*){_VALUE}", r"\1[secret]"),
    (rf"(\bhost(?:name)?=){_VALUE}", r"\1[host]"),
    # Links of udev: usb-MAKER_PRODUCT_SERIAL-if00.
    (r"(\busb-[^\s/]*_)[^\s/_]+(-(?:if|video|port|event)\S*)", r"\1[serial]\2"),
)


class Anonymity:
    """What is to be taken out, gathered from the machine.

    Parameters
    ----------
    root : path
        The folder that stands for ``/``.
    environ : mapping
        The environment; it names the user.

    Examples
    --------
    >>> Anonymity("/nowhere", {"USER": "adalove"}).clean("adalove at 192.168.1.7, b8:27:eb:01:02:03")
    '[user] at [ip], [mac]'
    """

    def __init__(self, root: str | Path = "/", environ: Mapping[str, str] = os.environ) -> None:
        files = Files(root)
        told: dict[str, str] = {}
        sources = (_hosts(files), _users(files, environ), _serials(files), _addresses(files), _networks(files))
        for secret, mark in (pair for source in sources for pair in source):
            plain = secret.strip("\0 \t\r\n\"'")
            if len(plain) >= _LEAST_LETTERS and plain.lower() not in _COMMON:
                told.setdefault(plain.lower(), mark)
        # The longest first: a host's name may be a part of a network's.
        self._marks = dict(sorted(told.items(), key=lambda pair: -len(pair[0])))
        self._known = re.compile("|".join(map(_anywhere, self._marks)) or r"(?!)", re.IGNORECASE)
        self._patterns = [(re.compile(pattern, re.IGNORECASE), mark) for pattern, mark in _PATTERNS]

    def clean(self, text: str) -> str:
        """Give the text without them."""
        text = self._known.sub(lambda found: self._marks[found[0].lower()], text)
        for pattern, mark in self._patterns:
            text = pattern.sub(mark, text)
        return text


def _anywhere(secret: str) -> str:
    """Write a pattern; a short secret counts only where it stands alone, for it may be a part of many words."""
    escaped = re.escape(secret)
    return escaped if len(secret) >= _BARE_LETTERS else rf"(?<![a-z0-9]){escaped}(?![a-z0-9])"


def _hosts(files: Files) -> Iterator[tuple[str, str]]:
    for path in _HOSTS:
        name = files.text(path, optional=True) or ""
        yield name, "[host]"
        yield name.partition(".")[0], "[host]"
    for line in (files.text("/etc/hosts", optional=True) or "").splitlines():
        for name in line.partition("#")[0].split()[1:]:
            if not name.startswith(("ip6-", "localhost")):
                yield name, "[host]"


def _users(files: Files, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for variable in ("USER", "LOGNAME", "SUDO_USER"):
        yield environ.get(variable, ""), "[user]"
    yield environ.get("HOME", "").rpartition("/")[2], "[user]"
    for name in files.names("/home"):
        yield name, "[user]"
    for line in (files.whole("/etc/passwd") or "").splitlines():
        fields = line.split(":")
        if len(fields) > 4 and fields[2].isdecimal() and int(fields[2]) in _PEOPLE:
            yield fields[0], "[user]"
            yield fields[4].partition(",")[0], "[user]"


def _serials(files: Files) -> Iterator[tuple[str, str]]:
    for path in _SERIALS:
        yield files.text(path, optional=True) or "", "[serial]"
    for found in re.findall(r"(?m)^Serial\s*:\s*(\S+)", files.whole("/proc/cpuinfo") or ""):
        yield found, "[serial]"
        yield found[-8:], "[serial]"  # the part that differs from board to board, and makes its addresses
    for name in files.names("/sys/bus/usb/devices"):
        serial = files.text(f"/sys/bus/usb/devices/{name}/serial", optional=True) or ""
        yield serial, "[serial]"
        yield re.sub(r"[^\w.-]", "_", serial), "[serial]"  # as udev writes it into names
    for name in files.names("/sys/block"):
        for part in ("device/serial", "device/cid", "device/wwid", "serial", "wwid"):
            yield files.text(f"/sys/block/{name}/{part}", optional=True) or "", "[serial]"
    for found in re.findall(r"UUID=([\w-]+)", files.whole("/proc/cmdline") or ""):
        yield found, "[id]"
    for path in _IDS:
        yield files.text(path, optional=True) or "", "[id]"


def _addresses(files: Files) -> Iterator[tuple[str, str]]:
    for folder in ("/sys/class/net", "/sys/class/bluetooth"):
        for name in files.names(folder):
            address = files.text(f"{folder}/{name}/address", optional=True) or ""
            if re.fullmatch(r"[0-9a-f:]{17}", address, re.IGNORECASE) and set(address) != {"0", ":"}:
                yield address, "[mac]"
                yield address.replace(":", ""), "[mac]"
                yield address.replace(":", "-"), "[mac]"


def _networks(files: Files) -> Iterator[tuple[str, str]]:
    for folder, pattern in _NETWORKS:
        for name in files.names(folder, pattern):
            yield re.sub(pattern, r"\1", name), "[ssid]"
    for folder in _NETWORK_FILES:
        for name in files.names(folder):
            text = files.whole(f"{folder}/{name}") or ""
            for found in re.findall(r"(?m)^\s*(?:ssid|id)\s*=\s*(.+?)\s*$", text):
                yield found, "[ssid]"
            if "access-points" in text:
                for found in re.findall(r'(?m)^\s*"?([^"\n:]+)"?:\s*$', text.partition("access-points")[2]):
                    yield found, "[ssid]"
