"""A language model that can be reckoned by hand: it says what follows from the tokens that its cache and mask show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_sdk.pipeline.decoder import Decoder
from edge_sdk.pipeline.prefix import Kin
from edge_sdk.runtime import Array, Model, Run, Signature, TensorSpec

VOCABULARY = 64


class Toy(Model):
    """Each token takes a row in two caches that grow along different axes; scores come from what can be seen there.

    It writes all rows of a run, filled or not, and shifts a run back that would pass the end, as engines do.
    """

    engine = "toy"

    def __init__(
        self,
        lengths: Sequence[int],
        prefills: Sequence[int],
        verifies: Sequence[int],
        period: int,
        halves: Sequence[int],
        asked: bool,
    ) -> None:
        super().__init__("toy")
        self.period = period
        self.calls: list[tuple[str, int]] = []
        self.during: Callable[[], None] | None = None
        found = {}
        for length in lengths:
            for kind, sizes in (("decode", [1]), ("prefill", prefills), ("verify", verifies)):
                for size in sizes:
                    name = f"cache_{length}_{kind}_{size}"
                    found[name] = _signature(
                        name, size, length, scored=kind != "prefill", half=length in halves, asked=asked
                    )
        self.signatures = MappingProxyType(found)

    def say(self, tokens: Sequence[int]) -> int:
        """Say what follows; ever the same again where the last two tokens are."""
        return 3 + (tokens[-1] + 2 * tokens[-2] + 1) % self.period if len(tokens) > 1 else tokens[-1]

    def tell(self, prompt: Sequence[int], count: int) -> list[int]:
        """Give the greedy answer to a prompt."""
        text = list(prompt)
        for _ in range(count):
            text.append(self.say(text))
        return text[len(prompt) :]

    def _bind(self, signature: Signature, inputs: dict[str, Array], outputs: dict[str, Array]) -> Run:
        return ToyRun(self, signature, inputs, outputs)

    def _release(self) -> None:
        pass


class ToyRun(Run):
    """One signature of the toy."""

    def _invoke(self) -> None:
        model = self._model
        assert isinstance(model, Toy)
        inputs = {name: np.asarray(array).reshape(-1) for name, array in self.inputs.items() if "cache" not in name}
        keys, values = self.outputs["cache_k"], self.outputs["cache_v"]
        assert keys is self.inputs["cache_k"], "caches are updated in place"
        tokens, length = inputs["tokens"], keys.shape[2]
        model.calls.append((self.signature.name, len(tokens)))
        if model.during is not None:
            model.during()
            if model._cancelled:
                return
        start = min(int(inputs["input_pos"][0]), length - len(tokens))
        keys[0, 0, start : start + len(tokens), 0] = inputs["input_pos"]
        values[0, 0, 0, start : start + len(tokens)] = tokens
        if "logits" not in self.outputs:
            return
        masks = self.inputs["mask"].reshape(len(tokens), -1)
        if "last_row" in inputs:
            assert sorted(inputs["last_row"]) == [0] * (len(tokens) - 1) + [1]
            masks = masks[inputs["last_row"] == 1]
        for row, mask in enumerate(masks):
            seen = np.flatnonzero(mask == 0)
            at = keys[0, 0, seen, 0]
            text = [int(token) for token in values[0, 0, 0, seen]]
            # What is seen out of its place says something else.
            best = model.say(text) if np.array_equal(at, np.arange(len(at))) and text else 0
            self.outputs["logits"][0, row] = -0.5 * ((np.arange(VOCABULARY) - best) % VOCABULARY)


def _signature(name: str, size: int, length: int, *, scored: bool, half: bool, asked: bool) -> Signature:
    def spec(name: str, shape: tuple[int, ...], kind: str) -> TensorSpec:
        return TensorSpec(name, shape, np.dtype(kind))

    kind = "float16" if half else "float32"
    caches = [spec("cache_k", (1, 1, length, 2), kind), spec("cache_v", (1, 1, 2, length), kind)]
    inputs = [
        spec("tokens", (1, size), "int32"),
        spec("input_pos", (size,), "int32"),
        spec("mask", (1, 1, size, length), "float32"),
    ]
    outputs = [spec("logits", (1, size, VOCABULARY), "float32")] if scored else []
    if asked and not scored:
        inputs.append(spec("last_row", (1, 1, size), "float32"))
        outputs.append(spec("logits", (1, 1, VOCABULARY), "float32"))
    by_name: list[Any] = [{item.name: item for item in (*ends, *caches)} for ends in (inputs, outputs)]
    return Signature(name, MappingProxyType(by_name[0]), MappingProxyType(by_name[1]))


class ToyMaker:
    """Makes decoders over one toy, as its bundle would have it."""

    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        self.kin: Kin | None = None

    def decoder(self, **more: Any) -> Decoder:
        bundle: Any = SimpleNamespace(
            executor=None,
            metadata=SimpleNamespace(max_num_tokens=0),
            section=lambda _: SimpleNamespace(size=1_000_000),
        )
        acquire: Any = lambda *_: nullcontext(self.toy)  # noqa: E731 - what stands for a loader
        decoder = Decoder(bundle, acquire, kin=self.kin, **more)
        self.kin = decoder.kin
        return decoder


@pytest.fixture
def toy() -> Callable[..., ToyMaker]:
    """Make toys: lengths of caches, sizes of runs, how soon sayings wrap around, which caches are float16.

    Where they are asked, runs for prompts say what follows one of their tokens.
    """

    def make(
        lengths: Sequence[int] = (32, 128),
        prefills: Sequence[int] = (4, 16),
        verifies: Sequence[int] = (),
        period: int = 7,
        halves: Sequence[int] = (),
        asked: bool = False,
    ) -> ToyMaker:
        return ToyMaker(Toy(lengths, prefills, verifies, period, halves, asked))

    return make
