"""The errors that users of the SDK meet; each also is the builtin that a script author would catch."""

from __future__ import annotations

from boards.errors import EdgeError

__all__ = [
    "BenchError",
    "BundleError",
    "CameraError",
    "Cancelled",
    "ClosedError",
    "EdgeError",
    "FrameError",
    "MissingDependency",
    "ModelError",
    "OverBudget",
    "ProcessNotFound",
    "PromptError",
    "PromptTooLong",
    "RuleError",
    "ShapeError",
    "SignatureNotFound",
    "StorageError",
    "TriggerError",
    "UnitError",
    "UnknownCheck",
]


class BenchError(EdgeError, ValueError):
    """A report of measurements is none, or two of them cannot be compared."""


class BundleError(EdgeError, ValueError):
    """A bundle is damaged, is not a bundle, or holds what this SDK does not know."""


class ModelError(EdgeError, RuntimeError):
    """The engine could not load or run a model."""


class ShapeError(EdgeError, ValueError):
    """An array has another shape or type than the signature asks for."""


class SignatureNotFound(EdgeError, LookupError):
    """A model has no signature of that name."""


class ClosedError(EdgeError, ValueError):
    """Something was used after it was closed."""


class PromptError(EdgeError, ValueError):
    """A question cannot be asked as it stands."""


class PromptTooLong(PromptError):
    """A prompt with its answer does not fit into the key-value cache."""


class FrameError(EdgeError, ValueError):
    """Something that should be a picture is none, or none that can be used."""


class CameraError(EdgeError, OSError):
    """A camera is missing, in use, frozen or unplugged."""


class MissingDependency(EdgeError, ImportError):
    """An optional library is not installed; the fix names the pip command."""


class Cancelled(EdgeError, RuntimeError):
    """A run was stopped from outside before it was done."""


class StorageError(EdgeError, OSError):
    """A disk is full, read-only or failing."""


class OverBudget(EdgeError, MemoryError):
    """A bundle does not fit into the memory that it may take; the error says how much is missing and what would fit."""


class UnitError(EdgeError, ValueError):
    """An amount with a unit, such as ``512MB``, was expected and something else was found."""


class ProcessNotFound(EdgeError, LookupError):
    """A process that was to be watched is not there, or has ended."""


class UnknownCheck(EdgeError, LookupError):
    """`edge doctor` has no check of that name."""


class TriggerError(EdgeError, ValueError):
    """The limits of a trigger say nothing, or what can never be."""


class RuleError(EdgeError, ValueError):
    """A file of rules is none, or asks for what is not there or not allowed; the error says where."""
