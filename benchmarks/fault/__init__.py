"""The parts of bridge_faults.py."""
