"""The long run of a program in MicroPython on a PC: one function, called again and again until it gives True."""

steps = []

try:
    import js  # noqa: F401
except ImportError:

    def again(step):
        """Call the function until it gives True."""
        while not step():
            pass

else:
    again = steps.append  # node.mjs calls it when the script has ended: memory is given back between two calls only
