"""Ask several questions about one frame: it is encoded once, and what was said is never computed again.

python examples/talk_about_a_frame.py photo.jpg
"""

import sys

import edge_sdk as edge

questions = ("How many white blood cells are there?", "How many platelets do you see?", "Is the field crowded?")

with edge.load("smear") as model:
    frame = edge.Frame.open(sys.argv[1])
    for question in questions:
        print(question, "->", model.ask(question, frame).text)
