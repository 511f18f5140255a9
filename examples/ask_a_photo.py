"""Ask a question about a photograph and print the answer as it is decoded.

python examples/ask_a_photo.py photo.jpg "How many white blood cells are there?"
"""

import sys

import edge_sdk as edge

path, question = sys.argv[1:]

with edge.load("smear") as model:
    answer = model.ask(question, edge.Frame.open(path))
    for piece in answer:
        print(piece, end="", flush=True)
    print()
    print(answer.timings, file=sys.stderr)
