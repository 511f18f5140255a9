"""A fake of MicroPython's `rp2`, for tests only: it assembles into a list, and runs it in cycles."""

import machine

PROGRAM = []
MACHINES = {}


class PIO:
    OUT_LOW, SHIFT_RIGHT, JOIN_TX = 2, 1, 1


class Line:
    """An instruction, which may be told to take longer."""

    def __init__(self, *what):
        self.what, self.more = what, 0
        PROGRAM.append(self)

    def __getitem__(self, cycles):
        self.more = cycles
        return self


def asm_pio(**settings):
    assert settings["fifo_join"] == PIO.JOIN_TX

    def assemble(function):
        names = function.__globals__ if hasattr(function, "__globals__") else None
        words = {
            "block": "block", "pins": "pins", "x": "x", "x_dec": "x_dec",
            "pull": lambda *what: Line("pull", *what), "out": lambda *what: Line("out", *what),
            "label": lambda *what: Line("label", *what), "jmp": lambda *what: Line("jmp", *what),
            "set": lambda *what: Line("set", *what),
        }  # fmt: skip
        if names is not None:  # MicroPython on a PC does not tell them: only CPython's tests look at the program
            before = dict(names)
            names.update(words)
            function()
            names.clear()
            names.update(before)
        return function

    return assemble


class StateMachine:
    def __init__(self, number, program, freq, out_base, set_base):
        self.freq, self.dir, self.step = freq, out_base.number, set_base.number
        self.words, self.on = [], None
        MACHINES[number] = self

    def active(self, on):
        self.on = on
        machine.LOG.append(("machine", self.step, on))

    def put(self, word):
        self.words.append(word)


def pulses(word):
    """Run the program once with a word: give the level of the direction, when the step rises and falls, and the end."""
    told = {"bits": word, "cycle": 0}
    labels = {line.what[1]: at for at, line in enumerate(PROGRAM) if line.what[0] == "label"}
    at = 0
    while at < len(PROGRAM):
        line = PROGRAM[at]
        at = _do(line.what, told, labels, at)
        if line.what[0] != "label":
            told["cycle"] += 1 + line.more
    return told["dir"], told["rise"], told["fall"], told["cycle"]


def _do(what, told, labels, at):
    if what[0] == "out":
        told["dir" if what[1] == "pins" else "x"] = told["bits"] & (1 << what[2]) - 1
        told["bits"] >>= what[2]
    elif what[0] == "set":
        told["rise" if what[2] else "fall"] = told["cycle"]
    elif what[0] == "jmp":
        told["x"] -= 1
        if told["x"] >= 0:
            return labels[what[2]]
    return at + 1
