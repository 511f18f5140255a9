"""Choose the next token from scores: the best one, or one drawn from the likely ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import PromptError

__all__ = ["Sampler"]

_BLOCK = 64
_FIRST = 64  # most often these tokens have all of the probability that is asked for
_STEEPEST = 1e30


class Sampler:
    """How tokens are chosen.

    Parameters
    ----------
    temperature : float
        0 takes the best token always; 1 draws by the model's own probabilities, less sharpens them.
    top_k : int, optional
        Draw among this many best tokens.
    top_p : float, optional
        Draw among the best tokens that have this share of the probability together.
    seed : int, optional
        Makes the draws repeatable.

    Raises
    ------
    PromptError
        A setting makes no sense.

    Examples
    --------
    >>> Sampler().pick(np.array([0.1, 0.7, 0.2], np.float32))
    1
    """

    def __init__(
        self,
        *,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> None:
        if not 0 <= temperature < float("inf"):
            raise PromptError(f"The temperature is {temperature}.", fix="Give a number from 0 (greedy) to about 2.")
        if top_k is not None and top_k < 1:
            raise PromptError(f"top_k is {top_k}.", fix="Give at least 1, or leave it out.")
        if top_p is not None and not 0 < top_p <= 1:
            raise PromptError(f"top_p is {top_p}.", fix="Give a share above 0 and up to 1, or leave it out.")
        self._temperature = temperature
        self._top_k = top_k
        self._top_p = top_p
        # Not for greedy choice: numpy's random part alone takes 6 MB.
        self._random = np.random.default_rng(seed) if temperature else None

    def pick(self, logits: npt.NDArray[np.float32]) -> int:
        """Choose a token.

        Parameters
        ----------
        logits : ndarray
            ``(V,)`` float32 scores; the greedy case reads them where they are, and copies nothing.
        """
        if self._random is None:
            return int(logits.argmax())
        best = float(logits.max())
        if self._top_k is None and self._top_p is None:
            return self._draw(self._shares(logits, best))
        if self._top_k is not None:
            ids = _best(logits, self._top_k)
            shares = self._shares(logits[ids], best)
            wanted = float(shares.sum(dtype=np.float64)) * (self._top_p or 1.0)
        else:
            wanted = float(self._shares(logits, best).sum(dtype=np.float64)) * (self._top_p or 1.0)
            ids, shares = self._until(wanted, logits, best)
        if self._top_p is not None:
            kept = int(np.searchsorted(np.cumsum(shares, dtype=np.float64), wanted)) + 1
            ids, shares = ids[:kept], shares[:kept]
        return int(ids[self._draw(shares)])

    def _shares(self, scores: npt.NDArray[np.float32], best: float) -> npt.NDArray[np.float32]:
        """Give each score's probability, the best one's being 1."""
        with np.errstate(over="ignore"):  # a temperature next to nothing: all but the best go to minus infinity
            shares = (scores - np.float32(best)) * np.float32(min(1 / self._temperature, _STEEPEST))
        return np.asarray(np.exp(shares, out=shares), np.float32)

    def _until(
        self, wanted: float, logits: npt.NDArray[np.float32], best: float
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        """Give the best tokens, and their shares, until these come to what is wanted: mostly a few of very many."""
        count = _FIRST
        while True:
            ids = _best(logits, count)
            shares = self._shares(logits[ids], best)
            if count >= len(logits) or shares.sum(dtype=np.float64) >= wanted:
                return ids, shares
            count *= 8

    def _draw(self, shares: npt.NDArray[np.float32]) -> int:
        assert self._random is not None
        sums = np.cumsum(shares, dtype=np.float64)
        return min(int(np.searchsorted(sums, self._random.random() * sums[-1], side="right")), len(sums) - 1)


def _best(scores: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.intp]:
    """Return the places of the highest scores, the best first.

    The highest of each block are looked at first: no score below the last of the best blocks can be among the best, so
    that a handful is sorted of tens of thousands.
    """
    blocks = len(scores) // _BLOCK
    if count < blocks:
        highest = scores[: blocks * _BLOCK].reshape(blocks, _BLOCK).max(axis=1)
        ids = np.flatnonzero(scores >= np.partition(highest, blocks - count)[blocks - count])
    else:
        ids = np.arange(len(scores))
    return ids[np.argsort(-scores[ids], kind="stable")][:count]
