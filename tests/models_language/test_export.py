"""Tests for bundles that are written operator by operator."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from edge_sdk.bundle import Bundle, open_bundle
from edge_sdk.memory.footprint import used_graphs
from edge_sdk.memory.workload import workload
from edge_sdk.pipeline import load
from edge_sdk.pipeline.kv_cache import Stage, read_stages
from edge_sdk.runtime import Model, Signature, open_model

pytest.importorskip("litert_lm_builder", reason="litert-lm-builder is not installed")
pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")

from models.language.export import Plan, export

WIDTH, HIDDEN, LAYERS, HEADS, KEY_HEADS, TOKENS = 32, 64, 2, 4, 2, 300
HEAD = WIDTH // HEADS
CONFIG = {
    "model_type": "llama",
    "hidden_size": WIDTH,
    "intermediate_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KEY_HEADS,
    "vocab_size": TOKENS,
    "rope_theta": 10000.0,
    "rms_norm_eps": 1e-5,
    "eos_token_id": 0,
}
Tensors = dict[str, npt.NDArray[np.float32]]


def _tensors() -> Tensors:
    draw = np.random.default_rng(3).standard_normal
    found = {"model.embed_tokens.weight": draw((TOKENS, WIDTH)), "model.norm.weight": 1 + 0.1 * draw(WIDTH)}
    kept = WIDTH * KEY_HEADS // HEADS
    shapes = {"q": (WIDTH, WIDTH), "k": (kept, WIDTH), "v": (kept, WIDTH), "o": (WIDTH, WIDTH)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        for name in ("input_layernorm", "post_attention_layernorm"):
            found[f"{at}.{name}.weight"] = 1 + 0.1 * draw(WIDTH)
        for name, shape in shapes.items():
            found[f"{at}.self_attn.{name}_proj.weight"] = draw(shape) / WIDTH**0.5
        for name, shape in {"gate": (HIDDEN, WIDTH), "up": (HIDDEN, WIDTH), "down": (WIDTH, HIDDEN)}.items():
            found[f"{at}.mlp.{name}_proj.weight"] = draw(shape) / shape[1] ** 0.5
    return {name: array.astype(np.float32) for name, array in found.items()}


def _write_source(folder: Path, tensors: Tensors) -> None:
    (folder / "config.json").write_text(json.dumps(CONFIG))
    header, data = {}, b""
    for name, array in tensors.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    about = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(about).to_bytes(8, "little") + about + data)
    letters = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))]
    words = {text: number for number, text in enumerate([*letters, *(f"w{number}" for number in range(TOKENS - 256))])}
    split = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": split,
        "decoder": split,
        "model": {"type": "BPE", "vocab": words, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def _expected(tensors: Tensors, tokens: list[int]) -> npt.NDArray[np.float32]:
    """Compute a Llama model's scores in float, the whole text at once."""

    def norm(x: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float32]:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * tensors[name]

    def heads(x: npt.NDArray[np.float32], name: str, count: int) -> npt.NDArray[np.float32]:
        return (x @ tensors[name].T).reshape(len(tokens), count, HEAD).transpose(1, 0, 2)

    def turn(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        angles = np.arange(len(tokens))[:, None] * 10000.0 ** (-np.arange(HEAD // 2) / (HEAD // 2))
        wave = (x[..., : HEAD // 2] + 1j * x[..., HEAD // 2 :]) * np.exp(1j * angles)
        return np.concatenate([wave.real, wave.imag], -1)

    x = tensors["model.embed_tokens.weight"][tokens]
    for layer in range(LAYERS):
        at = f"model.layers.{layer}"
        y = norm(x, f"{at}.input_layernorm.weight")
        query, key, value = (
            heads(y, f"{at}.self_attn.{name}_proj.weight", count)
            for name, count in (("q", HEADS), ("k", KEY_HEADS), ("v", KEY_HEADS))
        )
        key, value = (np.repeat(each, HEADS // KEY_HEADS, 0) for each in (turn(key), value))
        scores = turn(query) @ key.transpose(0, 2, 1) / HEAD**0.5
        scores = np.exp(np.where(np.tri(len(tokens), dtype=bool), scores, -np.inf))
        found = (scores / scores.sum(-1, keepdims=True)) @ value
        x = x + found.transpose(1, 0, 2).reshape(len(tokens), WIDTH) @ tensors[f"{at}.self_attn.o_proj.weight"].T
        y = norm(x, f"{at}.post_attention_layernorm.weight")
        gate, up = (y @ tensors[f"{at}.mlp.{name}_proj.weight"].T for name in ("gate", "up"))
        x = x + (gate / (1 + np.exp(-gate)) * up) @ tensors[f"{at}.mlp.down_proj.weight"].T
    return norm(x, "model.norm.weight") @ tensors["model.embed_tokens.weight"].T


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    _write_source(folder, _tensors())
    export(folder, folder / "it.litertlm", plan=Plan(lengths=(32, 64), prefill=(8,), verify=(4,)))
    return folder / "it.litertlm"


def _open(opened: Bundle) -> Model:
    section = opened.section("tf_lite_prefill_decode")
    return open_model(opened.path, offset=section.offset, size=section.size, engine="litert", threads=1)


def every_run(stage: Stage) -> tuple[Signature, ...]:
    return (stage.decode, *stage.prefills.values(), *stage.begins.values(), *stage.verifies.values())


def test_a_bundle_has_each_kind_of_run_for_each_length_and_plain_names_for_the_longest(bundle: Path) -> None:
    with open_bundle(bundle) as opened, _open(opened) as model:
        runs = {"decode", "prefill_8", "verify_4"}
        scored = {f"cache_{length}_{name}_8" for length in (32, 64) for name in ("prefill", "begin")}
        assert set(model.signatures) == {*runs, "cache_32_decode", "cache_32_verify_4", *scored}
        assert model.signatures["verify_4"].outputs["logits"].shape == (1, 4, TOKENS)
        for name in scored:
            assert model.signatures[name].outputs["logits"].shape == (1, 1, TOKENS)
        # LiteRT-LM fills what it knows of, and reads nothing else.
        assert set(model.signatures["prefill_8"].inputs) - set(model.signatures["decode"].inputs) == set()
        assert "logits" not in model.signatures["prefill_8"].outputs


def test_the_engine_is_given_a_step_and_what_begins_a_prompt_before_all_else(bundle: Path) -> None:
    with open_bundle(bundle) as opened, _open(opened) as model:
        assert set(model._program.indices) == {"cache_32_decode", "cache_32_begin_8"}


def test_caches_are_float16_but_for_the_longest_which_litert_lm_reads(bundle: Path) -> None:
    with open_bundle(bundle) as opened, _open(opened) as model:
        stages, names = read_stages(model, opened.executor)
        kinds = {
            stage.length: {
                spec.dtype.name
                for run in every_run(stage)
                for item in names
                for spec in (run.inputs[item.decode[0]], run.outputs[item.decode[1]])
            }
            for stage in stages
        }
    assert kinds == {32: {"float16"}, 64: {"float32"}}
    short, long = stages
    assert long.cache_bytes == 4 * short.cache_bytes


def test_what_is_computed_goes_on_in_a_longer_cache_of_another_type(bundle: Path) -> None:
    tokens = [int(token) for token in np.random.default_rng(5).integers(0, TOKENS, 48)]
    expected = _expected(_tensors(), tokens)
    with load(bundle, engine="litert", threads=1) as model:
        decoder = model._words().new_decoder(lambda: None)
        decoder.feed(tokens[:24])
        found = {}
        for at in range(24, 48):
            found[at] = decoder.step(tokens[at]).copy()
            assert decoder.caches is not None
            assert decoder.caches.arrays[0].dtype.name == ("float16" if at < 32 else "float32")
    off = [np.linalg.norm(scores - expected[at]) / np.linalg.norm(expected[at]) for at, scores in found.items()]
    assert max(off) < 0.06
    assert np.mean(off) < 0.03


@pytest.mark.parametrize(
    ("length", "prefill", "verify", "decode"),
    [
        (64, "prefill_8", "verify_4", "decode"),
        (64, "cache_64_prefill_8", "verify_4", "decode"),
        (64, "cache_64_begin_8", "verify_4", "decode"),
        (32, "cache_32_prefill_8", "cache_32_verify_4", "cache_32_decode"),
        (32, "cache_32_begin_8", "cache_32_verify_4", "cache_32_decode"),
    ],
)
def test_scores_are_those_of_a_llama_model_whichever_runs_give_them(
    bundle: Path, length: int, prefill: str, verify: str, decode: str
) -> None:
    tokens = [int(token) for token in np.random.default_rng(4).integers(0, TOKENS, 16)]
    expected = _expected(_tensors(), tokens)
    with open_bundle(bundle) as opened, _open(opened) as model:
        step = model.signatures[decode]
        caches = {name: model.buffer(spec) for name, spec in step.inputs.items() if name in step.outputs}
        found: dict[int, npt.NDArray[np.float32]] = {}
        for name, at, count in ((prefill, 0, 8), (verify, 8, 4), *((decode, at, 1) for at in range(12, 16))):
            run = model.bind(name, inputs=caches, outputs=caches)
            run.inputs["tokens"][0, :] = tokens[at : at + count]
            run.inputs["input_pos"][:] = np.arange(at, at + count)
            seen = 8 if "begin" in name else length
            mask = run.inputs["mask"].reshape(count, seen)
            mask[...] = np.where(np.arange(seen) <= np.arange(at, at + count)[:, None], 0, -1e9)
            for last in range(count) if "last_row" in run.inputs else [count - 1]:
                if "last_row" in run.inputs:
                    run.inputs["last_row"][0, 0] = np.arange(count) == last
                run()
                rows = run.outputs["logits"][0].copy() if "logits" in run.outputs else []
                found |= {at + last + 1 - len(rows) + row: scores for row, scores in enumerate(rows)}
    assert set(found) == set(range(0 if "cache" in prefill else 8, 16))
    # INT8 weights and activations: two hundredths of the scores' size.
    off = [np.linalg.norm(scores - expected[at]) / np.linalg.norm(expected[at]) for at, scores in found.items()]
    assert max(off) < 0.06
    assert np.mean(off) < 0.03


def test_its_tokenizer_needs_no_library(bundle: Path) -> None:
    with open_bundle(bundle) as opened:
        tokenizer = opened.tokenizer()
        assert repr(tokenizer) == f"<byte-pair tokenizer of {TOKENS} tokens>"
        assert b"".join(tokenizer.piece(token) for token in tokenizer.encode("a cell")) == b"a cell"


def test_a_seeing_bundle_takes_a_frame_and_has_embeddings_of_its_own(tmp_path: Path) -> None:
    _write_source(tmp_path, _tensors())
    export(tmp_path, tmp_path / "it.litertlm", plan=Plan(lengths=(32,), prefill=(8,), verify=()), seeing=True)
    with open_bundle(tmp_path / "it.litertlm") as opened:
        assert opened.metadata.vision is not None
        ends = {
            name: next(iter(opened.model(f"tf_lite_{name}").signatures.values()))
            for name in ("vision_encoder", "vision_adapter", "embedder", "prefill_decode")
        }
    assert ends["vision_encoder"].outputs["features"].shape == ends["vision_adapter"].inputs["soft_tokens"].shape
    assert ends["vision_adapter"].outputs["mm_embedding"].shape == (1, 256, WIDTH)
    assert ends["embedder"].outputs["embeddings"].shape == ends["prefill_decode"].inputs["embeddings"].shape


def test_runs_that_only_litert_lm_makes_count_as_never_made(bundle: Path) -> None:
    with open_bundle(bundle) as opened:
        graphs = workload(opened, "tf_lite_prefill_decode")
        assert {graph.signature for graph in graphs if graph.idle} == {"prefill_8"}
        used = used_graphs(graphs, None)
        assert {graph.signature for graph in used} == set(opened.model("tf_lite_prefill_decode").signatures) - {
            "prefill_8"
        }
        with _open(opened) as model:
            stages, _ = read_stages(model, opened.executor)
        made = {run.name for stage in stages for run in every_run(stage)}
    assert made == {graph.signature for graph in used}


def test_a_bundle_for_others_alone_has_none_of_the_runs_that_they_pass_over(tmp_path: Path) -> None:
    _write_source(tmp_path, _tensors())
    export(tmp_path, tmp_path / "it.litertlm", plan=Plan((32, 64), (8,), verify=(), scored=False))
    with open_bundle(tmp_path / "it.litertlm") as opened:
        signatures = opened.model("tf_lite_prefill_decode").signatures
        assert set(signatures) == {"decode", "prefill_8", "cache_32_decode", "cache_32_prefill_8"}
        assert not any("last_row" in item.inputs for item in signatures.values())
