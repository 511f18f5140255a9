"""Microcontrollers that are not there: the firmware's server over simulated physics, asked for by name (``sim://``)."""
