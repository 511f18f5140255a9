"""Ask about a frame with what sensors read: python examples/ask_with_readings.py sim://smear sim://incubator."""

import sys

import edge_sdk as edge

with edge.open_camera(sys.argv[1]) as camera, edge.open_bridge(sys.argv[2]) as bridge, edge.load("smear") as model:
    sensors = [bridge.sensor("temperature"), bridge.sensor("humidity")]
    answer = model.ask("How many white blood cells are there?", camera.capture(), sensors=sensors)
    print(answer.text)
    for reading in answer.readings:
        print(f"  {reading}, known to {reading.uncertainty_s * 1000:.1f} ms")
