"""The microcontroller's side: what runs unchanged on MicroPython, on the board in tests, and behind sim://."""
