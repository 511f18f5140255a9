"""Runs the command line: ``python -m edge_sdk``."""

from edge_sdk.cli.entry import main

if __name__ == "__main__":
    main()
