"""A caller of pymata4, in a process and an environment of its own: `firmata_peer.py PORT MOVES SEED`.

Relative moves are `stepper_write`, each asked for once, with pymata4's own defaults. Firmata answers no command, so
that a call that returns is all that a caller is told. It says so on standard output, as JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import sys
import threading
import time
from typing import Any

from pymata4 import pymata4

_PAUSE_S = 0.01
_ANSWER_S = 2.5  # as long as smpclient waits


def tell(**what: Any) -> None:
    """Say something to who started this, and wait for a word."""
    print(json.dumps(what), flush=True)
    sys.stdin.readline()


def answers(board: pymata4.Pymata4) -> str:
    """Ask what state a pin is in; pymata4 waits for the answer without end."""
    asking = threading.Thread(target=board.get_pin_state, args=(13,), daemon=True)
    asking.start()
    asking.join(_ANSWER_S)
    return "no answer" if asking.is_alive() else ""


def main() -> None:
    """Connect without faults, move with them, ask without them."""
    port, moves, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    dice = random.Random(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        board = pymata4.Pymata4(com_port=port)
        board.set_pin_mode_analog_input(2)
        board.set_pin_mode_stepper(200, [8, 9, 10, 11])
    tell(ready=True)
    told = []
    for by in [dice.choice((-1, 1)) * way for way in dice.sample(range(1, moves + 1), moves)]:
        try:
            board.stepper_write(20, by)
            told.append([by, ""])
        except Exception as error:
            told.append([by, type(error).__name__])
        time.sleep(_PAUSE_S)
    tell(told=told)
    tell(after=[answers(board) for _ in range(3)])
    os._exit(0)  # its threads may wait for bytes for good


if __name__ == "__main__":
    main()
