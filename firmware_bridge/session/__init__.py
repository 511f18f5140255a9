"""What holds between two ends: who is there, whose turn it is, the lease and the clocks."""
