"""Feed the wire's code what dice throw, and tell what came of it: the same in CPython and in MicroPython.

    python fuzz.py INPUTS SEED

Prints JSON: `digest` is the SHA-256 of every result, `counts` how many there were of each kind. An exception other
than those that the code promises ends it. It runs in either interpreter, so that it imports little.
"""

import json
import struct
import sys
from hashlib import sha256

from firmware_bridge.wire.cbor import CborError, decode, encode
from firmware_bridge.wire.line import LineReader, lines
from firmware_bridge.wire.message import Message, MessageError, decode_message, encode_message

MOST = 300
WHOLE = (0, 1, 23, 24, 255, 256, 65535, 65536, 0xFFFFFFFF, 0x100000000, 0xFFFFFFFFFFFFFFFF)
FLOAT = (0.0, -0.0, 1.5, 0.1, -1e300, 5e-324, float("inf"), float("-inf"), float("nan"))
TEXT = ("", "n", "temperature", "µm", "€", "\U0001f52c", "\0\n\x06\x09", "value")
NOISE = (
    b"\n",
    b">>> ",
    b"[00:00:00.010,000] <inf> boot: ready\r\n",
    b"\x06\x09",
    b"\x04\x14",
    b"\x06",
    b"AAAA",
    b"=\n",
)


class Dice:
    """A linear congruential generator, which both interpreters work out alike."""

    def __init__(self, seed):
        self.state = seed

    def below(self, sides):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % sides

    def of(self, things):
        return things[self.below(len(things))]

    def bytes(self, most):
        return bytes([self.below(256) for _ in range(self.below(most + 1))])


def value(dice, levels):
    """Throw a value of the subset."""
    kind = dice.below(9 if levels else 7)
    if kind < 2:
        return dice.of(WHOLE) if kind else -1 - dice.of(WHOLE)
    if kind == 2:
        return dice.of(FLOAT) if dice.below(2) else struct.unpack(">d", bytes([dice.below(256) for _ in range(8)]))[0]
    if kind == 3:
        return dice.of((None, True, False))
    if kind == 4:
        return dice.of(TEXT) + dice.of(TEXT)
    if kind < 7:
        return dice.bytes(40) if kind == 5 else dice.below(1000)
    if kind == 7:
        return [value(dice, levels - 1) for _ in range(dice.below(4))]
    return body(dice, levels)


def body(dice, levels):
    """Throw a map."""
    items = {}
    for _ in range(dice.below(5)):
        key = dice.of(TEXT)  # MicroPython works out what stands behind a colon first
        items[key] = value(dice, levels - 1)
    return items


def message(dice):
    """Throw a message."""
    return Message(dice.below(4), dice.of((0, 8, 64)), dice.below(18), dice.below(256), body(dice, 1 + dice.below(8)))


def damaged(dice, data):
    """Do one to three things to some bytes that a bad line does."""
    data = bytearray(data)
    for _ in range(1 + dice.below(3)):
        kind = dice.below(5)
        at = dice.below(len(data) + 1)
        if kind == 0:
            data = data[:at]
        elif kind == 1:
            data = data[:at] + dice.bytes(6) + data[at:]
        elif kind == 2:
            data = data[:at] + data[at + dice.below(8) :]
        elif kind == 3:
            data = data[:at] + data[at : at + dice.below(8)] + data[at:]
        elif at < len(data):
            data[at] ^= 1 << dice.below(8)
    return bytes(data)


def piece(dice):
    """Throw what may come in on a line."""
    kind = dice.below(6)
    if kind == 0:
        return dice.bytes(40)
    if kind == 1:
        return dice.of(NOISE)
    if kind == 2:
        return lines(encode_message(message(dice)))
    if kind == 3:
        return damaged(dice, lines(encode_message(message(dice))))
    if kind == 4:
        return damaged(dice, lines(dice.bytes(400)))
    return lines(damaged(dice, encode_message(message(dice))))


class Fuzz:
    """What goes in, and what is noted of it."""

    def __init__(self, seed):
        self.dice = Dice(seed)
        self.reader = LineReader(MOST)
        self.digest = sha256()
        self.counts = {"written": 0, "values": 0, "messages": 0, "refused": 0, "from lines": 0}

    def note(self, kind, result):
        self.counts[kind] += 1
        self.digest.update(result)

    def attempt(self, read, error, kind, data):
        """Read bytes, and note what they are or why they are refused."""
        try:
            result = read(data)
        except error as refusal:
            self.note("refused", str(refusal).encode())
            return
        if kind == "values":
            self.note(kind, encode(result))
        else:
            self.note(kind, encode_message(result))

    def step(self):
        """Put one input in."""
        dice = self.dice
        kind = dice.below(8)
        if kind == 0:
            written = encode(value(dice, 8))
            assert encode(decode(written)) == written
            self.note("written", written)
        elif kind < 3:
            data = dice.bytes(30) if kind == 1 else damaged(dice, encode(value(dice, 8)))
            self.attempt(decode, CborError, "values", data)
        elif kind == 3:
            self.attempt(decode_message, MessageError, "messages", damaged(dice, encode_message(message(dice))))
        else:
            for whole in self.reader.feed(piece(dice)):
                assert len(whole) <= MOST - 4
                self.attempt(decode_message, MessageError, "from lines", whole)

    def report(self):
        """Tell what came of it all."""
        reader = self.reader
        counts = dict(self.counts)
        for cause in reader.dropped:
            counts["dropped: " + cause] = reader.dropped[cause]
        counts["noise bytes"] = reader.noise_bytes
        self.digest.update(str(sorted(counts.items())).encode())
        digest = "".join(["{:02x}".format(byte) for byte in self.digest.digest()])  # noqa: UP032
        return {"digest": digest, "counts": counts}


def main(inputs, seed):
    """Put that many inputs in, and give the report."""
    fuzz = Fuzz(seed)
    for _ in range(inputs):
        fuzz.step()
    return fuzz.report()


def steps(inputs, seed, bundle=20):
    """Give a function that does a bundle of them at each call, prints the report at the end, and gives True then."""
    fuzz = Fuzz(seed)
    left = [inputs]

    def step():
        for _ in range(min(bundle, left[0])):
            fuzz.step()
        left[0] -= bundle
        if left[0] <= 0:
            print(json.dumps(fuzz.report()))
        return left[0] <= 0

    return step


if __name__ == "__main__":
    try:
        from again import again
    except ImportError:
        print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
    else:
        again(steps(int(sys.argv[1]), int(sys.argv[2])))
