"""What a bundle does in a second on this machine, and what the machine could do at most."""
