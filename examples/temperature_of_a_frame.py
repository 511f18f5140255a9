"""Say how warm it was when each frame was taken: python examples/temperature_of_a_frame.py sim://smear sim://incubator."""

import itertools
import sys

import edge_sdk as edge

with edge.open_camera(sys.argv[1]) as camera, edge.open_bridge(sys.argv[2]) as bridge:
    temperature = bridge.sensor("temperature")
    readings = temperature.stream(period_s=0.1)
    first = next(readings)
    frames = (frame for frame in camera if frame.time_s > first.time_s)
    for frame in itertools.islice(frames, 5):
        while next(readings).time_s < frame.time_s:  # a reading after the frame, to interpolate between the two
            pass
        print(f"frame {frame.sequence}: {temperature.at(frame.time_s)}")
