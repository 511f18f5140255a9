"""How much memory a section takes once it is open and runs, told from the headers of its file alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from edge_sdk.bundle import Bundle, byte_pair
from edge_sdk.bundle.jinja import JinjaTemplate
from edge_sdk.memory.workload import GraphLoad, workload
from edge_sdk.runtime.graph_choice import cache_groups

__all__ = [
    "BASE",
    "PACKER",
    "SIGHT",
    "Footprint",
    "cache_bytes",
    "packing_footprint",
    "predict",
    "predict_words",
    "running_bytes",
    "takes_turns",
    "used_graphs",
]

# What the records of an operator take in an engine, with the tensors around it (26.1 MB for the 6178 of a decoder),
# those of a graph, and what a section takes whatever is in it, with the pages of code that its operators wake.
_OPERATOR_BYTES, _GRAPH_BYTES = 4300, 10_000
_SECTION_BYTES, _SECTION_FILE_BYTES = 600_000, 700_000
# Reading headers touches the pages in which an operator's and its tensors' tables lie.
_HEADER_BYTES = 2000
# The engine places tensors one by one, largest first, and leaves gaps between them; tables are padded to whole tiles.
_GAPS = 1.15
# Packed weights carry sums and scales for each row, and are padded to whole tiles.
_PACKED_SHARE, _PACKED_BYTES = 1.03, 1 << 16
# A tokenizer: what its library takes, of it private, and how many times the size of its file (unpacked) it takes while
# it is read and once what that left over has gone back to the system (malloc_trim). 41.8 and 14.5 MB for the 3.4 MB of
# JSON of 49 152 words; 2.5 and 2.0 MB for a SentencePiece model of 0.33 MB.
_TOKENIZERS = {"HF_Tokenizer_Zlib": (5_500_000, 1_200_000, 12.5, 5.5), "SP_Tokenizer": (2_500_000, 1_200_000, 4.5, 4.0)}
# Words that a tokenizer without a library remembers the tokens of: 4096 at most, some 300 bytes each.
_WORDS_KEPT_BYTES = 1_300_000
# The process that renders templates in Jinja; of its pages of files the kernel shares most with this one.
_TEMPLATE_BYTES = 12_000_000
# A thread's stack, as far as it is used.
_THREAD_BYTES = 100_000
# Of a table, a look-up touches a page, and the kernel maps those around it that are at hand (fault_around_bytes).
_LOOK_UP_BYTES, _LOOK_UPS = 1 << 16, 4096
# Sections smaller than this never use the weight cache.
_CACHED_MIN_BYTES = 2 << 20


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of one section held open in a process, in bytes.

    Attributes
    ----------
    load_private_bytes : int
        The most private memory while it is being opened.
    private_bytes : int
        Private memory once it is open and has run: the engine's records, what flows through the graphs, the
        arrays bound to them with their caches full, and packed weights where there is no cache file.
    file_bytes : int
        Pages of files that it touches when it runs: packed weights in their cache file, tables of the bundle.
        The kernel may drop them and read them again.
    """

    load_private_bytes: int
    private_bytes: int
    file_bytes: int

    def __add__(self, other: Footprint) -> Footprint:
        """Give what two sections take that are open at once, the second opened while the first is there."""
        return Footprint(
            max(self.load_private_bytes, self.private_bytes + other.load_private_bytes),
            self.private_bytes + other.private_bytes,
            self.file_bytes + other.file_bytes,
        )

    @property
    def peak_bytes(self) -> int:
        """The most memory of either kind."""
        return max(self.load_private_bytes, self.private_bytes) + self.file_bytes


# What a process takes before any section: Python, numpy, this package, the engine's library and its code that the
# first section wakes. Measured by: python benchmarks/footprint.py --base
BASE: Mapping[str, Footprint] = MappingProxyType(
    {
        "litert": Footprint(22_500_000, 22_500_000, 22_500_000),
        "interpreter": Footprint(23_500_000, 23_500_000, 28_500_000),
    }
)

# What OpenCV adds once a frame is looked at.
SIGHT = Footprint(4_000_000, 4_000_000, 12_500_000)

# What the process takes that packs weights.
PACKER = Footprint(24_000_000, 24_000_000, 22_000_000)


def predict(
    bundle: Bundle,
    section: str,
    *,
    engine: str,
    threads: int = 1,
    weight_cached: bool = True,
    cache_length: int | None = None,
) -> Footprint:
    """Tell what a section will take, from headers; no weight is read.

    Parameters
    ----------
    bundle : Bundle
        An open bundle.
    section : str
        The name of a model section.
    engine : {'litert', 'interpreter'}
        What will run it.
    threads : int
        With how many threads.
    weight_cached : bool
        Whether its packed weights lie in a cache file by then; only LiteRT has such files, and only for sections
        from 2 MiB on.
    cache_length : int, optional
        The most tokens that one conversation will hold; by default the most that the section offers.

    Returns
    -------
    Footprint
        Never less than what it takes. How much more, bundle by bundle, tells docs/explanation/what-takes-memory.md.

    Raises
    ------
    BundleError
        There is no such section, or it is damaged.
    """
    graphs = workload(bundle, section)
    used = used_graphs(graphs, cache_length)
    size = bundle.section(section).size
    if engine == "interpreter":
        records = _records_bytes(graphs, threads)
        return _in_interpreter(graphs, used, records, size, mapped=bundle.version is None)
    cached = weight_cached and size >= _CACHED_MIN_BYTES
    stages = _stages(graphs, used) if takes_turns(bundle, section) else [(graphs, used)]
    found = [_in_litert(held, called, _records_bytes(held, threads), size, cached=cached) for held, called in stages]
    # While the caches of one length are filled from those of the one before, all that goes with these is still there.
    moving = [held.private_bytes + cache_bytes(next_) for held, (_, next_) in zip(found, stages[1:], strict=False)]
    return Footprint(
        max(item.load_private_bytes for item in found),
        max([item.private_bytes for item in found] + moving),
        max(item.file_bytes for item in found),
    )


def takes_turns(bundle: Bundle, section: str) -> bool:
    """Say whether LiteRT holds the graphs of one length of cache at a time, as `LiteRtModel` does."""
    return bool(cache_groups(bundle.model(section)))


def _stages(
    graphs: Collection[GraphLoad], used: Collection[GraphLoad]
) -> list[tuple[list[GraphLoad], list[GraphLoad]]]:
    """Part the graphs that are open and those that are called by the length of their caches, the shortest first."""
    found = []
    for length in sorted({graph.cache_length or 0 for graph in used}):
        here = [graph for graph in graphs if not graph.signature or (graph.cache_length or 0) == length]
        held = [graph for graph in here if not graph.idle]  # such a one is not even loaded
        found.append((held, [graph for graph in used if (graph.cache_length or 0) == length]))
    return found


def _in_litert(
    graphs: Collection[GraphLoad], used: Collection[GraphLoad], records: int, size: int, *, cached: bool
) -> Footprint:
    inner = {graph.signature: int(_GAPS * graph.inner_bytes) for graph in used}
    early = any(graph.prepared_early for graph in graphs)
    packed, running, file = _packed_bytes(used), running_bytes(used, inner), _pages_bytes(graphs, used, size)
    prepared = sum(inner.values()) if early else 0
    if cached:
        return Footprint(records + prepared, records + running, packed + file)
    # Each weight is packed beside the others, and then put with them.
    opened = records + _largest_bytes(used)
    return Footprint(opened + prepared + packed * early, opened + running + packed, file)


def _in_interpreter(
    graphs: Collection[GraphLoad], used: Collection[GraphLoad], records: int, size: int, *, mapped: bool
) -> Footprint:
    """Count what shares nothing: each graph has weights, inputs and outputs of its own, a cache on both sides."""
    own = {graph.signature: int(_GAPS * graph.inner_bytes) + graph.ends_bytes + 2 * graph.cache_bytes for graph in used}
    early = len(used) < 2 or any(graph.prepared_early for graph in graphs)
    packed = sum(_packed_bytes([graph]) for graph in graphs)
    prepared = packed + sum(own.values()) if early else 0
    # A part of a file is read into memory; a whole one is mapped, and all of it read while it is packed.
    opened = records if mapped else records + size
    file = size + _SECTION_FILE_BYTES if mapped else _pages_bytes(graphs, used, size)
    return Footprint(opened + prepared, opened + packed + running_bytes(used, own), file)


def predict_words(bundle: Bundle) -> Footprint:
    """Tell what a bundle's tokenizer takes, and the process that renders its prompt template, where it takes one."""
    most = Footprint(0, 0, 0)
    laid_out = [section.size for section in bundle.sections if section.name == byte_pair.SECTION]
    if laid_out:
        most = Footprint(_WORDS_KEPT_BYTES, _WORDS_KEPT_BYTES, laid_out[-1])
    for section in () if laid_out else bundle.sections:
        if section.kind in _TOKENIZERS:
            library, private, loading, staying = _TOKENIZERS[section.kind]
            packed = section.kind.endswith("Zlib")  # its first eight bytes are its size unpacked
            size = int.from_bytes(bundle.view(section)[:8], "little") if packed else section.size
            found = Footprint(private + int(loading * size), private + int(staying * size), library)
            most = max(most, found, key=lambda item: item.load_private_bytes)
    source = bundle.metadata.jinja_template
    if source is None or not JinjaTemplate(source, str(bundle.path)).takes_process:
        return most
    return most + Footprint(_TEMPLATE_BYTES, _TEMPLATE_BYTES, 0)


def packing_footprint(bundle: Bundle, section: str, *, threads: int = 1) -> Footprint:
    """Tell what the process takes that writes a section's weight cache, itself included.

    Its `file_bytes` may be dropped and written out at any time; packing goes on, slower.
    """
    graphs = workload(bundle, section)
    private = PACKER.private_bytes + _records_bytes(graphs, threads) + _largest_bytes(graphs)
    file = PACKER.file_bytes + _packed_bytes(graphs) + bundle.section(section).size
    return Footprint(private, private, file)


def _records_bytes(graphs: Collection[GraphLoad], threads: int) -> int:
    operators = sum(graph.operators for graph in graphs)
    return _SECTION_BYTES + _OPERATOR_BYTES * operators + _GRAPH_BYTES * len(graphs) + _THREAD_BYTES * (threads - 1)


def _pages_bytes(graphs: Collection[GraphLoad], used: Collection[GraphLoad], size: int) -> int:
    """Return which pages of a section are touched: those of its tables, and constants that stay where they are."""
    tables = min(max((graph.table_bytes for graph in used), default=0), _LOOK_UPS * _LOOK_UP_BYTES)
    headers = _HEADER_BYTES * sum(graph.operators for graph in graphs)
    return min(size, tables + headers) + _SECTION_FILE_BYTES


def _largest_bytes(graphs: Iterable[GraphLoad]) -> int:
    return max((size for graph in graphs for size in graph.weights.values()), default=0)


def used_graphs(graphs: Iterable[GraphLoad], cache_length: int | None) -> list[GraphLoad]:
    """Return the graphs that are called: a decoder begins with the shortest cache and moves up as far as it must."""
    called = [graph for graph in graphs if graph.signature and not graph.idle]
    lengths = sorted({graph.cache_length for graph in called if graph.cache_length is not None})
    most = next((length for length in lengths if cache_length and length >= cache_length), None)
    return [graph for graph in called if graph.cache_length is None or most is None or graph.cache_length <= most]


def cache_bytes(used: Iterable[GraphLoad]) -> int:
    """Return what the longest caches of some graphs take; those that share a length share their caches."""
    return max((graph.cache_bytes for graph in used), default=0)


def running_bytes(used: Collection[GraphLoad], added: Mapping[str, int], *, turns: bool = False) -> int:
    """Return the most that graphs take while a conversation moves up through their caches.

    Parameters
    ----------
    used : collection of GraphLoad
        The graphs that are called.
    added : mapping
        What each signature's first run adds, which stays, besides the arrays bound to it.
    turns : bool
        The graphs of one length go when those of the next come; see `takes_turns`.
    """
    most = stays = held = 0
    for length in sorted({graph.cache_length or 0 for graph in used}):
        stage = [graph for graph in used if (graph.cache_length or 0) == length]
        caches = cache_bytes(stage)
        most = max(most, stays + held + caches)  # what is in use is copied from one to the other
        if turns:
            stays = 0
        stays += sum(graph.ends_bytes + added[graph.signature] for graph in stage)
        most, held = max(most, stays + caches), caches
    return most


def _packed_bytes(graphs: Iterable[GraphLoad]) -> int:
    """Return what packed weights take that graphs share."""
    weights = {buffer: size for graph in graphs for buffer, size in graph.weights.items()}
    return int(_PACKED_SHARE * sum(weights.values())) + (_PACKED_BYTES if weights else 0)
