"""What goes over the wire: lines, checksums, CBOR and messages, the same on the board and on the microcontroller."""
