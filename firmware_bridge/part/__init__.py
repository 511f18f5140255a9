"""What hangs on a microcontroller, by name: sensors, outputs, axes, and what the dictionary says of them."""
