"""The decode loop: the same tokens however the prompt is cut, wherever the caches are, and at their end."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from edge_sdk.bundle import Bundle, open_bundle
from edge_sdk.errors import Cancelled, ClosedError, ModelError, PromptTooLong
from edge_sdk.memory import Loader, bundle_parts
from edge_sdk.pipeline.decoder import Decoder
from edge_sdk.pipeline.sampler import Sampler
from edge_sdk.runtime import open_model

# What LiteRT-LM 0.18.1 answers to "What is this?" and "count the cells" (README of the test bundles), as tokens.
KNOWN = [
    ([57, 74, 267, 350, 805, 33], [20, 519, 943, 1910, 561, 1546, 561, 15, 1863, 934, 934, 934, 1915, 1868]),
    ([1024, 1875, 323, 290, 71, 536, 85], [165, 1181, 981, 1970, 822, 1078, 1446, 649, 1587, 1911, 1375, 1297]),
]


class Loaded:
    """A bundle whose models are opened as decoders need them."""

    def __init__(self, path: Path) -> None:
        self.bundle: Bundle = open_bundle(path)
        self.loader = Loader(bundle_parts(self.bundle, threads=1))

    def __enter__(self) -> Loaded:
        return self

    def __exit__(self, *error: object) -> None:
        self.loader.close()
        self.bundle.close()

    def decoder(self, longest: int | None = None) -> Decoder:
        return Decoder(self.bundle, self.loader.acquire, longest=longest)


@pytest.fixture(scope="module")
def text(material: Path) -> Iterator[Loaded]:
    with Loaded(material / "bundles" / "tiny-text.litertlm") as loaded:
        yield loaded


@pytest.fixture(scope="module")
def two_caches(material: Path) -> Iterator[Loaded]:
    with Loaded(material / "bundles" / "tiny-text-two-caches.litertlm") as loaded:
        yield loaded


@pytest.fixture(scope="module")
def vision(material: Path) -> Iterator[Loaded]:
    with Loaded(material / "bundles" / "tiny-vision.litertlm") as loaded:
        yield loaded


def answer(decoder: Decoder, prompt: list[int], count: int) -> list[int]:
    """Decode greedily after a prompt."""
    decoder.feed(prompt[:-1])
    token, found = prompt[-1], []
    for _ in range(count):
        token = Sampler().pick(decoder.step(token))
        found.append(token)
    return found


def some_tokens(count: int) -> list[int]:
    return random.Random(count).choices(range(3, 2048), k=count)


@pytest.mark.parametrize(("prompt", "expected"), KNOWN)
def test_answers_are_those_of_litert_lm(text: Loaded, prompt: list[int], expected: list[int]) -> None:
    decoder = text.decoder()
    assert answer(decoder, prompt, len(expected)) == expected
    assert decoder.position == len(prompt) + len(expected) - 1
    assert decoder.capacity == 512


def test_two_cache_lengths_give_the_tokens_of_one(text: Loaded, two_caches: Loaded) -> None:
    for size in (4, 100, 127, 129, 200):
        prompt = some_tokens(size)
        assert answer(two_caches.decoder(), prompt, 40) == answer(text.decoder(), prompt, 40)


def test_the_cache_starts_short_moves_up_in_the_midst_and_comes_back(two_caches: Loaded, text: Loaded) -> None:
    decoder, prompt = two_caches.decoder(), some_tokens(120)
    first = answer(decoder, prompt, 8)
    assert "cache of 128" in repr(decoder)
    token, rest = first[-1], []
    for _ in range(10):
        token = Sampler().pick(decoder.step(token))
        rest.append(token)
    assert "cache of 512" in repr(decoder)
    assert first + rest == answer(text.decoder(), prompt, 18)
    decoder.reset()
    assert answer(decoder, prompt, 8) == first
    assert "cache of 128" in repr(decoder)


def test_a_prompt_fed_in_parts_gives_the_same(text: Loaded) -> None:
    prompt = some_tokens(150)
    whole = answer(text.decoder(), prompt, 6)
    chance = random.Random(3)
    for _ in range(4):
        decoder, fed = text.decoder(), 0
        while fed < 140:
            size = chance.randint(1, 60)
            decoder.feed(prompt[fed : min(fed + size, 140)])
            fed = min(fed + size, 140)
        assert decoder.position == 140
        assert answer(decoder, prompt[140:], 6) == whole


def test_the_last_places_of_the_cache_are_filled_without_shifting_what_is_there(text: Loaded) -> None:
    prompt = some_tokens(510)
    in_parts = text.decoder()
    in_parts.feed(prompt[:450])
    in_parts.feed(prompt[450:509])  # 59 tokens: a chunk of 128 would pass the end
    one_by_one = text.decoder()
    one_by_one.feed(prompt[:384])
    for token in prompt[384:509]:
        one_by_one.step(token)
    scores = [decoder.step(prompt[509]).copy() for decoder in (in_parts, one_by_one)]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-3)
    assert in_parts.position == 510


def test_a_prompt_longer_than_the_cache_is_refused_and_nothing_is_lost(text: Loaded) -> None:
    decoder = text.decoder()
    decoder.feed(some_tokens(500))
    with pytest.raises(PromptTooLong, match=r"13 more tokens after 500 do not fit"):
        decoder.feed(some_tokens(13))
    assert decoder.position == 500
    decoder.feed(some_tokens(12))
    with pytest.raises(PromptTooLong, match=r"holds 512"):
        decoder.step(5)


def test_several_decoders_share_a_model_without_mixing_up(text: Loaded) -> None:
    one, two = text.decoder(), text.decoder()
    one.feed(KNOWN[0][0][:-1])
    two.feed(KNOWN[1][0][:-1])
    tokens = [KNOWN[0][0][-1], KNOWN[1][0][-1]]
    found: list[list[int]] = [[], []]
    for _ in range(8):
        for place, decoder in enumerate((one, two)):
            tokens[place] = Sampler().pick(decoder.step(tokens[place]))
            found[place].append(tokens[place])
    assert found == [KNOWN[0][1][:8], KNOWN[1][1][:8]]


def test_scores_are_the_engines_own_memory(text: Loaded) -> None:
    decoder = text.decoder()
    first = decoder.step(7)
    assert first.base is not None
    assert np.shares_memory(first, decoder.step(8))


def test_embeddings_and_tokens_can_follow_each_other(vision: Loaded) -> None:
    prompt = some_tokens(40)
    rows = np.zeros((40, 128), np.float32)
    with vision.loader.acquire("tf_lite_embedder") as embedder:
        run = embedder.bind()
        for token, row in zip(prompt, rows, strict=True):
            run.inputs["token_ids"][...] = token
            run()
            row[:] = run.outputs["embeddings"].reshape(-1)
    by_tokens, mixed = vision.decoder(), vision.decoder()
    by_tokens.feed(prompt)
    mixed.feed(prompt[:10])
    mixed.feed(rows[10:33])
    mixed.feed(prompt[33:])
    np.testing.assert_allclose(mixed.step(9), by_tokens.step(9), atol=1e-3)


def test_a_text_model_refuses_embeddings(text: Loaded) -> None:
    with pytest.raises(ModelError, match=r"takes tokens only, no frames"):
        text.decoder().feed(np.zeros((3, 64), np.float32))


def test_a_model_that_takes_embeddings_needs_an_embedder(vision: Loaded, text: Loaded) -> None:
    with pytest.raises(ModelError, match=r"no embedder"):
        Decoder(text.bundle, vision.loader.acquire)


def test_a_model_that_cannot_decode_says_what_it_has(text: Loaded, material: Path) -> None:
    with (
        open_model(material / "models" / "mnist_quantized.tflite") as model,
        pytest.raises(ModelError, match=r"no signature that decodes") as caught,
    ):
        Decoder(text.bundle, lambda *_: nullcontext(model))
    assert "serving_default" in str(caught.value)


def test_a_checkpoint_is_called_between_chunks_and_its_error_ends_the_work(text: Loaded) -> None:
    calls = []

    def checkpoint() -> None:
        calls.append(decoder.position)
        if len(calls) == 3:
            raise Cancelled("The reader went away.")

    decoder = Decoder(text.bundle, text.loader.acquire, checkpoint=checkpoint)
    with pytest.raises(Cancelled, match=r"reader went away"):
        decoder.feed(some_tokens(300))
    assert calls == [0, 128, 256]
    assert decoder.position == 256


def test_a_cancel_from_another_thread_ends_a_long_prompt_and_decoding_can_go_on(text: Loaded) -> None:
    begun, errors = threading.Event(), []
    decoder = Decoder(text.bundle, text.loader.acquire, checkpoint=begun.set)

    def work() -> None:
        try:
            while True:
                decoder.reset()
                decoder.feed(some_tokens(400))
        except Cancelled as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10)
    while thread.is_alive():
        decoder.cancel()
        thread.join(0.001)
    assert len(errors) == 1
    decoder.reset()
    assert answer(decoder, KNOWN[0][0], 8) == KNOWN[0][1][:8]


def test_a_closed_decoder_says_so(text: Loaded) -> None:
    decoder = text.decoder()
    decoder.step(5)
    decoder.close()
    decoder.close()
    with pytest.raises(ClosedError, match=r"was closed"):
        decoder.step(5)
