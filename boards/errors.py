"""The root of every error that this project raises on purpose."""

from __future__ import annotations

__all__ = ["EdgeError"]


class EdgeError(Exception):
    """What happened, why, and what to do about it.

    Parameters
    ----------
    what : str
        What happened, with the value concerned, what was expected and what was found.
    why : str, optional
        The cause, as far as it is known.
    fix : str, optional
        What the reader can do now.

    Examples
    --------
    >>> print(EdgeError("No camera at /dev/video0.", why="The node is not there.", fix="Plug it in."))
    No camera at /dev/video0.
      why: The node is not there.
      fix: Plug it in.
    """

    def __init__(self, what: str, *, why: str | None = None, fix: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the keyword arguments when an error crosses a process boundary."""
        return (_rebuild, (type(self), self.what, self.why, self.fix))


def _rebuild(kind: type[EdgeError], what: str, why: str | None, fix: str | None) -> EdgeError:
    return kind(what, why=why, fix=fix)
