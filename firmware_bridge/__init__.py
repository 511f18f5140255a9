"""The serial and GPIO bridge between a board and what hangs on it. Its parts come with the bridge itself."""
