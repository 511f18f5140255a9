"""What compiled libraries need of the processor, told before one of them ends the process with SIGILL."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from boards.errors import EdgeError
from boards.processor import Processor, this_processor

__all__ = ["REQUIREMENTS", "Finding", "Requirement", "check", "check_installed", "require"]

# The level of x86 processors from 2009 on, as /proc/cpuinfo names its features (psABI for x86-64, "x86-64-v2").
X86_64_V2 = frozenset({"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"})
# What a 32-bit process can count on where the processor is one of 64 bits: Arm's architecture demands it.
AARCH32_OF_V8 = frozenset({"neon", "vfpv3", "vfpv4", "idiva", "idivt"})


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a library's build for one architecture needs, and what shows it."""

    library: str
    module: str
    architecture: str
    features: frozenset[str]
    source: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a library runs on a processor.

    Attributes
    ----------
    fits : bool or None
        None where the processor does not say what it can do.
    sentence : str
        What was found, for the user.
    fix : str
        What to do; empty where nothing is wrong.
    missing : tuple of str
        Features that the library would use though they are not there: SIGILL.
    """

    library: str
    fits: bool | None
    sentence: str
    fix: str = ""
    missing: tuple[str, ...] = ()


REQUIREMENTS = (
    # ARMv8.1 atomics with no check at run time: 45 320 in litert-lm-api 0.18.1, 28 993 in mediapipe 1.2.2, by
    # disassembly of the wheels; LiteRT-LM's issues 1847 and 2092 tell of it from the field.
    Requirement("litert-lm-api", "litert_lm", "aarch64", frozenset({"asimd", "atomics"}), "disassembly of 0.18.1"),
    Requirement(
        "litert-lm-api", "litert_lm", "x86_64", X86_64_V2 | {"aes", "avx"},
        "0.18.1 under qemu: refuses Nehalem for want of aes and Westmere for want of avx, runs on SandyBridge",
    ),
    Requirement("mediapipe", "mediapipe", "aarch64", frozenset({"asimd", "atomics"}), "disassembly of 1.2.2"),
    Requirement("ai-edge-litert", "ai_edge_litert", "aarch64", frozenset({"asimd"}), "2.3.0 under qemu, Cortex-A72"),
    Requirement("tflite-runtime", "tflite_runtime", "aarch64", frozenset({"asimd"}), "ARMv8.0 is what aarch64 means"),
    Requirement(
        "tflite-runtime", "tflite_runtime", "armv7l", frozenset({"neon", "vfpv4"}), "ELF attributes of the 2.14.0 wheel"
    ),
    # Older processors were not tried: numpy, which it needs, already dies there.
    Requirement("ai-edge-litert", "ai_edge_litert", "x86_64", X86_64_V2, "2.3.0 under qemu, Nehalem"),
    Requirement("numpy", "numpy", "x86_64", X86_64_V2, "2.4.6 under qemu: SIGILL on core2duo, runs on Nehalem"),
    Requirement("numpy", "numpy", "aarch64", frozenset({"asimd"}), "ARMv8.0 is what aarch64 means"),
    Requirement("numpy", "numpy", "armv7l", frozenset(), "Debian builds it for any ARMv7"),
)  # fmt: skip


def check(library: str, processor: Processor, python_bits: int = 64 if sys.maxsize > 2**32 else 32) -> Finding:
    """Compare what a library needs with what every core has.

    Parameters
    ----------
    library : str
        The name of its distribution, one of those in ``REQUIREMENTS``.
    python_bits : int
        A 32-bit Python takes the libraries of the 32-bit architecture, also on a processor of 64 bits.

    Raises
    ------
    KeyError
        If nothing is known of that library.
    """
    builds = {each.architecture: each for each in REQUIREMENTS if each.library == library}
    if not builds:
        raise KeyError(library)
    architecture, features = _as_seen_by(processor, python_bits)
    if architecture == "unknown":
        sentence = f"Whether {library} runs here is not known: the processor does not say what it is."
        return Finding(library, None, sentence)
    if architecture not in builds and architecture in ("aarch64", "x86_64"):
        return Finding(library, None, f"What {library} needs of a processor of {architecture} is not known.")
    if architecture not in builds:
        return _without_build(library, architecture, builds)
    missing = sorted(builds[architecture].features - features)
    if not missing:
        return Finding(library, True, f"{library} finds what it needs in {processor.name}.")
    need = f"{library} needs {_listed(missing)}, which {processor.name} does not have"
    sentence = f"{need}: it would end the process with SIGILL (illegal instruction)."
    return Finding(library, False, sentence, _fix(library, architecture), tuple(missing))


def check_installed(processor: Processor, find: Callable[[str], object] = find_spec) -> tuple[Finding, ...]:
    """Check those of the known libraries that this Python could import; nothing is imported for it."""
    present = dict.fromkeys(each.library for each in REQUIREMENTS if find(each.module))
    return tuple(check(library, processor) for library in present)


def require(library: str, processor: Processor | None = None) -> None:
    """Refuse to go on to a library that would end the process.

    It stays silent where there is no build that we know of: who has one at hand built it for this machine.

    Raises
    ------
    EdgeError
        If a core lacks a feature that the library uses without asking.
    """
    finding = check(library, processor or this_processor())
    if finding.missing:
        raise EdgeError(finding.sentence, fix=finding.fix)


def _as_seen_by(processor: Processor, python_bits: int) -> tuple[str, frozenset[str]]:
    """Tell which architecture's libraries this Python loads, and which of its features are there."""
    narrow = {"aarch64": "armv7l", "x86_64": "i686"}
    if python_bits == 64 or processor.architecture not in narrow:
        return processor.architecture, processor.features
    return narrow[processor.architecture], processor.features | AARCH32_OF_V8


def _without_build(library: str, architecture: str, builds: Mapping[str, Requirement]) -> Finding:
    sentence = f"{library} is not known to be built for {architecture}, only for {_listed(sorted(builds))}."
    if architecture == "armv6l":
        fix = "No engine is built for ARMv6: take a board with an ARMv7 or a 64-bit processor."
    elif architecture == "armv7l" and library != "tflite-runtime":
        fix = "Install a 64-bit system if the processor has 64 bits, or use tflite-runtime."
    else:
        fix = "Use another engine."
    return Finding(library, False, sentence, fix)


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _fix(library: str, architecture: str) -> str:
    if architecture == "aarch64" and library != "ai-edge-litert":
        return "Leave it out; the SDK's own engine, ai-edge-litert, runs on every 64-bit Arm processor."
    if architecture == "armv7l":
        return "Take a board whose processor has NEON: a Cortex-A7 or newer."
    return "Take a machine with a newer processor; in a virtual one, pass the host's CPU through."
