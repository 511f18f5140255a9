"""Write the shared weights as a graph for ONNX Runtime, with the operators that it has for language models.

Weights of 8 bits in blocks with 8-bit arithmetic (MatMulNBits, accuracy_level 4), grouped attention with rotary
positions and caches that are updated in place (GroupQueryAttention), the embeddings shared with the head, and scores
for the last position only: the graph that onnxruntime-genai's builder aims at, without the packages it needs.
Source: docs/ContribOperators.md, https://github.com/microsoft/onnxruntime
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from peer.gguf_file import theta_of
from peer.source import Source

_OPSETS = {"": 17, "com.microsoft": 1}


class _Graph:
    """A graph in the making."""

    def __init__(self, source: Source) -> None:
        import onnx

        self._onnx = onnx
        self.config = source.config
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.width = int(self.config["hidden_size"])
        self.heads, self.groups = (int(self.config[f"num_{kind}_heads"]) for kind in ("attention", "key_value"))
        self.head_width = self.width // self.heads

    def add(self, kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        domain = "com.microsoft" if kind in _CONTRIBUTED else ""
        self.nodes.append(self._onnx.helper.make_node(kind, inputs, outputs, outputs[0], domain=domain, **attributes))
        return outputs[0]

    def keep(self, name: str, array: np.ndarray[Any, Any]) -> str:
        self.constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def keep_blocks(self, name: str, rows: np.ndarray[Any, Any]) -> int:
        """Keep a matrix in 8 bits, each block of a row with its scale; return how long a block is."""
        block = 64 if rows.shape[1] % 64 == 0 else 32
        blocks = rows.reshape(len(rows), -1, block)
        scales = np.abs(blocks).max(2) / 127
        numbers = np.rint(blocks / np.maximum(scales, 1e-12)[..., None]) + 128  # 128 stands for zero
        self.keep(f"{name}.numbers", numbers.astype(np.uint8))
        self.keep(f"{name}.scales", scales.astype(np.float32))
        return block

    def multiply(
        self, name: str, given: str, rows: np.ndarray[Any, Any] | None, block: int, size: tuple[int, int]
    ) -> str:
        """Multiply by a matrix ``size = (outputs, inputs)``; without rows, by one that is kept already."""
        if rows is not None:
            block = self.keep_blocks(name, rows)
        wide = {"N": size[0], "K": size[1], "bits": 8, "block_size": block, "accuracy_level": 4}
        return self.add("MatMulNBits", [given, f"{name}.numbers", f"{name}.scales"], [f"{name}.out"], **wide)


_CONTRIBUTED = {"MatMulNBits", "GroupQueryAttention", "SkipSimplifiedLayerNormalization", "QuickGelu"}


def write_onnx(source: Source, target: Path) -> None:
    """Write one graph, and its weights beside it."""
    import onnx

    graph = _Graph(source)
    weights = dict(source.weights())
    block = graph.keep_blocks("embed", weights["model.embed_tokens.weight"])
    x = _embed(graph)
    _keep_angles(graph)
    x = _layers(graph, weights, x)
    graph.keep("last", np.array([-1]))
    last = graph.add("Gather", [x, "last"], ["spoken"], axis=1)
    vocabulary = int(source.config["vocab_size"])
    graph.nodes.append(
        onnx.helper.make_node(
            "Identity", [graph.multiply("embed", last, None, block, (vocabulary, graph.width))], ["logits"]
        )
    )
    made = onnx.helper.make_graph(graph.nodes, "decoder", *_ends(graph, vocabulary), graph.constants)
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
    model = onnx.helper.make_model(made, opset_imports=opsets, ir_version=10)
    beside = f"{target.name}.data"
    target.with_name(beside).unlink(missing_ok=True)
    onnx.save_model(model, target, save_as_external_data=True, location=beside)


def _embed(graph: _Graph) -> str:
    """Look rows up and undo their 8 bits, so that head and embeddings are one matrix."""
    rows = graph.add("Gather", ["embed.numbers", "input_ids"], ["embed.rows"], axis=0)
    graph.keep("zero", np.float32(128))
    graph.keep("width", np.array([0, 0, graph.width]))
    real = graph.add("Cast", [rows], ["embed.cast"], to=1)
    centred = graph.add("Sub", [real, "zero"], ["embed.centred"])
    scales = graph.add("Gather", ["embed.scales", "input_ids"], ["embed.row_scales"], axis=0)
    graph.keep("minus_one", np.array([-1]))
    scales = graph.add("Unsqueeze", [scales, "minus_one"], ["embed.wide_scales"])
    scaled = graph.add("Mul", [centred, scales], ["embed.scaled"])
    return graph.add("Reshape", [scaled, "width"], ["embedded"])


def _keep_angles(graph: _Graph) -> None:
    half = graph.head_width // 2
    rates = theta_of(graph.config) ** (-np.arange(half) / half)
    angles = np.arange(2048)[:, None] * rates[None]
    graph.keep("cosines", np.cos(angles).astype(np.float32))
    graph.keep("sines", np.sin(angles).astype(np.float32))


def _layers(graph: _Graph, weights: dict[str, Any], x: str) -> str:
    """Add all layers, and the norm behind the last."""
    epsilon = float(graph.config["rms_norm_eps"])
    branch = ""
    for number in range(int(graph.config["num_hidden_layers"])):
        at = f"model.layers.{number}."
        for part, norm in ((_attend, "input_layernorm"), (_transform, "post_attention_layernorm")):
            scale = graph.keep(f"{at}{norm}", weights[f"{at}{norm}.weight"])
            x, given = _norm(graph, x, branch, scale, epsilon)
            branch = part(graph, weights, given, number)
    return _norm(graph, x, branch, graph.keep("norm", weights["model.norm.weight"]), epsilon)[1]


def _norm(graph: _Graph, x: str, branch: str, scale: str, epsilon: float) -> tuple[str, str]:
    """Add a branch to the stream, where there is one; return the stream and its norm."""
    if not branch:
        return x, graph.add("SimplifiedLayerNormalization", [x, scale], [f"{scale}.out"], axis=-1, epsilon=epsilon)
    outputs = [f"{scale}.out", "", "", f"{scale}.sum"]
    graph.add("SkipSimplifiedLayerNormalization", [x, branch, scale], outputs, epsilon=epsilon)
    return outputs[3], outputs[0]


def _attend(graph: _Graph, weights: dict[str, Any], given: str, number: int) -> str:
    at = f"model.layers.{number}.self_attn."
    packed = np.concatenate([weights[f"{at}{part}_proj.weight"] for part in "qkv"])
    mixed = graph.multiply(f"{at}qkv", given, packed, 0, packed.shape)
    caches = [f"past_key_{number}", f"past_value_{number}"]
    attended = graph.add(
        "GroupQueryAttention",
        [mixed, "", "", *caches, "seqlens_k", "total_sequence_length", "cosines", "sines"],
        [f"{at}out", f"present_key_{number}", f"present_value_{number}"],
        num_heads=graph.heads,
        kv_num_heads=graph.groups,
        do_rotary=1,
    )
    rows = weights[f"{at}o_proj.weight"]
    return graph.multiply(f"{at}o_proj", attended, rows, 0, rows.shape)


def _transform(graph: _Graph, weights: dict[str, Any], given: str, number: int) -> str:
    at = f"model.layers.{number}.mlp."
    gate, up, down = (weights[f"{at}{part}_proj.weight"] for part in ("gate", "up", "down"))
    opened = graph.add(
        "QuickGelu", [graph.multiply(f"{at}gate", given, gate, 0, gate.shape)], [f"{at}opened"], alpha=1.0
    )
    product = graph.add("Mul", [opened, graph.multiply(f"{at}up", given, up, 0, up.shape)], [f"{at}product"])
    return graph.multiply(f"{at}down", product, down, 0, down.shape)


def _ends(graph: _Graph, vocabulary: int) -> tuple[list[Any], list[Any]]:
    from onnx import TensorProto
    from onnx.helper import make_tensor_value_info as end

    cache = [1, graph.groups, "room", graph.head_width]
    names = [f"{kind}_{n}" for n in range(int(graph.config["num_hidden_layers"])) for kind in ("key", "value")]
    inputs = [
        end("input_ids", TensorProto.INT64, [1, "tokens"]),
        end("seqlens_k", TensorProto.INT32, [1]),
        end("total_sequence_length", TensorProto.INT32, []),
        *(end(f"past_{name}", TensorProto.FLOAT, cache) for name in names),
    ]
    outputs = [
        end("logits", TensorProto.FLOAT, [1, 1, vocabulary]),
        *(end(f"present_{name}", TensorProto.FLOAT, cache) for name in names),
    ]
    return inputs, outputs
