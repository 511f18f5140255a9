"""A fake of MicroPython's `esp32`, for tests only: that it is there says what this is."""
