"""Board support: the lowest floor of the SDK. It imports nothing above itself."""

from boards.errors import EdgeError

__all__ = ["EdgeError"]
