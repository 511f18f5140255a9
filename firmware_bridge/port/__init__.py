"""The ways to bytes and back: a serial port, a socket, a simulated device, and who holds which."""
