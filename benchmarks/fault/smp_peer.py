"""A caller of smpclient, in a process and an environment of its own: `smp_peer.py PORT MOVES SEED plain|reopen`.

Relative moves are a user's command of SMP, as its users write them, each asked for once, with smpclient's own defaults.
`reopen` disconnects and connects again after every error. It says what it was told on standard output, as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import sys
from typing import Any

import smp.error
import smp.header
import smp.message
from smp.os_management import OSManagementErrorV1, OSManagementErrorV2
from smpclient import SMPClient, success
from smpclient.requests.os_management import EchoWrite
from smpclient.transport.serial import SMPSerialTransport

GROUP, MOVE = 65, 0


class MoveAnswer(smp.message.WriteResponse):
    """Where the axis is then."""

    _GROUP_ID = GROUP
    _COMMAND_ID = MOVE

    at: int


class Move(smp.message.WriteRequest):
    """Move by so many steps."""

    _GROUP_ID = GROUP
    _COMMAND_ID = MOVE
    _Response = MoveAnswer
    _ErrorV1 = OSManagementErrorV1
    _ErrorV2 = OSManagementErrorV2

    by: int


async def ask(client: SMPClient, request: Any, reopen: bool) -> str:
    """Ask once; give "" or the error's name."""
    try:
        return "" if success(await client.request(request)) else "refused"
    except Exception as error:
        if reopen:
            with contextlib.suppress(Exception):
                await client.disconnect()
            with contextlib.suppress(Exception):
                await client.connect()
        return type(error).__name__


def tell(**what: Any) -> None:
    """Say something to who started this, and wait for a word."""
    print(json.dumps(what), flush=True)
    sys.stdin.readline()


async def main() -> None:
    """Connect without faults, move with them, ask without them."""
    port, moves, seed, how = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    logging.disable()
    dice = random.Random(seed)
    async with SMPClient(SMPSerialTransport(), port) as client:
        tell(ready=True)
        asked = [dice.choice((-1, 1)) * way for way in dice.sample(range(1, moves + 1), moves)]
        told = [[by, await ask(client, Move(by=by), how == "reopen")] for by in asked]
        tell(told=told)
        after = [await ask(client, EchoWrite(d="still there?"), how == "reopen") for _ in range(10)]
        tell(after=after)


if __name__ == "__main__":
    asyncio.run(main())
