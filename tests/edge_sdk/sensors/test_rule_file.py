from __future__ import annotations

import random
from pathlib import Path

import pytest

from edge_sdk.errors import RuleError
from edge_sdk.sensors import read_rules
from edge_sdk.sensors.rule import Ask, Move, Set
from edge_sdk.sensors.rule_check import check_rules
from edge_sdk.sensors.trigger import Limits
from firmware_bridge.part.dictionary import AxisEntry, Dictionary, OutputEntry, SensorEntry

ROOT = Path(__file__).resolve().parents[3]

WHOLE = """
title = "Incubator"
bridge = "/dev/ttyACM0"
sim = "sim://incubator?pace=10"
camera = "sim://smear"
bundle = "smear"
readings_every_s = 5

[allow]
outputs = ["heater", "lamp"]
axes = ["x"]

[log]
file = "rules.db"
most_mb = 16

[rule.cold]
when = { sensor = "temperature", below = 36.5, rearm_above = 37, for_s = 2, max_age_s = 5 }
every_s = 20
set = { heater = { value = 0.8, for_s = 30 }, lamp = [255, 0, 0] }
say = "It is cold."

[rule.look]
every_s = 60
ask = { prompt = "How many cells?", sensors = ["temperature"], max_tokens = 20, max_age_s = 10 }

[rule.shake]
every_s = 600
move = { axis = "x", by_um = -100 }

[rule.begin]
every_s = 86400
home = "x"
"""

DICTIONARY = Dictionary(
    {"temperature": SensorEntry("temperature", "degC", -40, 85, 0.1, 0.5)},
    {
        "heater": OutputEntry("heater", "", 0, 1, 0, 5.0, "pwm"),
        "lamp": OutputEntry("lamp", "", None, None, [0, 0, 0], 5.0, "colour"),
    },
    {"x": AxisEntry("x", -5000, 5000, 0.3, 2000, True, 12)},
    5.0,
)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    return path


def wrong(tmp_path: Path, text: str) -> str:
    with pytest.raises(RuleError) as told:
        check_rules(read_rules(written(tmp_path, text)), DICTIONARY)
    return told.value.what


def test_every_key_is_read(tmp_path: Path) -> None:
    rules = read_rules(written(tmp_path, WHOLE))
    check_rules(rules, DICTIONARY)
    cold, look, shake, begin = rules.rules
    assert (rules.title, rules.bridge, rules.camera, rules.bundle) == (
        "Incubator", "/dev/ttyACM0", "sim://smear", "smear",
    )  # fmt: skip
    assert (rules.outputs, rules.axes, rules.log, rules.log_most_mb) == (("heater", "lamp"), ("x",), "rules.db", 16.0)
    assert cold.when is not None
    assert cold.when.limits == Limits(below=36.5, rearm_above=37.0, for_s=2.0)
    assert cold.sets == (Set("heater", 0.8, 30.0), Set("lamp", (255, 0, 0), None))
    assert (cold.every_s, cold.say) == (20.0, "It is cold.")
    assert look.ask == Ask("How many cells?", ("temperature",), True, 20, 10.0)
    assert cold.when.max_age_s == 5.0
    assert (shake.move, begin.move) == (Move("x", "by", -100.0), Move("x", "home", 0.0))
    assert rules.sensors == ("temperature",)
    assert rules.asks


def test_the_example_is_sound() -> None:
    rules = read_rules(ROOT / "examples/incubator.toml")
    assert {"temperature", "humidity", "door"} == set(rules.sensors)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("below = 36.5", "belov = 36.5", "line 18, rule.cold.when.belov: this key is not known; here can be: sensor"),
        ("say = ", "shout = ", "line 21, rule.cold.shout: this key is not known"),
        ("title = ", "titel = ", "line 2, titel: this key is not known"),
        ('axes = ["x"]', 'axis = ["x"]', "line 11, allow.axis: this key is not known; here can be: outputs, axes"),
        ("below = 36.5", 'below = "36.5"', "line 18, rule.cold.when.below: a number is expected, not '36.5'"),
        ("below = 36.5", "below = nan", "line 18, rule.cold.when.below: a number is expected"),
        ("rearm_above = 37", "rearm_above = 36", "line 18, rule.cold.when: rearm_above is 36"),
        ("every_s = 20", "every_s = 0", "line 19, rule.cold.every_s: 0 is out of its range"),
        ("for_s = 30", "for_s = 4000", "line 20, rule.cold.set.heater.for_s: 4000 is out of its range"),
        ("value = 0.8", 'value = "on"', "line 20, rule.cold.set.heater.value: a number or"),
        ("most_mb = 16", "most_mb = 0.1", "line 15, log.most_mb: 0.1 is out of its range"),
        ('sim = "sim://', 'sim = "', "no simulated device"),
        ("set = { heater = { value = 0.8, for_s = 30 }, lamp = [255, 0, 0] }", "set = {}", "set: it names no output"),
        ('home = "x"', "", "line 31, rule.begin: it does not say what happens"),
        ("every_s = 86400", "", "line 31, rule.begin: it does not say when"),
        ("by_um = -100", "by_um = -100, to_um = 3", "rule.shake.move: say either by_um or to_um"),
        ('prompt = "How many cells?", ', "", "line 25, rule.look.ask.prompt: the question is missing"),
        ('sensors = ["temperature"]', 'sensors = "temperature"', "rule.look.ask.sensors: a list of names"),
        ("[rule.look]", '[rule."a b"]', "'a b' is no rule"),
        ("max_tokens = 20", "frame = 0", "line 25, rule.look.ask.frame: true or false is expected, not 0"),
        ("max_age_s = 10", "max_age_s = 0", "line 25, rule.look.ask.max_age_s: 0 is out of its range, 0.5 to 3600"),
        ("max_age_s = 5", "max_age_s = 7200", "line 18, rule.cold.when.max_age_s: 7200 is out of its range"),
        ("below = 36.5", f"below = {'9' * 400}", "line 18, rule.cold.when.below: a number is expected, not 9999"),
        ("value = 0.8", f"value = {'9' * 400}", "line 20, rule.cold.set.heater.value: a number or"),
        ("by_um = -100", f"by_um = 0x{'f' * 5000}", "line 29, rule.shake.move.by_um: a number is expected"),
        ("[255, 0, 0]", f"[0x{'f' * 5000}, 0, 0]", "line 20, rule.cold.set.lamp.value: a number or"),
        ('title = "Incubator"', f"title = 0x{'f' * 5000}", "line 2, title: a text is expected"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert WHOLE.count(old) == 1
    assert said in wrong(tmp_path, WHOLE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('sensor = "temperature"', 'sensor = "temprature"', "line 18, rule.cold.when.sensor: there is no sensor"),
        ("heater = { value = 0.8", "heater = { value = 1.5", "line 20, rule.cold.set.heater: 1.5 is out of the range"),
        ('outputs = ["heater", ', "outputs = [", "line 20, rule.cold.set.heater: heater is not allowed to act"),
        ('outputs = ["heater", ', 'outputs = ["heater", "pump", ', "line 10, allow.outputs: there is no output"),
        ("lamp = [255, 0, 0]", "lamp = 1", "lamp takes [red, green, blue]"),
        ("lamp = [255, 0, 0]", "lamp = [256, 0, 0]", "is no colour"),
        ("below = 36.5", "below = -40", "never below -40: its least is -40"),
        ("by_um = -100", "by_um = -10001", "more than the whole way of x"),
        ("by_um = -100", "to_um = 5001", "5001 is out of the range of x"),
        ('axes = ["x"]', "axes = []", "line 33, rule.begin.home: x is not allowed"),
        ('sensors = ["temperature"]', 'sensors = ["door"]', "line 25, rule.look.ask.sensors: there is no sensor"),
    ],
)  # fmt: skip
def test_what_the_microcontroller_does_not_offer_is_told_before_anything_starts(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert WHOLE.count(old) == 1
    assert said in wrong(tmp_path, WHOLE.replace(old, new))


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_its_lines(tmp_path: Path) -> None:
    said = wrong(tmp_path, WHOLE.replace("every_s", "evry_s").replace("title", "titel"))
    assert said.partition(" in ")[0].endswith(" things are wrong")
    lines = [int(line.split()[1].rstrip(",")) for line in said.splitlines()[1:]]
    assert lines == sorted(lines)
    assert len(lines) >= 5


@pytest.mark.parametrize("text", ["", "title = 'x'", "rule = 3", "[rule]\nx = 1"])
def test_a_file_without_rules_is_refused(tmp_path: Path, text: str) -> None:
    assert "rule" in wrong(tmp_path, text)


def test_a_file_that_is_no_toml_or_is_not_there_is_told(tmp_path: Path) -> None:
    assert "line 1" in wrong(tmp_path, "title = \n")
    with pytest.raises(RuleError, match=r"none.toml cannot be read."):
        read_rules(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RuleError, match="no TOML"):
        read_rules(tmp_path / "binary.toml")


def test_a_file_without_end_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(RuleError, match=r"/dev/zero cannot be read.") as caught:
        read_rules("/dev/zero")
    assert caught.value.why == "It is a device, not a file."


def test_a_mark_of_the_byte_order_in_front_is_let_pass(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_bytes(b"\xef\xbb\xbf" + WHOLE.encode())
    assert read_rules(tmp_path / "rules.toml").title == read_rules(written(tmp_path, WHOLE)).title


def test_an_output_with_a_wrong_value_is_still_an_output_that_is_named(tmp_path: Path) -> None:
    said = wrong(
        tmp_path, WHOLE.replace("{ heater = { value = 0.8, for_s = 30 }, lamp = [255, 0, 0] }", '{ lamp = "x" }')
    )
    assert "a number or [red, green, blue] is expected" in said
    assert "names no output" not in said


def test_whatever_is_done_to_a_file_it_is_read_or_refused_as_rules_are(tmp_path: Path) -> None:
    dice = random.Random(2)
    parts = WHOLE.split()
    outcomes = set()
    for _ in range(400):
        words = WHOLE
        for _ in range(dice.randint(1, 3)):
            words = words.replace(dice.choice(parts), dice.choice(["[]", "3", "{}", '"x"', "true", "", "{ a = 1 }"]), 1)
        try:
            check_rules(read_rules(written(tmp_path, words)), DICTIONARY)
            outcomes.add("read")
        except RuleError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}
