"""Home an axis and move it: python examples/move_a_stage.py sim://stage."""

import sys

import edge_sdk as edge

with edge.open_bridge(sys.argv[1], allow=("z",)) as bridge:
    z = bridge.axis("z")
    print("home at", z.home().wait(), "um")
    print("moved to", z.move_to_um(0).wait(), "um")
    print("moved to", z.move_by_um(50).wait(), "um")
