"""The page about all checks, written from their table by ``make docs``."""

from __future__ import annotations

import sys

from edge_sdk.doctor.check import CHECKS, GROUPS

__all__ = ["reference"]

_HEAD = """# What edge doctor checks

Written by `make docs` from the table of checks. `edge doctor --only ID` does one of them, or all of a group: the
part of an id before its dot. An id keeps its meaning from version to version.

Each check has a time limit; one that takes longer is killed and counts as a failure. Those marked "own" run in a
process of their own, because they use devices or measure memory; the others share one, and where it ends the rest of
them get a new one.

| mark | it means | exit status |
|---|---|---|
| `ok` | all is well | 0 |
| `-` | this machine has nothing to check here | 0 |
| `WARN` | not as it should be, though work goes on | 1 |
| `FAIL` | something does not work | 2 |

The exit status is that of the worst finding, and 2 where a report that was asked for cannot be written. With `--json`
every finding is an object of `id`, `mark` (`ok`, `nothing`, `warning`, `failure`), `what` and `fix`.
"""


def reference() -> str:
    """Give the tables of checks as one Markdown page."""
    lines = [_HEAD]
    for heading, groups in GROUPS.items():
        lines += [f"## {heading}", "", "| id | asks | within | process |", "|---|---|---|---|"]
        lines += [
            f"| `{check.id}` | {check.asks} | {check.limit_s:g} s | {'own' if check.apart else 'shared'} |"
            for check in CHECKS
            if check.group in groups
        ]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(reference())
