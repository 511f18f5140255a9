"""A model of several lengths of cache, of which the engine is shown one: the right graphs, and nothing else changed."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_sdk.bundle.flatbuffer import FlatReader
from edge_sdk.bundle.tflite import read_tflite
from edge_sdk.errors import BundleError, ModelError
from edge_sdk.runtime import graph_choice, open_model
from edge_sdk.runtime.graph_choice import cache_groups, map_chosen
from edge_sdk.runtime.litert_program import Program
from edge_sdk.runtime.region import Region

flatbuffers = pytest.importorskip("flatbuffers")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
# Signatures in no order: what each adds to its cache is its place, from 1 on.
PLACES = {"decode": 16, "short_decode": 8, "feed": 16, "short_feed": 8, "short_verify": 8, "verify": 16}
SHORT = frozenset(["short_decode", "short_feed", "short_verify"])


def _tensor(name: str, length: int, buffer: int = 0) -> Any:
    kind = schema.TensorType.FLOAT32
    return schema.TensorT(shape=[1, length], type=kind, name=name, buffer=buffer, hasRank=True)


def _graph(number: int, length: int) -> Any:
    return schema.SubGraphT(
        tensors=[_tensor("cache", length), _tensor("step", length, number), _tensor("sum", length)],
        inputs=[0],
        outputs=[2],
        operators=[
            schema.OperatorT(
                opcodeIndex=0,
                inputs=[0, 1],
                outputs=[2],
                builtinOptionsType=schema.BuiltinOptions.AddOptions,
                builtinOptions=schema.AddOptionsT(),
            )
        ],
        name=f"graph {number}",
    )


def _model(*, inner: bool = False) -> bytes:
    """Write a model whose signatures add their place to their cache; an inner graph stands first where asked for."""
    graphs = [_graph(1, 4)] if inner else []
    buffers, signatures = [schema.BufferT()], []
    for number, (name, length) in enumerate(PLACES.items(), 1):
        buffers.append(schema.BufferT(data=np.full(length, number, np.float32).view(np.uint8)))
        ends = [[schema.TensorMapT("cache", 0)], [schema.TensorMapT("cache", 2)]]
        signatures.append(schema.SignatureDefT(*ends, signatureKey=name, subgraphIndex=len(graphs)))
        graphs.append(_graph(number, length))
    code = schema.OperatorCodeT(builtinCode=schema.BuiltinOperator.ADD, version=1)
    model = schema.ModelT(
        version=3, operatorCodes=[code], subgraphs=graphs, buffers=buffers, signatureDefs=signatures, description=""
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture(params=[False, True], ids=["signatures only", "an inner graph"])
def region(request: pytest.FixtureRequest, tmp_path: Path) -> Region:
    path = tmp_path / "several.tflite"
    path.write_bytes(_model(inner=request.param))
    return Region.of(path)


def test_signatures_are_parted_by_their_caches_the_smallest_first(region: Region) -> None:
    assert cache_groups(region.describe()) == (SHORT, frozenset(PLACES) - SHORT)


def test_what_is_shown_has_the_chosen_signatures_and_is_sound(region: Region) -> None:
    _, view, _ = map_chosen(region, SHORT)
    shown = read_tflite(memoryview(view), "shown")
    assert set(shown.signatures) == SHORT
    assert {item.inputs["cache"].shape for item in shown.signatures.values()} == {(1, 8)}
    whole = region.describe()
    assert {len(whole.subgraphs) - len(shown.subgraphs)} <= {0, len(PLACES) - len(SHORT)}


def test_the_file_stays_as_it_is_and_only_pages_told_of_differ(region: Region) -> None:
    before = region.path.read_bytes()
    pages, view, changed = map_chosen(region, SHORT)
    assert region.path.read_bytes() == before
    differing = {at // mmap.PAGESIZE for at in np.flatnonzero(view != np.frombuffer(before, np.uint8))}
    assert differing
    assert differing <= set(changed)
    with pytest.raises(TypeError):
        pages[0] = 1  # nobody writes to them from here on


def test_each_signature_runs_its_own_graph_in_whatever_order_they_are_bound(region: Region) -> None:
    with open_model(region.path, engine="litert", threads=1) as model:
        for number, name in [*enumerate(PLACES, 1), *reversed([*enumerate(PLACES, 1)])]:
            run = model.bind(name)
            run()
            assert set(run.outputs["cache"].reshape(-1)) == {number}, name


def test_runs_bound_before_stay_good_while_others_are_loaded(region: Region) -> None:
    with open_model(region.path, engine="litert", threads=1) as model:
        runs = {number: model.bind(name) for number, name in enumerate(PLACES, 1)}
        for number, run in runs.items():
            run()
            assert set(run.outputs["cache"].reshape(-1)) == {number}


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_lists_that_lie_in_two_pages_are_written_to_all_the_same(region: Region, shift: int) -> None:
    # A section of a made-up bundle may begin anywhere.
    data = region.path.read_bytes()
    reader = FlatReader(memoryview(data), "several")
    for at in sorted(graph_choice._writes(reader, SHORT)):
        lead = -(at + shift) % mmap.PAGESIZE
        region.path.write_bytes(bytes(lead) + data)
        _, view, _ = map_chosen(Region(region.path, lead, len(data)), SHORT)
        assert set(read_tflite(memoryview(view), "shown").signatures) == SHORT


def test_a_list_that_stands_behind_what_it_lists_is_refused(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    # Only a table that lies within the list itself could bring that about.
    monkeypatch.setattr(graph_choice, "_writes", lambda *_: {64: -4})
    with pytest.raises(BundleError, match="damaged"):
        map_chosen(region, SHORT)


def test_lists_that_lie_on_what_was_checked_are_refused(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = FlatReader(region.map()[1].data, region.name)
    operator = next(list(reader.root().tables(2))[-2].tables(3))  # of the last short one
    asked = graph_choice._writes
    # As if a list ended where the operator says which tensor it takes.
    monkeypatch.setattr(graph_choice, "_writes", lambda *of: {**asked(*of), operator.target(1) + 4: 999})
    with pytest.raises(BundleError, match="uses tensor 999"):
        map_chosen(region, SHORT)


def test_a_model_of_one_length_leaves_nothing_to_choose(material: Path) -> None:
    assert cache_groups(Region.of(material / "models" / "mnist_quantized.tflite").describe()) == ()


def test_runs_that_were_let_go_of_say_so_and_the_model_goes_on(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ModelError("There is no room.")

    with open_model(region.path, engine="litert", threads=1) as model:
        run = model.bind("short_decode")
        with monkeypatch.context() as patch:
            patch.setattr(Program, "_load", fail)
            with pytest.raises(ModelError, match="no room"):
                model.bind("short_verify")
        with pytest.raises(ModelError, match="lost 'short_decode'"):
            run()
        again = model.bind("short_decode")
        again()
        assert set(again.outputs["cache"].reshape(-1)) == {2}
