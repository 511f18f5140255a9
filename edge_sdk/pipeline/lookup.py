"""Guess how a text goes on from where it has said the same before."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["Lookup"]

# The longest run of tokens that is looked up, and the shortest: one token alone says little of the next.
_LONGEST, _SHORTEST = 4, 2


class Lookup:
    """The places of all short runs of tokens in a text that grows.

    Source: "Prompt lookup decoding", A. Saxena, 2023; here with an index, so that a guess costs the same however
    long the text is.

    Examples
    --------
    >>> text = Lookup()
    >>> text.add([5, 6, 7, 8, 9, 5, 6])
    >>> text.guess(3)
    [7, 8, 9]
    """

    def __init__(self) -> None:
        self._tokens: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}  # where the text went on after a run, the last time
        self._earlier: dict[tuple[int, ...], int] = {}  # and the time before

    def add(self, tokens: Sequence[int]) -> None:
        """Let the text go on."""
        for token in tokens:
            self._tokens.append(token)
            end = len(self._tokens)
            for size in range(_SHORTEST, min(_LONGEST, end) + 1):
                run = tuple(self._tokens[end - size :])
                if run in self._after:
                    self._earlier[run] = self._after[run]
                self._after[run] = end

    def guess(self, most: int) -> list[int]:
        """Give the tokens, `most` of them or fewer, that followed the longest run that the text ends with; or none."""
        end = len(self._tokens)
        for size in range(min(_LONGEST, end), _SHORTEST - 1, -1):
            # The text's own end is always the last place of its run.
            place = self._earlier.get(tuple(self._tokens[end - size :]))
            if place is not None:
                return self._again(place, most)
        return []

    def _again(self, place: int, most: int) -> list[int]:
        """Read on from a place; past the end what was guessed itself goes on, as in a text that repeats."""
        found: list[int] = []
        period = len(self._tokens) - place
        for index in range(most):
            found.append(self._tokens[place + index % period])
        return found
