"""Who is compared: each side with what it reads, what it needs installed, and where its code is."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from peer.place import BUNDLES, FOLDER


@dataclass(frozen=True, slots=True)
class Side:
    """One of those compared.

    Attributes
    ----------
    name, label : str
        In JSON, and for people.
    module, package : str
        What is imported, and what pip calls it.
    run : str
        ``module:function`` in this folder.
    file : str
        What it reads: ``bundle``, ``decoder`` (the section of the bundle, in a file of its own), ``parts`` (a folder of
        such), or a path in which ``{shape}`` stands for the shape.
    bits : int
        Of most weights.
    settings : str
        How it is set, for the page.
    install : str
        The command that makes its file or installs it, where that is more than pip.
    """

    name: str
    label: str
    module: str
    package: str
    run: str
    file: str
    bits: int = 8
    settings: str = ""
    install: str = ""

    def version(self) -> str:
        """Return the installed version; empty where there is none."""
        if importlib.util.find_spec(self.module) is None:
            return ""
        return importlib.metadata.version(self.package)

    def missing(self, file: Path) -> str:
        """Say what to do before this side can run; empty where it can."""
        if not self.version():
            return self.install or f"pip install {self.package}"
        return "" if file.exists() else f"{file.name} is not there: {self._make(file)}"

    def _make(self, file: Path) -> str:
        if file.parent == FOLDER:
            return f"python benchmarks/peer_files.py {file.stem.partition('-')[0]}"
        return f"python benchmarks/make_bundles.py {file.stem}"


_LLAMA = "pip install llama-cpp-python (built on the spot: needs a C++ compiler, cmake, ninja; ten minutes)"
_BARE = "signatures of the bundle with the shortest cache that fits"

LANGUAGE = (
    Side(
        "ours",
        "Edge SDK",
        "edge_sdk",
        "edge-sdk",
        "our_side:answer",
        "bundle",
        settings="what `ask` runs, warm weight cache; asked at once",
    ),
    Side(
        "ours_prepared",
        "Edge SDK, prepared",
        "edge_sdk",
        "edge-sdk",
        "our_side:answer_prepared",
        "bundle",
        settings="as above; `prepare` before the question, as part of loading",
    ),
    Side(
        "ours_int4",
        "Edge SDK, mixed INT4",
        "edge_sdk",
        "edge-sdk",
        "our_side:answer",
        str(BUNDLES / "{shape}-int4.litertlm"),
        bits=4,
        settings="asked at once; embeddings and head INT8",
    ),
    Side(
        "litert_lm",
        "LiteRT-LM",
        "litert_lm",
        "litert-lm-api",
        "litert_lm_side:answer",
        "bundle",
        settings="its own benchmark and counters, warm weight cache",
    ),
    Side(
        "litert_lm_256",
        "LiteRT-LM, cache of 256",
        "litert_lm",
        "litert-lm-api",
        "litert_lm_side:answer",
        str(FOLDER / "{shape}-256.litertlm"),
        settings="as above, on a bundle with no signatures but those for one cache of 256",
    ),
    Side(
        "llama_q8_0",
        "llama.cpp Q8_0",
        "llama_cpp",
        "llama-cpp-python",
        "llama_cpp_side:answer",
        str(FOLDER / "{shape}-q8_0.gguf"),
        settings="mmap, flash attention, context of 256, prompt in one batch, its C functions",
        install=_LLAMA,
    ),
    Side(
        "llama_q4_0",
        "llama.cpp Q4_0",
        "llama_cpp",
        "llama-cpp-python",
        "llama_cpp_side:answer",
        str(FOLDER / "{shape}-q4_0.gguf"),
        bits=4,
        settings="as Q8_0; embeddings and head Q8_0",
        install=_LLAMA,
    ),
    Side(
        "compiled_model",
        "LiteRT CompiledModel",
        "ai_edge_litert",
        "ai-edge-litert",
        "litert_side:compiled_model",
        "decoder",
        settings=f"{_BARE}; weight cache",
    ),
    Side(
        "interpreter",
        "LiteRT Interpreter",
        "ai_edge_litert",
        "ai-edge-litert",
        "litert_side:interpreter",
        "decoder",
        settings=f"{_BARE}; no weight cache: the first run packs all signatures",
    ),
    Side(
        "onnx_runtime",
        "ONNX Runtime",
        "onnxruntime",
        "onnxruntime",
        "onnx_side:onnx_runtime",
        str(FOLDER / "{shape}.onnx"),
        settings="MatMulNBits of 8 bits, GroupQueryAttention, caches bound in place",
    ),
)

SMEAR = (
    Side("ours", "Edge SDK", "edge_sdk", "edge-sdk", "our_side:answer_smear", "bundle", settings="public interface"),
    Side(
        "litert_lm",
        "LiteRT-LM",
        "litert_lm",
        "litert-lm-api",
        "litert_lm_side:answer_smear",
        "bundle",
        settings="second question in the same conversation",
    ),
    Side(
        "compiled_model",
        "LiteRT CompiledModel",
        "ai_edge_litert",
        "ai-edge-litert",
        "litert_side:compiled_model_smear",
        "parts",
        settings="engine runs alone, no text",
    ),
    Side(
        "interpreter",
        "LiteRT Interpreter",
        "ai_edge_litert",
        "ai-edge-litert",
        "litert_side:interpreter_smear",
        "parts",
        settings="engine runs alone, no text",
    ),
    Side(
        "onnx_runtime",
        "ONNX Runtime",
        "onnxruntime",
        "onnxruntime",
        "onnx_side:onnx_runtime_smear",
        str(FOLDER / "smear-encoder.onnx"),
        settings="encoder alone, static INT8",
    ),
)

# Not a side: what memory gives, measured in each turn as well.
LIMIT = Side("limit", "limit", "edge_sdk", "edge-sdk", "limit:bandwidth", "bundle")

SIDES = {"language": LANGUAGE, "smear": SMEAR, "limit": (LIMIT,)}
