from __future__ import annotations

import pytest

from boards.gpio import Chip
from boards.registry import find_profile
from firmware_bridge.error import BridgeError, NoDevice
from firmware_bridge.pins import place


@pytest.fixture
def chips(monkeypatch, tmp_path):
    """Give a table of nodes and what is behind them: a chip, or an error."""
    found: dict[str, object] = {}

    def chip_at(node):
        if isinstance(found[node.name], OSError):
            raise found[node.name]
        return found[node.name]

    monkeypatch.setattr(place, "chip_at", chip_at)

    def places(board="rpi-5"):
        nodes = [tmp_path / name for name in found]
        for node in nodes:
            node.touch()
        return place.Places(lambda: find_profile(board), lambda: nodes)

    return found, places


def test_a_pin_of_the_header_is_found_whatever_the_chips_number(chips):
    found, places = chips
    found.update(gpiochip0=Chip("gpio-brcmstb@107d508500", 32), gpiochip4=Chip("pinctrl-rp1", 54))
    at = places().find("lamp", {"pin": 40})
    assert at.node.endswith("gpiochip4")
    assert (at.label, at.line) == ("pinctrl-rp1", 21)


def test_two_chips_of_one_label_are_not_guessed_between(chips):
    found, places = chips
    found.update(gpiochip0=Chip("mcp23017", 16), gpiochip1=Chip("mcp23017", 16))
    with pytest.raises(BridgeError, match="There are 2 GPIO chips 'mcp23017'"):
        places().find("lamp", {"chip": "mcp23017", "line": 3})


def test_one_that_may_not_be_opened_names_the_group(chips):
    found, places = chips
    found.update(gpiochip0=PermissionError(13, "Permission denied"))
    with pytest.raises(NoDevice) as error:
        places().find("lamp", {"pin": 11})
    assert "may not be opened by this user" in error.value.why
    assert "usermod -aG" in error.value.fix


def test_a_broken_chip_hinders_no_other(chips):
    found, places = chips
    found.update(gpiochip0=OSError(19, "No such device"), gpiochip1=Chip("pinctrl-rp1", 54))
    assert places().find("lamp", {"pin": 11}).line == 17


def test_a_machine_without_chips_says_so(chips):
    _, places = chips
    with pytest.raises(NoDevice) as error:
        places().find("lamp", {"chip": "gpio0", "line": 1})
    assert error.value.why == "This machine has no GPIO chip at all."


def test_two_things_on_one_line_are_told(chips):
    found, places = chips
    found.update(gpiochip0=Chip("pinctrl-rp1", 54))
    both = places()
    both.find("lamp", {"pin": 11})
    with pytest.raises(BridgeError, match="fan and lamp are both to hang on line 17 of pinctrl-rp1"):
        both.find("fan", {"chip": "pinctrl-rp1", "line": 17})
