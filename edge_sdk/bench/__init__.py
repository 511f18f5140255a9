"""What a bundle does in a second on this machine, and what the machine could do at most."""

from edge_sdk.bench.bench import TURNS, Bench, run
from edge_sdk.bench.comparison import Comparison, check_alike, compare
from edge_sdk.bench.limit import int8_macs_per_s, read_bandwidth_bytes_per_s
from edge_sdk.bench.measure import Measure
from edge_sdk.bench.report import Condition, Report, Subject, check_place, read_report, write_report
from edge_sdk.bench.text import comparison_text, report_text

__all__ = [
    "TURNS",
    "Bench",
    "Comparison",
    "Condition",
    "Measure",
    "Report",
    "Subject",
    "check_alike",
    "check_place",
    "compare",
    "comparison_text",
    "int8_macs_per_s",
    "read_bandwidth_bytes_per_s",
    "read_report",
    "report_text",
    "run",
    "write_report",
]
