"""The parts of peers.py: the sides, what they read, what is measured, and how it is told."""
