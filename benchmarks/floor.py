"""How much of a decoding step is its matrices, and how fast this machine could read them at most.

    python benchmarks/make_bundles.py 135m
    python benchmarks/floor.py --json OUT [--shape 135m] [--recipe int8] [--threads 1 2] [--turns 15] [--short]

In turns, in one process, for each number of threads:

- `step`: a token through the decoder with the shortest cache, and the choice of the next, as `ask` does it;
- `matrices`: a graph of nothing but the matrices of that shape, in the same order and with as many bits, the head's
  too: no attention, no norms, no caches. What a step would take if all else were free, in this engine;
- `memory`: as many bytes as a step reads (packed weights and caches), read by numpy from huge pages of no file;
- `file`: the same of the file of packed weights itself, mapped as the engine maps it.

Each side runs once to have its bytes in the processor's caches as far as they go, and then six times. Every fourth
turn LiteRT-LM decodes with the same bundle, where it is installed, in a process of its own: what 2.2 times its rate is.

JSON: `{"threads": {"1": {"step_s", "matrices_s", "memory_bytes_per_s", "file_bytes_per_s", "step_bytes", ...}},
"others_share"}`; measures with median, least and most over the turns, and the shares of them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import mmap
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from decode import ANSWER, BARS, summary, turn
from peer.quiet import Quiet

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))

from edge_sdk.bench.limit import read_s  # noqa: E402
from edge_sdk.bundle import open_bundle  # noqa: E402
from edge_sdk.memory import DECODER, Loader, bundle_parts  # noqa: E402
from edge_sdk.pipeline.decoder import Decoder  # noqa: E402
from edge_sdk.pipeline.sampler import Sampler  # noqa: E402
from edge_sdk.runtime import WeightCache, open_model  # noqa: E402
from models.language.checkpoint import read_shape  # noqa: E402
from models.language.graph import Graph, Value  # noqa: E402
from models.language.llama import Shape  # noqa: E402
from models.language.random_model import SEED, SHAPES  # noqa: E402
from models.language.recipe import RECIPES, Quantizer, Recipe  # noqa: E402
from models.language.tflite import write_tflite  # noqa: E402

FOLDER = _ROOT / "build" / "bundles"
_REPEATS = 6
_PEER_EVERY = 4  # turns
Side = Callable[[], object]


def matrices(shape: Shape, recipe: Recipe) -> Graph:
    """Make a graph that multiplies by all matrices of a decoder, one behind the other, and does nothing else."""
    graph, chance = Graph("matrices"), np.random.default_rng(SEED)

    def linear(x: Value, rows: int, name: str, quantize: Quantizer = recipe.layer) -> Value:
        columns = x.shape[-1]
        drawn = chance.standard_normal((rows, columns), np.float32) * np.float32(columns**-0.5)
        return graph.linear(x, quantize(name, drawn))

    x = graph.input("x", (1, 1, shape.width))
    keys = shape.key_heads * shape.head_width
    for number in range(shape.layers):
        # What a real layer would go on with is an output, or the engine would leave its matrix out.
        graph.outputs[f"turned_{number}"] = linear(x, shape.width + keys, f"turned_{number}")
        graph.outputs[f"value_{number}"] = linear(x, keys, f"value_{number}", recipe.value)
        x = linear(x, shape.width, f"out_{number}")
        graph.outputs[f"gate_{number}"] = linear(x, shape.hidden, f"gate_{number}")
        x = linear(linear(x, shape.hidden, f"up_{number}"), shape.width, f"down_{number}")
    graph.outputs["scores"] = linear(x, shape.vocabulary, "head", recipe.table)
    return graph


class Bench:
    """A decoder, the matrices alone and memory, ready to run with a number of threads."""

    def __init__(self, stack: ExitStack, bundle: Path, alone: Path, cache: Path, threads: int) -> None:
        kept = WeightCache(cache)
        opened = stack.enter_context(open_bundle(bundle))
        loader = stack.enter_context(Loader(bundle_parts(opened, threads=threads, weight_cache=kept)))
        self._decoder, self._sampler = Decoder(opened, loader.acquire, for_good=True), Sampler()
        stack.callback(self._decoder.close)
        with loader.acquire(DECODER) as model:
            weights = model.weights or bundle
        self._token = self._sampler.pick(self._decoder.step(5))
        assert self._decoder.caches is not None, "a step was run"
        model = stack.enter_context(open_model(alone, threads=threads, weight_cache=kept))
        run = model.bind("matrices")
        run.inputs["x"][:] = np.linspace(-1, 1, run.inputs["x"].size)
        self.weight_bytes = weights.stat().st_size
        self.alone_bytes = (model.weights or alone).stat().st_size
        self.step_bytes = self.weight_bytes + sum(array.nbytes for array in self._decoder.caches.arrays)
        self._memory = [_huge(self.step_bytes // threads) for _ in range(threads)]
        whole = np.memmap(weights, np.int32, "r", shape=(self.weight_bytes // 4,))
        self._file = np.array_split(whole, threads)
        self.sides: dict[str, Side] = {
            "step": self._step,
            "matrices": run,
            "memory": lambda: read_s(self._memory, 1),
            "file": lambda: read_s(self._file, 1),
        }

    def _step(self) -> None:
        self._token = self._sampler.pick(self._decoder.step(self._token))
        self._decoder.rewind(1)

    def turn(self, *, backwards: bool) -> dict[str, float]:
        """Run each side; give the seconds that each takes once."""
        found = {}
        for name in sorted(self.sides, reverse=backwards):
            run = self.sides[name]
            run()
            begin = time.perf_counter()
            for _ in range(_REPEATS):
                run()
            found[name] = (time.perf_counter() - begin) / _REPEATS
        return found


def _huge(size_bytes: int) -> npt.NDArray[np.int32]:
    """Give memory of no file, in huge pages where the kernel has them."""
    pages = mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    array = np.frombuffer(pages, np.int32, size_bytes // 4)
    array[:] = 1  # what was never written to is one page of zeros
    return array


def measure(bundle: Path, alone: Path, cache: Path, threads: int, turns: int, peer: bool) -> dict[str, Any]:
    """Run all turns with a number of threads, and put them together."""
    runs: list[dict[str, float]] = []
    peers: list[dict[str, float]] = []
    other = cache / "litert-lm"
    other.mkdir(exist_ok=True)
    with ExitStack() as stack:
        bench = Bench(stack, bundle, alone, cache, threads)
        for number in range(turns):
            runs.append(bench.turn(backwards=number % 2 == 1))
            if peer and number % _PEER_EVERY == 0:
                if not peers:
                    turn("litert_lm", bundle, other, threads, 1)  # packs the weights
                peers.append(turn("litert_lm", bundle, other, threads, ANSWER))
    rows = [_row(run, bench) for run in runs]
    found: dict[str, Any] = {key: summary(rows, key) for key in rows[0]}
    found |= {"step_bytes": bench.step_bytes, "weight_bytes": bench.weight_bytes, "alone_bytes": bench.alone_bytes}
    if peers:
        found["litert_lm_per_s"] = summary(peers, "decode_tokens_per_s")
        found["wanted_per_s"] = BARS["decode"] * found["litert_lm_per_s"]["median"]
    return found


def _row(run: dict[str, float], bench: Bench) -> dict[str, float]:
    """Give one turn's rates, and what share of each is reached."""
    memory, file = bench.step_bytes / run["memory"], bench.weight_bytes / run["file"]
    step, alone = bench.step_bytes / run["step"], bench.alone_bytes / run["matrices"]
    return {
        "step_s": run["step"],
        "step_per_s": 1 / run["step"],
        "matrices_s": run["matrices"],
        "matrices_per_s": 1 / run["matrices"],
        "matrices_of_step": run["matrices"] / run["step"],
        "step_bytes_per_s": step,
        "matrices_bytes_per_s": alone,
        "memory_bytes_per_s": memory,
        "file_bytes_per_s": file,
        "step_of_memory": step / memory,
        "step_of_file": step / file,
        "matrices_of_memory": alone / memory,
        "matrices_of_file": alone / file,
    }


def show(found: dict[str, Any], threads: int) -> None:
    """Print what was found with a number of threads."""

    def told(key: str, scale: float = 1.0) -> str:
        middle, least, most = (found[key][name] * scale for name in ("median", "least", "most"))
        return f"{middle:.3g} ({least:.3g} to {most:.3g})"

    print(f"{threads} threads: {found['step_bytes'] / 1e6:.1f} MB a step, {found['weight_bytes'] / 1e6:.1f} of weights")
    for name in ("step", "matrices"):
        print(f"  {name:9} {told(name + '_s', 1e3)} ms, {told(name + '_per_s')} a second,", end=" ")
        print(
            f"{told(name + '_bytes_per_s', 1e-9)} GB/s: {told(name + '_of_memory', 100)} % of memory's rate,", end=" "
        )
        print(f"{told(name + '_of_file', 100)} % of the file's")
    print(f"  matrices  {told('matrices_of_step', 100)} % of a step")
    print(f"  memory    {told('memory_bytes_per_s', 1e-9)} GB/s, the file {told('file_bytes_per_s', 1e-9)} GB/s")
    if "wanted_per_s" in found:
        print(
            f"  LiteRT-LM {told('litert_lm_per_s')} a second; {BARS['decode']} times that: {found['wanted_per_s']:.4g}"
        )


def run(asked: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Make what is missing, and measure with each number of threads."""
    name, folder = asked.shape + ("" if asked.recipe == "int8" else f"-{asked.recipe}"), FOLDER
    if asked.short:
        from make_bundles import make  # needs PyTorch, which no other form does

        folder = scratch
        make(name, folder)
    bundle, alone = folder / f"{name}.litertlm", scratch / "matrices.tflite"
    if not bundle.exists():
        raise SystemExit(f"{bundle} is not there: python benchmarks/make_bundles.py {name}")
    shape = read_shape(SHAPES[asked.shape] | {"rms_norm_eps": 1e-5})
    write_tflite([matrices(shape, RECIPES[asked.recipe])], alone)
    peer = not asked.short and importlib.util.find_spec("litert_lm") is not None
    quiet, found = Quiet(), {}
    for threads in asked.threads:
        found[str(threads)] = measure(bundle, alone, scratch, threads, asked.turns, peer)
        show(found[str(threads)], threads)
    others = quiet.others_share()
    print(f"Other work took {others:.0%} of the processors meanwhile.")
    return {"bundle": bundle.name, "turns": asked.turns, "threads": found, "others_share": round(others, 3)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="135m", help="its bundle is build/bundles/SHAPE.litertlm")
    parser.add_argument("--recipe", choices=RECIPES, default="int8")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--short", action="store_true", help="a tiny shape, made for it, and two turns")
    asked = parser.parse_args(arguments)
    if asked.short:
        asked.shape, asked.turns = "tiny", 2
    with tempfile.TemporaryDirectory() as scratch:
        result = run(asked, Path(scratch))
    result["matrices_of_step"] = median(row["matrices_of_step"]["median"] for row in result["threads"].values())
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
