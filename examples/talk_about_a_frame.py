"""Ask several questions about one frame: it is encoded once, and what was said is never computed again.

python examples/talk_about_a_frame.py photo.jpg
"""

import sys

import edge_sdk as edge

questions = ("How many white blood cells are there?", "How many platelets do you see?", "Is the field crowded?")

with edge.load("smear") as model, model.conversation() as talk:
    print(questions[0], "->", talk.ask(questions[0], edge.Frame.open(sys.argv[1])).text)
    for question in questions[1:]:
        print(question, "->", talk.ask(question).text)
