"""The ``edge`` command. Nothing here is imported by the library."""
