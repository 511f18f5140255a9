"""Compare what a plan says a bundle will take with what a process that uses it takes at its peak, on both engines.

    python benchmarks/footprint.py --json OUT [BUNDLE ...] [--short]
    python benchmarks/footprint.py --base

Without names: smear, what lies in build/bundles, and the bundles and models of the folder EDGE_MATERIAL. Each bundle is
planned from headers alone, then measured (`edge_sdk.memory.measure`) and planned again, then used in a process of its
own: two frames, a count, an embedding, a question about a frame, and a dialogue that fills the longest cache, as far
as the bundle does these. From outside that process and its children are looked at every 3 ms.
`--base` prints what a process takes before any section: the constants of edge_sdk/memory/footprint.py.
JSON: a list of `{"bundle", "engine", "plan_cpu_ms", "headers", "measured", "seen", "error"}`; the three in between are
`{"private_bytes", "total_bytes"}`, errors are shares of what was seen.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ENGINES = ("litert", "interpreter")
# Models of the material folder that take one picture, and that both engines take.
SEEING = (
    "automl_labeler_model",
    "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29",
    "deeplabv3_mnv2_dm05_pascal_quant",
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v1_1.0_224_quant_embedding_extractor",
    "mobilenet_v2_1.0_224_quant",
    "movenet_single_pose_lightning_ptq",
    "tf2_mobilenet_v2_1.0_224_ptq",
)
_LOOK_S = 0.003
# For any other number a bundle may carry what was measured where it was packed, and headers would not be asked.
_THREADS = 3


def compare(path: Path, engine: str, folder: Path) -> dict[str, Any]:
    """Plan, measure and use one bundle."""
    from edge_sdk.bundle import open_bundle
    from edge_sdk.memory import plan_for
    from edge_sdk.memory.measurement import measure
    from edge_sdk.runtime import WeightCache

    cache = WeightCache(folder / "weights")
    use_apart(path, engine, cache.folder)  # packs the weights
    settings = {"budget": "64GB", "engine": engine, "threads": _THREADS, "weight_cache": cache}
    begin = time.process_time()
    headers = plan_for(path, **settings)
    plan_ms = (time.process_time() - begin) * 1000
    with open_bundle(path) as bundle:
        measure(bundle, engine=engine, threads=_THREADS, weight_cache=cache)
    measured = plan_for(path, **settings)
    seen = use_apart(path, engine, cache.folder)
    plans = {
        name: {"private_bytes": plan.peak_private_bytes, "total_bytes": plan.peak_bytes}
        for name, plan in (("headers", headers), ("measured", measured))
    }
    assert measured.measured
    assert not headers.measured
    errors = {name: {kind: round(plan[kind] / seen[kind] - 1, 3) for kind in seen} for name, plan in plans.items()}
    return {
        "bundle": path.stem,
        "engine": engine,
        "plan_cpu_ms": round(plan_ms, 1),
        **plans,
        "seen": seen,
        "error": errors,
    }


def use_apart(path: Path, engine: str, cache: Path) -> dict[str, int]:
    """Use a bundle in a process of its own and return the most that it and its children took."""
    command = [sys.executable, __file__, "--use", str(path), "--engine", engine, "--cache", str(cache)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    most = {"private_bytes": 0, "total_bytes": 0}
    while process.poll() is None:
        private, total = _look(process.pid)
        most = {
            "private_bytes": max(most["private_bytes"], private),
            "total_bytes": max(most["total_bytes"], total),
        }
        time.sleep(_LOOK_S)
    if process.returncode:
        raise SystemExit(f"{path} in {engine}: the process that uses it ended with {process.returncode}.")
    return most


def _look(pid: int) -> tuple[int, int]:
    """Return private and total memory of a process and its children. Source: proc_pid_statm(5), proc_pid_status(5)."""
    private = total = 0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        own = Path(f"/proc/{pid}/cmdline").read_bytes()
        # A child that was not yet started as a program shows its parent's memory as its own.
        started = [one for one in children if Path(f"/proc/{one}/cmdline").read_bytes() != own]
        for one in (str(pid), *started):
            for line in Path(f"/proc/{one}/status").read_text().splitlines():
                name, _, rest = line.partition(":")
                if name in ("RssAnon", "RssShmem", "RssFile"):
                    size = 1024 * int(rest.split()[0])
                    private += size if name != "RssFile" else 0
                    # A child's pages of files are mostly the parent's.
                    total += size if name != "RssFile" or one == str(pid) else 0
    except OSError:
        pass  # it ended meanwhile
    return private, total


def use(path: Path, engine: str, cache: Path) -> None:
    """Do with a bundle whatever it can."""
    import numpy as np

    import edge_sdk as edge
    from edge_sdk.runtime import WeightCache

    with edge.load(path, engine=engine, threads=_THREADS, weight_cache=WeightCache(cache)) as model:
        sees = path.suffix == ".tflite" or model.bundle.has("tf_lite_vision_encoder")
        frames = [edge.Frame.of(np.full((960, 1280, 3), shade, np.uint8)) for shade in ((80, 160) if sees else ())]
        if model.labels:
            model.count(frames[0])
        if sees:
            model.embed(frames[1])
        if model.bundle.has("tf_lite_prefill_decode"):
            if sees:
                print(model.ask("How many cells are there?", frames[0], max_tokens=8).text)
            talk = model.conversation()  # which begins in the shortest cache and moves up
            print(talk.ask("How many?", max_tokens=4).text)
            print(talk.ask(_filling(model.bundle), max_tokens=16).text)


def _filling(bundle: Any) -> str:
    """Make a question that fills the longest cache nearly."""
    from edge_sdk.bundle.inspection import cache_lengths

    words = "how many cells "
    each = len(bundle.tokenizer().encode(words * 10)) / 10
    return words * int((max(cache_lengths(bundle)) - 128) / each)


def base(engine: str) -> dict[str, int]:
    """Return what a process takes that has opened and closed the smallest section of smear."""
    code = (
        "import ctypes, sys\n"
        "from pathlib import Path\n"
        "import edge_sdk\n"
        "edge_sdk.load, edge_sdk.plan, edge_sdk.memory.Guard\n"
        "from edge_sdk.bundle import find_bundle, open_bundle\n"
        "from edge_sdk.runtime import open_model\n"
        "with open_bundle(find_bundle('smear')) as bundle:\n"
        "    part = bundle.section('tf_lite_aux')\n"
        "    open_model(bundle.path, offset=part.offset, size=part.size, engine=sys.argv[1], threads=1).close()\n"
        "ctypes.CDLL(None).malloc_trim(0)\n"
        "print(Path('/proc/self/status').read_text())\n"
    )
    text = subprocess.run([sys.executable, "-c", code, engine], capture_output=True, text=True, check=True).stdout
    found = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name: 1024 * int(found[name].split()[0]) for name in ("RssAnon", "RssShmem", "RssFile")}


def _usual() -> list[Path]:
    material = Path(os.environ.get("EDGE_MATERIAL", ROOT.parent / "shared"))
    found = [ROOT / "edge_sdk/data/smear.litertlm", *sorted((ROOT / "build/bundles").glob("*.litertlm"))]
    found += sorted((material / "bundles").glob("*.litertlm"))
    return found + [material / "models" / f"{name}.tflite" for name in SEEING]


def main() -> None:
    """Compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="*", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--base", action="store_true", help="what a process takes before any section")
    parser.add_argument("--short", action="store_true", help="smear alone, to see that it runs")
    parser.add_argument("--use", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--engine", choices=ENGINES, default=None)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.use:
        use(options.use, options.engine, options.cache)
        return
    if options.base:
        print(json.dumps({engine: base(engine) for engine in ENGINES}, indent=2))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for path in options.bundles or (_usual()[:1] if options.short else _usual()):
            for engine in [options.engine] if options.engine else ENGINES:
                rows.append(compare(path, engine, Path(folder)))
                print(json.dumps(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
