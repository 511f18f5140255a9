"""Find out what is wrong with a machine, check by check, each in a process that may hang or crash."""

from edge_sdk.doctor.check import CHECKS, GROUPS, Check, find_checks
from edge_sdk.doctor.examination import examine
from edge_sdk.doctor.finding import Finding, Mark, exit_status
from edge_sdk.doctor.report import check_report, write_report

__all__ = [
    "CHECKS",
    "GROUPS",
    "Check",
    "Finding",
    "Mark",
    "check_report",
    "examine",
    "exit_status",
    "find_checks",
    "write_report",
]
