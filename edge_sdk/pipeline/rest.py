"""A conversation at rest, for the next question that begins one."""

from __future__ import annotations

from collections import deque
from contextlib import suppress

from edge_sdk.pipeline.conversation import Conversation

__all__ = ["Rest"]


class Rest:
    """Keeps one conversation that is over, so that its cache is not made anew for every question; for all threads."""

    def __init__(self) -> None:
        self._talks: deque[Conversation] = deque(maxlen=1)
        self._closed = False

    def take(self) -> Conversation | None:
        """Give the one that is kept; None where there is none."""
        with suppress(IndexError):
            return self._talks.pop()
        return None

    def put(self, talk: Conversation) -> None:
        """Have a conversation forget what was said, and keep it."""
        talk.rest()
        if not self._closed:
            self._talks.append(talk)

    def drop(self) -> None:
        """Close the one that is kept."""
        if (talk := self.take()) is not None:
            talk.close()

    def close(self) -> None:
        """Keep none any more; twice is harmless."""
        self._closed = True
        self.drop()
