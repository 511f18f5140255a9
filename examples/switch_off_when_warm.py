"""Heat until it is warm, then switch off: python examples/switch_off_when_warm.py "sim://incubator?pace=600"."""

import sys

import edge_sdk as edge

with edge.open_bridge(sys.argv[1], allow=("heater",)) as bridge:
    temperature, heater = bridge.sensor("temperature"), bridge.output("heater")
    print(f"It is {temperature.read()}; heating.")
    heater.on()
    for reading in edge.Trigger(temperature, above=37.0, rearm_below=36.0).events():
        heater.off()
        print(f"{reading}: the heater is off.")
        break
