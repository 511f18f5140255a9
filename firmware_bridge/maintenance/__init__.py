"""Firmware and files onto a microcontroller: the image, flashing, updates over the link."""
