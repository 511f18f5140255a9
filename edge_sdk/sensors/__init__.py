"""What sensors set off: triggers, rules that run as a service, and a log of what was read, done and answered.

Public names are loaded on first use: a trigger alone loads neither numpy nor SQLite.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_sdk.sensors.journal import Entry, Journal, read_journal
    from edge_sdk.sensors.rule_file import read_rules
    from edge_sdk.sensors.service import Service
    from edge_sdk.sensors.trigger import Event, Trigger

# Public name -> module.
_HOME = {
    "Entry": "edge_sdk.sensors.journal",
    "Event": "edge_sdk.sensors.trigger",
    "Journal": "edge_sdk.sensors.journal",
    "Service": "edge_sdk.sensors.service",
    "Trigger": "edge_sdk.sensors.trigger",
    "read_journal": "edge_sdk.sensors.journal",
    "read_rules": "edge_sdk.sensors.rule_file",
}

__all__ = ["Entry", "Event", "Journal", "Service", "Trigger", "read_journal", "read_rules"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'edge_sdk.sensors' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
