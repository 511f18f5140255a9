"""Choose the next token from scores: the best one, or one drawn from the likely ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_sdk.errors import PromptError

__all__ = ["Sampler"]


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
            ``(V,)`` float32 scores; read where they are, not copied, in the greedy case.
        """
        if self._random is None:
            return int(logits.argmax())
        ids = np.arange(len(logits))
        if self._top_k is not None and self._top_k < len(logits):
            ids = np.argpartition(logits, -self._top_k)[-self._top_k :]
        ids = ids[np.argsort(-logits[ids], kind="stable")]
        scores = logits[ids].astype(np.float64)
        with np.errstate(over="ignore"):  # a temperature next to nothing: all but the best go to minus infinity
            shares = np.exp((scores - scores[0]) / self._temperature)
        shares /= shares.sum()
        if self._top_p is not None:
            kept = int(np.searchsorted(np.cumsum(shares), self._top_p)) + 1
            ids, shares = ids[:kept], shares[:kept] / shares[:kept].sum()
        return int(self._random.choice(ids, p=shares))
