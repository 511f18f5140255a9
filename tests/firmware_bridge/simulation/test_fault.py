from __future__ import annotations

import pytest

from firmware_bridge.simulation.fault import KINDS, FaultLine, FaultPair, Faults

UNITS = [b"line %d of some\n" % number for number in range(1000)]


def passed(line: FaultLine, until_s: float = 99.0) -> bytes:
    for at, unit in enumerate(UNITS):
        line.put(unit, at / 1000)
    return line.take(until_s)


def test_without_faults_all_bytes_pass_as_they_are_however_they_are_cut() -> None:
    line = FaultLine(Faults())
    text = b"".join(UNITS)
    for at in range(0, len(text), 7):
        line.put(text[at : at + 7], 0.0)
    assert line.take(0.0) == text
    assert line.counts == {"units": len(UNITS)}


def test_the_same_seed_gives_the_same_faults_and_another_gives_others() -> None:
    faults = Faults(drop=0.1, double=0.1, late_ms=20, flip=0.1, cut=0.1, noise=0.1)
    first, again, other = (passed(FaultLine(faults, seed)) for seed in (5, 5, 6))
    assert first == again != other


def test_each_fault_comes_as_often_as_asked_and_is_counted() -> None:
    line = FaultLine(Faults(drop=0.2, double=0.1, late=0.05, late_ms=9, flip=0.1, cut=0.1, noise=0.1, stall=0.1))
    passed(line)
    for kind, share in line.faults.shares().items():
        assert line.counts[kind] == pytest.approx(share * len(UNITS), rel=0.35), kind
    assert set(line.counts) == {"units", *KINDS}


def test_what_is_dropped_does_not_come_and_what_is_doubled_comes_twice() -> None:
    line = FaultLine(Faults(), script=(("drop", 0), ("double", 0)))
    line.put(b"a\nb\nc\n", 0.0)
    assert line.take(0.0) == b"b\nb\nc\n"


def test_what_is_late_comes_after_what_was_sent_later() -> None:
    line = FaultLine(Faults(late_ms=50), script=(("late", 0),))
    line.put(b"a\nb\n", 1.0)
    assert (line.take(1.0), line.due_s()) == (b"b\n", pytest.approx(1.05))
    assert (line.take(1.049), line.take(1.051)) == (b"", b"a\n")


def test_a_stall_holds_up_all_that_follows_in_order() -> None:
    line = FaultLine(Faults(stall_ms=50), script=(("", 0), ("stall", 0)))
    line.put(b"a\nb\nc\n", 0.0)
    assert (line.take(0.04), line.take(0.06)) == (b"a\n", b"b\nc\n")


def test_jitter_never_changes_the_order() -> None:
    line = FaultLine(Faults(latency_ms=1, jitter_ms=30))
    assert passed(line) == b"".join(UNITS)


def test_a_flip_turns_one_bit_over_and_every_bit_has_its_turn() -> None:
    unit = b"ab\n"
    seen = set()
    for bit in range(24):
        line = FaultLine(Faults(), script=(("flip", bit),))
        line.put(unit, 0.0)
        seen.add(int.from_bytes(line.take(0.0), "big") ^ int.from_bytes(unit, "big"))
    assert seen == {1 << bit for bit in range(24)}


def test_a_cut_loses_the_end_and_noise_comes_in_front() -> None:
    line = FaultLine(Faults(), script=(("cut", 2), ("noise", 0)))
    line.put(b"abc\nabc\n", 0.0)
    assert line.take(0.0).startswith(b"abMPY: soft reboot")


def test_a_pulled_plug_loses_what_is_under_way_and_all_that_follows() -> None:
    pair = FaultPair(Faults(latency_ms=10))
    pair.to_device.put(b"a\n", 0.0)
    pair.unplug()
    pair.to_device.put(b"b\n", 0.0)
    pair.unplug(False)
    pair.to_device.put(b"c\n", 0.0)
    assert pair.to_device.take(1.0) == b"c\n"
    assert pair.due_s() is None


def test_both_directions_have_dice_of_their_own() -> None:
    pair = FaultPair(Faults(drop=0.5), seed=4)
    assert passed(pair.to_device) != passed(pair.to_host)
    assert pair.counts["units"] == 2 * len(UNITS)


def test_a_line_that_never_ends_is_passed_on_in_pieces() -> None:
    line = FaultLine(Faults())
    line.put(b"x" * 10_000, 0.0)
    assert line.take(0.0) == b"x" * 8192


def test_another_protocol_has_units_of_its_own() -> None:
    def pairs(waiting: bytearray) -> list[bytes]:
        units = [bytes(waiting[at : at + 2]) for at in range(0, len(waiting) - 1, 2)]
        del waiting[: 2 * len(units)]
        return units

    line = FaultLine(Faults(), split=pairs, script=(("drop", 0), ("double", 0)))
    line.put(b"\n\n\xf0", 0.0)
    line.put(b"\n", 0.0)
    assert line.take(0.0) == b"\xf0\n\xf0\n"


@pytest.mark.parametrize("wrong", [{"drop": -0.1}, {"late_ms": float("nan")}, {"drop": 0.6, "flip": 0.6}])
def test_shares_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="share"):
        Faults(**wrong)
