"""``edge doctor``: what is wrong with this machine, and what mends it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import click

from edge_sdk.cli.text import coloured, plain
from edge_sdk.doctor import CHECKS, GROUPS, Finding, check_report, examine, exit_status, find_checks, write_report
from edge_sdk.errors import StorageError, UnknownCheck

__all__ = ["doctor"]

_MARKS = {"ok": ("ok", "green"), "nothing": ("-", None), "warning": ("WARN", "yellow"), "failure": ("FAIL", "red")}
_HEADINGS = {group: heading for heading, groups in GROUPS.items() for group in groups}
_WIDTH = max(len(check.id) for check in CHECKS)


@click.command()
@click.option("--only", multiple=True, metavar="ID", help="Only this check, or group of checks; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of the text.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.zip",
    help="Write a support bundle, without serial numbers, addresses and names.",
)
@click.option("--root", default="/", hidden=True, help="The folder that stands for /.")
def doctor(only: tuple[str, ...], as_json: bool, report: Path | None, root: str) -> None:
    """Find out what is wrong with this machine, and say what mends it.

    It works without a network and as an ordinary user, changes nothing, and opens no serial port. Each check has
    a time limit and a process of its own or one that it shares, so that none can hold up or end the others.

    Exits with 0 where all is well, 1 with warnings (WARN), 2 with failures (FAIL) or without the report that was
    asked for; - marks what this machine does not have.

    \b
    Examples:
      edge doctor
      edge doctor --only camera
      edge doctor --only throttle.boot --only serial
      edge doctor --json
      edge doctor --report report.zip
    """
    if report is not None and report.suffix != ".zip":
        raise click.UsageError(f"{report} is no name for a report: end it with .zip.")
    names = [name for each in only for name in each.split(",")]
    try:
        checks = find_checks(names)
    except UnknownCheck as error:
        raise click.UsageError(str(error)) from error
    if report is not None:
        _or_end(partial(check_report, report))
    findings = []
    for finding in _shown(examine(checks, root=root), quiet=as_json):
        findings.append(finding)
    status = exit_status(findings)
    if as_json:
        click.echo(json.dumps({"status": status, "findings": [each.as_json() for each in findings]}, indent=1))
    else:
        click.echo(_summary(findings))
    if report is not None:
        _or_end(partial(write_report, report, findings, root=root))
        click.echo(f"Report: {report}", err=True)
    sys.exit(status)


def _or_end(write: Callable[[], object]) -> None:
    """Write, or end as with a failure: 1 would be taken for a warning about the machine."""
    try:
        write()
    except StorageError as error:
        click.echo(f"edge: {error}", err=True)
        sys.exit(2)


def _shown(findings: Iterator[Finding], *, quiet: bool) -> Iterator[Finding]:
    """Print each finding as it comes, under the heading of its group."""
    heading = ""
    for finding in findings:
        if not quiet:
            now = _HEADINGS[finding.id.partition(".")[0]]
            if now != heading:
                click.echo(f"{chr(10) if heading else ''}{now}")
                heading = now
            _print(finding)
        yield finding


def _print(finding: Finding) -> None:
    word, colour = _MARKS[finding.mark]
    mark = coloured(f"{word:<4}", colour)
    click.echo(f"  {mark}  {finding.id:<{_WIDTH}}  {plain(finding.what)}")
    if finding.fix:
        click.echo(f"  {'':<4}  {'':<{_WIDTH}}  -> {plain(finding.fix)}")


def _summary(findings: Sequence[Finding]) -> str:
    counts = {mark: sum(finding.mark == mark for finding in findings) for mark in _MARKS}
    told = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for mark, word in (("failure", "failure"), ("warning", "warning"))
        if (count := counts[mark])
    ]
    return f"\n{', '.join(told) or 'Nothing is wrong'}; {counts['ok']} fine."
