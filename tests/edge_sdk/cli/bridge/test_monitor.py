from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.bridge import open_bridge
from firmware_bridge.error import BridgeError
from firmware_bridge.link.recorder import Recorder
from firmware_bridge.wire import number
from firmware_bridge.wire.message import READ_ANSWER, WRITE, Message, encode_message


@pytest.fixture
def record(tmp_path: Path) -> Path:
    recorder = Recorder(lambda: tmp_path)
    ask = Message(WRITE, number.EDGE, number.SET, 9, {"s": 1, "n": 4, "name": "heater", "value": 0.5})
    recorder.sent((12.5, encode_message(ask)))
    refused = Message(WRITE + 1, number.EDGE, number.SET, 9, {"err": {"group": 64, "rc": number.NO_LEASE}, "t": 7})
    recorder.received((12.502, encode_message(refused)))
    path = recorder.write("Setting heater to 0.5")
    assert path is not None
    return path


def test_both_ways_are_shown_by_name(run: Callable[..., Any]) -> None:
    lines = run("monitor", "sim://", "--for", "900ms").stdout.splitlines()
    assert lines[0].split()[1:4] == [">", "edge.hello", "#0"]
    assert "< edge.hello #0 = " in lines[1]
    assert "board=simulation" in lines[1]


def test_listening_sends_nothing(run: Callable[..., Any]) -> None:
    assert run("monitor", "sim://", "--listen", "--for", "200ms").stdout == ""


def test_boot_logs_and_damage_are_shown(run: Callable[..., Any]) -> None:
    text = run("monitor", "sim://?noise=1", "--for", "900ms", "--json").stdout
    kinds = [json.loads(line)["kind"] for line in text.splitlines()]
    assert "text" in kinds
    text = run("monitor", "sim://?flip=1&seed=4", "--for", "300ms").stdout
    assert "<" not in text or "DROPPED" in text


def test_a_record_is_shown_in_words(run: Callable[..., Any], record: Path) -> None:
    lines = run("monitor", "--file", record).stdout.splitlines()
    assert lines[0] == "Written because of: Setting heater to 0.5"
    assert lines[1] == "    0.0000 > edge.set #9 n=4 name=heater s=1 value=0.5"
    assert lines[2] == "    0.0020 < edge.set #9 = ERROR 7: no lease runs, so all outputs are at their safe values; t=7"


def test_a_record_as_json_has_a_line_for_each_message(run: Callable[..., Any], record: Path) -> None:
    told = [json.loads(line) for line in run("monitor", "--file", record, "--json").stdout.splitlines()]
    assert [each["answer"] for each in told] == [False, True]
    assert told[0]["body"] == {"s": 1, "n": 4, "name": "heater", "value": 0.5}


def test_a_message_in_a_record_that_is_none_is_told(run: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "one.frames"
    answer = encode_message(Message(READ_ANSWER, number.EDGE, number.CLOCK, 1, {"t": 1}))
    path.write_text(f"# cut\n1.0 < {answer[:-1].hex()}\n")
    assert "DROPPED: a whole packet that is no message" in run("monitor", "--file", path).stdout


@pytest.mark.parametrize("text", ["1.0 > zz", "hello", "1.0 x 00", "x > 00"])
def test_a_file_that_is_no_record_is_told_with_its_line(run: Callable[..., Any], tmp_path: Path, text: str) -> None:
    path = tmp_path / "one.frames"
    path.write_text(f"# why\n{text}\n")
    with pytest.raises(BridgeError, match="no record of frames") as error:
        run("monitor", "--file", path)
    assert "line 2" in str(error.value)


def test_what_a_program_says_through_the_relay_is_shown_both_ways(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edge_sdk", "bridge", "monitor", "sim://", "--relay", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        address = watching.stderr.readline().removeprefix("Open it as ").strip()
        for _ in range(2):  # one program after the other
            with open_bridge(address, allow=["fan"]) as bridge:
                bridge.output("fan").on()
        watching.send_signal(signal.SIGINT)
        told = [json.loads(line) for line in watching.communicate(timeout=60)[0].splitlines()]
    sets = [(each["direction"], each["body"]["value"]) for each in told if each.get("name") == "edge.set"]
    assert sets == [(">", 1), ("<", 1)] * 2


def test_a_socket_that_is_taken_is_told(run: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BridgeError, match="cannot be listened on"):
        run("monitor", "sim://", "--relay", taken.getsockname()[1])
