"""Run bundles under real memory limits, LiteRT-LM beside them: each run answers within its limit or refuses first.

    python benchmarks/memory.py --json OUT [--bundle FILE ...] [--limits-mb 64 128 ...] [--short] [--places group lab]
    python benchmarks/memory.py --from OUT [MORE] --table docs/reference/memory-limits.md

Each run is a process in a control group of its own (v1 or v2; needs the right to make one), with the limit as its
budget and no swap. What the bundle's file and the packed weights have in the page cache is dropped before: pages are
charged to the group that reads them first, and what another has read limits nothing. Libraries cannot be dropped, they
are in use; the place `lab` is the same in whole systems of 128, 256 and 512 MB (the small Linux of the folder
EDGE_MATERIAL), where everything counts, and the budget is what the system has.

A run loads, puts 100 tokens or so in, and decodes; smear is asked about a frame. `ours` has its weights packed and its
sections measured already, `first` starts with an empty weight cache, `streamed` is tried where `ours` refuses.
`litert_lm` is LiteRT-LM's own benchmark of the same file with its cache warm, 128 tokens in, and never a frame.

The exit code is 1 where a run of ours neither answered nor refused.

JSON: `{"limits_mb", "tokens", "rows": [{"place", "bundle", "bundle_bytes", "weight_cache_bytes", "side", "limit_mb",
"outcome", "tokens_per_s", "peak_bytes", "oom_kills", "seconds", "told"}], "skipped": [...]}`. An outcome is answered,
refused, cut (ended early, for want of memory), killed, failed or timed out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from control_group import drop_pages, group, may_limit

ROOT = Path(__file__).resolve().parents[1]
MATERIAL = Path(os.environ.get("EDGE_MATERIAL", ROOT.parent / "shared"))
LIMITS_MB = (64, 80, 100, 128, 160, 200, 256, 320, 400, 512, 640)
LAB_MB = (128, 256, 512)
SIDES = ("first", "ours", "streamed", "litert_lm")
_WORDS = "how many cells are there and where are they in this frame "
_LIMIT_S = 180.0
_MARK = "RESULT "
_LAB_NOTE = """\
The budget of a whole system is what it has, and that of the small Linux differs from start to start: of 128 MB its
kernel leaves 109 to 118 MB (`MemTotal`), of which 0.8 less the reserve is a budget of 75 to 82 MB. Asking smear about a
frame needs 80 MB there, so at 128 MB one start answers and the next refuses, whether its weights are packed or not: all
its parts are smaller than those whose packed weights are kept."""


def ours(bundle: Path, cache: Path, budget: str, tokens: int, *, stream: bool) -> dict[str, Any]:
    """Answer with the SDK in this process, within a budget."""
    import edge_sdk as edge
    from edge_sdk.runtime import WeightCache

    task = "ask" if "smear" in bundle.stem else "text"
    settings = {"budget": budget or None, "task": task, "stream": stream, "weight_cache": WeightCache(cache)}
    begin = time.perf_counter()
    try:
        # Planned by name, so that it is planned for what there is, too, where no budget is told.
        plan = edge.plan(bundle, **settings)
    except edge.OverBudget as error:
        return {"outcome": "refused", "told": error.what}
    with edge.load(plan, weight_cache=settings["weight_cache"]) as model:
        if task == "ask":
            frame = edge.Frame.open(sorted((ROOT / "edge_sdk/data/photos").glob("*.jpg"))[0])
            answer = model.ask("How many white blood cells are there?", frame, max_tokens=tokens)
        else:
            answer = model.ask(_filling(model, 100), max_tokens=tokens)
        told = answer.text
        return {
            "outcome": "cut" if answer.finish == "memory" else "answered",
            "tokens_per_s": answer.timings.tokens_per_s,
            "first_token_s": answer.timings.first_token_s,
            "seconds": time.perf_counter() - begin,
            "told": "; ".join(step.name for step in plan.steps if step.taken),
            "characters": len(told),
        }


def warm(bundle: Path, cache: Path) -> dict[str, Any]:
    """Pack weights, and measure what sections take, as `edge plan --measure` does."""
    import edge_sdk as edge
    from edge_sdk.memory.measurement import measure as measure_sections
    from edge_sdk.runtime import WeightCache

    kept = WeightCache(cache)
    plan = edge.plan(bundle, budget="64GB", weight_cache=kept)
    with edge.open_bundle(bundle) as opened:
        measure_sections(opened, engine=plan.engine, threads=plan.threads, weight_cache=kept)
    return {"outcome": "answered"}


def _filling(model: Any, tokens: int) -> str:
    """Make a question of about so many tokens."""
    each = len(model.bundle.tokenizer().encode(_WORDS * 10)) / 10
    return _WORDS * max(1, int(tokens / each))


def litert_lm(bundle: Path, cache: Path, tokens: int) -> dict[str, Any]:
    """Run LiteRT-LM's own benchmark in this process."""
    import litert_lm as library

    library.set_min_log_severity(library.LogSeverity.ERROR)
    begin = time.perf_counter()
    backend = library.Backend.CPU(thread_count=min(4, len(os.sched_getaffinity(0))))
    found = library.Benchmark(
        str(bundle), backend=backend, prefill_tokens=128, decode_tokens=tokens, cache_dir=str(cache)
    ).run()
    return {
        "outcome": "answered",
        "tokens_per_s": found.last_decode_tokens_per_second,
        "first_token_s": found.time_to_first_token_in_second,
        "seconds": time.perf_counter() - begin,
    }


def work(side: str, bundle: Path, cache: Path, budget: str, tokens: int) -> None:
    """Be the process of one run, and print what came out on the real standard output."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # LiteRT-LM logs on both
    if side == "warm":
        found = warm(bundle, cache)
    elif side == "litert_lm":
        found = litert_lm(bundle, cache, tokens)
    else:
        found = ours(bundle, cache, budget, tokens, stream=side == "streamed")
    out.write(_MARK + json.dumps(found) + "\n")
    out.flush()
    os._exit(0)  # LiteRT-LM's threads sometimes crash at exit


def _worker(side: str, bundle: Path, cache: Path, budget: str, tokens: int) -> list[str]:
    where = ["--bundle", str(bundle), "--cache", str(cache), "--budget", budget]
    return [sys.executable, str(Path(__file__).resolve()), "--worker", side, *where, "--tokens", str(tokens)]


def _finished(command: list[str], limit_s: float = _LIMIT_S) -> tuple[dict[str, Any], str]:
    """Run a worker, and return what it found and everything it said."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return {"outcome": "timed out", "seconds": limit_s}, ""
    said = ended.stdout + ended.stderr
    line = next((line for line in ended.stdout.splitlines() if line.startswith(_MARK)), None)
    if line is not None:
        return json.loads(line.removeprefix(_MARK)), said
    last = ((ended.stderr or ended.stdout).strip().splitlines() or [""])[-1][:200]
    return {"outcome": "killed" if ended.returncode in (137, -9) else "failed", "told": last}, said


def limited(side: str, bundle: Path, cache: Path, limit_mb: int, tokens: int) -> dict[str, Any]:
    """Run one side in a control group."""
    drop_pages(bundle, cache)
    with group(limit_mb) as made:
        found, _ = _finished(made.command(_worker(side, bundle, cache, f"{limit_mb}MB", tokens)))
        found |= {"peak_bytes": made.peak_bytes(), "oom_kills": made.oom_kills()}
    if found["oom_kills"]:
        found["outcome"] = "killed"
    return found


def in_lab(side: str, bundle: Path, cache: Path, memory_mb: int, tokens: int) -> dict[str, Any]:
    """Run one side in a system of its own."""
    watch = '"$@"; ended=$?; echo "KILLS $(dmesg | grep -c "Out of memory")"; exit $ended'
    worker = ["/bin/sh", "-c", watch, "sh", *_worker(side, bundle, cache, "", tokens)]
    command = [str(MATERIAL / "lab/lab"), "--mem", f"{memory_mb}M", "--time", str(int(_LIMIT_S)), "--", *worker]
    found, said = _finished(command, _LIMIT_S + 60)
    kills = next((line for line in said.splitlines() if line.startswith("KILLS ")), None)
    found["oom_kills"] = int(kills.split()[1]) if kills else 0
    if kills is None and found["outcome"] != "timed out":
        found |= {"outcome": "failed", "told": "The system ended before its time."}
    if found["oom_kills"]:
        found["outcome"] = "killed"
    return found


def measure(
    place: str, bundle: Path, limits_mb: list[int], tokens: int, sides: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    """Run all sides of a bundle at all limits."""
    run = limited if place == "group" else in_lab
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:  # on a disk: /tmp may be memory itself
        packed, other = Path(scratch, "packed", "weights"), Path(scratch, "litert_lm")
        other.mkdir()
        for side, cache in (("warm", packed), ("litert_lm", other)):
            found, said = _finished(_worker(side, bundle, cache, "", 4))  # packs the weights
            if found["outcome"] != "answered":
                print(f"{side} of {bundle.name}: {found['outcome']}, {said[-300:]}", flush=True)
        for limit_mb in limits_mb:
            refused = False
            for side in sides:
                if side == "streamed" and not refused:
                    continue
                cold = Path(scratch, f"cold-{limit_mb}", "weights")
                cache = {"first": cold, "litert_lm": other}.get(side, packed)
                found = run(side, bundle, cache, limit_mb, tokens if side != "first" else 4)
                refused = found["outcome"] == "refused" if side == "ours" else refused
                sizes = {"bundle_bytes": bundle.stat().st_size, "weight_cache_bytes": _weights_bytes(packed)}
                row = {"place": place, "bundle": bundle.stem, "side": side, "limit_mb": limit_mb, **sizes, **found}
                print(json.dumps(row), flush=True)
                yield row


def _weights_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.weights"))


def broken(rows: list[dict[str, Any]]) -> list[str]:
    """Return the runs of ours that neither answered nor refused beforehand, each as a line."""
    return [
        f"{row['bundle']} {row['side']} at {row['limit_mb']} MB ({row['place']}): {row['outcome']} {row.get('told')}"
        for row in rows
        if row["side"] != "litert_lm" and (row["outcome"] not in ("answered", "refused") or row["oom_kills"])
    ]


def table(result: dict[str, Any]) -> str:
    """Write what was found as a page."""
    heads = {"first": "first start", "ours": "Edge SDK", "streamed": "streamed", "litert_lm": "LiteRT-LM 0.18"}
    lines = [
        "# What runs within which limit",
        "",
        "Written by `python benchmarks/memory.py`; how it is measured stands at the top of that file. Tokens per",
        "second where it answered; a first start packs the weights, and says only whether it came through. LiteRT-LM",
        "is given text alone, of smear too. One run each: where weights come from the disk, rates vary twofold with",
        "what else it does; outcomes do not. Answers of random weights (all but smear's) soon repeat themselves, and",
        "the SDK guesses what repeats: trained models gain less from that. What an empty cell stands for was not run.",
    ]
    for place, title in (("group", "In a control group"), ("lab", "In a whole system with so much memory")):
        rows = [row for row in result["rows"] if row["place"] == place]
        for bundle in dict.fromkeys(row["bundle"] for row in rows):
            own = {(row["limit_mb"], row["side"]): row for row in rows if row["bundle"] == bundle}
            sides = [side for side in SIDES if any(key[1] == side for key in own)]
            lines += ["", f"## {bundle}: {title[0].lower()}{title[1:]}", ""]
            lines += ["| MB | " + " | ".join(heads[side] for side in sides) + " |", "|" + "---|" * (len(sides) + 1)]
            for limit in dict.fromkeys(key[0] for key in own):
                cells = [_cell(own.get((limit, side)), side) for side in sides]
                lines.append(f"| {limit} | " + " | ".join(cells) + " |")
    kills = {side: sum(row["oom_kills"] for row in result["rows"] if row["side"] == side) for side in SIDES}
    own_kills = sum(count for side, count in kills.items() if side != "litert_lm")
    lines += ["", f"Killed by the kernel: {own_kills} of ours, {kills['litert_lm']} of LiteRT-LM."]
    if any(row["place"] == "lab" for row in result["rows"]):
        lines += ["", _LAB_NOTE]
    return "\n".join([*lines, *(f"\nSkipped: {reason}." for reason in result["skipped"])]) + "\n"


def _cell(row: dict[str, Any] | None, side: str) -> str:
    if row is None:
        return ""
    if row["outcome"] != "answered":
        return f"**{row['outcome']}**" if row["outcome"] == "killed" else str(row["outcome"])
    peak = f", peak {row['peak_bytes'] / 1e6:.0f} MB" if row.get("peak_bytes") else ""
    return ("answers" if side == "first" else f"{row['tokens_per_s']:.1f}") + peak


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, action="append")
    parser.add_argument("--limits-mb", type=int, nargs="+", default=list(LIMITS_MB))
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--places", nargs="+", choices=("group", "lab"), default=["group"])
    parser.add_argument("--short", action="store_true", help="smear at two limits, to see that it runs")
    parser.add_argument("--from", dest="sources", type=Path, nargs="+", help="take what was measured before")
    parser.add_argument("--table", type=Path, help="write a page")
    parser.add_argument("--worker", choices=("warm", *SIDES), help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--budget", help=argparse.SUPPRESS)
    return parser.parse_args()


def _all(options: argparse.Namespace) -> dict[str, Any]:
    smear = ROOT / "edge_sdk/data/smear.litertlm"
    bundles = options.bundle or [smear, *sorted((ROOT / "build/bundles").glob("*m.litertlm"))]
    limits, sides = options.limits_mb, tuple(side for side in SIDES if side in options.sides)
    if options.short:
        bundles, limits, sides = [smear], [64, 128], ("ours",)
    lab = MATERIAL / "lab/lab"
    may = {"group": may_limit, "lab": lambda: "" if lab.exists() else "there is no small Linux (set EDGE_MATERIAL)"}
    reasons = {place: may[place]() for place in options.places}
    rows = [
        row
        for place, reason in reasons.items()
        if not reason
        for bundle in bundles
        for row in measure(place, bundle, limits if place == "group" else list(LAB_MB), options.tokens, sides)
    ]
    return {
        "limits_mb": limits,
        "tokens": options.tokens,
        "rows": rows,
        "skipped": [reason for reason in reasons.values() if reason],
    }


def _joined(files: list[Path]) -> dict[str, Any]:
    found = [json.loads(file.read_text()) for file in files]
    both = {key: [item for one in found for item in one[key]] for key in ("rows", "skipped")}
    return {**found[0], **both}


def main() -> None:
    """Measure, print and write."""
    options = _options()
    if options.worker:
        work(options.worker, options.bundle[0], options.cache, options.budget, options.tokens)
        return
    result = _joined(options.sources) if options.sources else _all(options)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.table:
        options.table.write_text(table(result))
    if bad := broken(result["rows"]):
        raise SystemExit("Runs of ours that neither answered nor refused beforehand:\n" + "\n".join(bad))


if __name__ == "__main__":
    main()
