"""Switch a heater by a temperature: python examples/warm_an_incubator.py sim://incubator."""

import itertools
import sys

import edge_sdk as edge

with edge.open_bridge(sys.argv[1], allow=("heater",)) as bridge:
    heater = bridge.output("heater")
    for reading in itertools.islice(bridge.sensor("temperature").stream(period_s=0.1), 10):
        heater.set(1 if reading.value < 37.0 else 0)
        print(f"{reading.value:.1f} {reading.unit}, heater {'on' if reading.value < 37.0 else 'off'}")
