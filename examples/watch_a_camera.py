"""Count what a camera sees, ten frames long. Without a microscope at hand, ask for the simulated one by name.

python examples/watch_a_camera.py /dev/video0
python examples/watch_a_camera.py sim://smear
"""

import itertools
import sys

import edge_sdk as edge

with edge.open_camera(sys.argv[1]) as camera, edge.load("smear") as model:
    for count in itertools.islice(model.watch(camera), 10):
        print(count.sequence, dict(count.totals), "nothing new" if count.seen.kept else "", flush=True)
