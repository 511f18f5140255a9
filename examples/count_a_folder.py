"""Count the cells in every picture of a folder.

python examples/count_a_folder.py slides/
"""

import sys

import edge_sdk as edge

with edge.open_camera(sys.argv[1]) as pictures, edge.load("smear") as model:
    for frame in pictures:
        count = model.count(frame)
        print(frame.source, dict(count.totals))
