"""A host that is to be killed: holds a heater on and an axis moving, and says when it does."""

from __future__ import annotations

import sys
import time

from firmware_bridge.bridge import open_bridge


def main() -> None:
    """Hold on until killed."""
    with open_bridge(sys.argv[1], allow=("heater", "slow")) as bridge:
        bridge.output("heater").set(0.5)
        axis = bridge.axis("slow")
        axis.home().wait()
        axis.move_by_um(50_000)
        print("at work", flush=True)
        while True:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
