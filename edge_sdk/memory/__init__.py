"""How much memory there is, what a bundle will take of it, and how it is made to fit."""
