from __future__ import annotations

import json
import pickle
import re
from collections import Counter
from pathlib import Path

import pytest

from boards import EdgeError, Profile, find_profile, profiles
from edge_sdk.runtime.delegate import CPU, DELEGATES

ALL = list(profiles().values())
BOARDS = [profile for profile in ALL if profile.id not in ("generic", "pc")]


def ids(profile: Profile) -> str:
    return profile.id


@pytest.mark.parametrize("profile", BOARDS, ids=ids)
def test_a_profile_is_complete(profile: Profile) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", profile.id)
    assert profile.name
    assert profile.soc
    assert profile.models
    assert profile.clusters
    assert profile.ram_options_bytes == tuple(sorted(profile.ram_options_bytes))
    assert profile.accelerators
    assert profile.gpio_chip_labels
    assert profile.uarts
    assert profile.thermal_zones
    assert profile.cameras
    assert profile.sources
    if not profile.unsupported:
        assert profile.header_pins
        assert profile.i2c_buses
        assert profile.spi_buses
        assert profile.throttle_sources
        assert profile.power_modes
        assert profile.kernel_at_least
        assert profile.os_at_least


@pytest.mark.parametrize("profile", BOARDS, ids=ids)
def test_header_pins_are_pins_of_chips_that_the_board_has(profile: Profile) -> None:
    pins = [pin.pin for pin in profile.header_pins]
    assert len(pins) == len(set(pins))
    assert all(1 <= pin <= 40 for pin in pins)
    lines = Counter((pin.chip_label, pin.line) for pin in profile.header_pins)
    assert all(count == 1 for count in lines.values())
    assert {pin.chip_label for pin in profile.header_pins} <= set(profile.gpio_chip_labels)
    # Power and ground are where Raspberry Pi put them, on every one of these headers.
    assert not set(pins) & {1, 2, 4, 6, 9, 14, 17, 20, 25, 30, 34, 39}


@pytest.mark.parametrize("profile", ALL, ids=ids)
def test_what_is_out_of_reach_says_so_in_a_sentence(profile: Profile) -> None:
    for accelerator in profile.accelerators:
        assert accelerator.note.endswith(".")
        if accelerator.delegate is None:
            assert accelerator.note.startswith("Not ")
        else:
            assert accelerator.delegate in (*DELEGATES, CPU)


@pytest.mark.parametrize("profile", ALL, ids=ids)
def test_a_profile_survives_the_way_to_another_process(profile: Profile) -> None:
    assert pickle.loads(pickle.dumps(profile)) == profile
    assert hash(profile) == hash(pickle.loads(pickle.dumps(profile)))


def test_no_two_boards_share_a_name() -> None:
    for attribute in ("compatibles", "models"):
        names = Counter(name for profile in ALL for name in getattr(profile, attribute))
        assert [name for name, count in names.items() if count > 1] == []


def test_no_board_claims_the_name_of_a_chip() -> None:
    names = {name for profile in ALL for name in profile.compatibles}
    assert not [name for name in names if re.fullmatch(r"(brcm,bcm|rockchip,r[kv]|nvidia,tegra)[0-9a-z]+", name)]


@pytest.mark.parametrize(
    ("id_", "cores", "dot_product"),
    [
        ("rpi-zero-2w", 4, False),
        ("rpi-4b", 4, False),
        ("rpi-5", 4, True),
        ("rock-5b", 8, True),
        ("rock-3a", 4, True),
        ("luckfox-pico", 1, False),
        ("jetson-nano", 4, False),
        ("jetson-xavier-nx", 6, False),
        ("jetson-orin-nano", 6, True),
        ("jetson-agx-orin", 12, True),
        ("generic", 0, False),
    ],
)
def test_cores_and_the_dot_product_are_as_known(id_: str, cores: int, dot_product: bool) -> None:
    profile = find_profile(id_)
    assert (profile.cores, profile.dot_product) == (cores, dot_product)
    assert not {"i8mm"} & profile.features


def test_known_header_pins() -> None:
    pi_5 = find_profile("rpi-5").header_pin(11)
    assert (pi_5.chip_label, pi_5.line) == ("pinctrl-rp1", 17)
    # Radxa numbers all lines through: GPIO3_C1 is 113 = 3 x 32 + 17.
    rock_5b = find_profile("rock-5b").header_pin(11)
    assert (rock_5b.chip_label, rock_5b.line) == ("gpio3", 17)
    orin = find_profile("jetson-agx-orin").header_pin(29)
    assert (orin.chip_label, orin.line) == ("tegra234-gpio-aon", 1)


def test_the_pins_of_a_header_with_a_pi_s_numbers_are_those_of_the_captured_constants(material: Path) -> None:
    constants = json.loads((material / "captures/adafruit/constants.json").read_text())
    jetson = dict(constants["boards"]["_JETSON_IDS"])
    assert set(find_profile("jetson-orin-nano").compatibles) <= set(jetson["JETSON_ORIN_NANO"])
    assert set(find_profile("jetson-agx-orin").compatibles) <= set(jetson["JETSON_ORIN"])
    assert set(find_profile("jetson-xavier-nx").compatibles) <= set(jetson["JETSON_NX"])


def test_a_pin_without_a_line_is_an_error_that_names_those_with_one() -> None:
    with pytest.raises(EdgeError, match="Pin 1 of Raspberry Pi 5") as caught:
        find_profile("rpi-5").header_pin(1)
    assert "3, 5, 7" in (caught.value.fix or "")


def test_a_header_that_nobody_verified_is_an_error_that_says_so() -> None:
    with pytest.raises(EdgeError, match="not been verified") as caught:
        find_profile("luckfox-pico").header_pin(3)
    assert "gpioinfo" in (caught.value.fix or "")


def test_a_profile_calls_only_fields_of_its_own_unverified() -> None:
    with pytest.raises(EdgeError, match="colour"):
        Profile(id="x", name="x", soc="x", architecture="any", unverified=("colour",))


def test_zones_of_both_kernels_are_named_once() -> None:
    zones = find_profile("rock-5b").thermal_zones
    assert len(zones) == len(set(zones))
    assert {"package-thermal", "soc-thermal", "bigcore1-thermal", "bigcore2-thermal"} <= set(zones)
