from __future__ import annotations

import json
import random
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_sdk.bundle import Detokenizer, Token, Tokenizer, decode, open_bundle, token_ids
from edge_sdk.bundle.hugging_face import HuggingFace
from edge_sdk.bundle.spiece import SentencePiece
from edge_sdk.errors import BundleError, MissingDependency

tokenizers = pytest.importorskip("tokenizers")
sentencepiece = pytest.importorskip("sentencepiece")

TEXTS = (
    "What is this?",
    " What  is\nthis? \u00fcn\u00ef \U0001f600",
    "",
    "   a",
    "\u65e5\u672c\u8a9e text",
    "<|im_start|>user\nhi<|im_end|>",
    "\x00\t\u200d\ufffd",
)


def packed(text: str) -> bytes:
    return len(text.encode()).to_bytes(8, "little") + zlib.compress(text.encode())


def hugging_face(path: Path) -> tuple[HuggingFace, Any]:
    with open_bundle(path) as bundle:
        section = next(item for item in bundle.sections if item.kind == "HF_Tokenizer_Zlib")
        data = bytes(bundle.view(section))
    return HuggingFace(memoryview(data), str(path)), tokenizers.Tokenizer.from_str(zlib.decompress(data[8:]).decode())


def streamed(tokenizer: Tokenizer, tokens: list[int]) -> list[str]:
    detokenizer = Detokenizer(tokenizer)
    return [*(detokenizer.push(token) for token in tokens), detokenizer.flush()]


@pytest.mark.parametrize(
    "name", ["tiny-text.litertlm", "tiny-vision.litertlm", "litert_lm_testdata/test_hf_tokenizer.litertlm"]
)
def test_hugging_face_tokenizers_agree_with_their_library(material: Path, name: str) -> None:
    ours, library = hugging_face(material / "bundles" / name)
    assert ours.vocab_size == library.get_vocab_size()
    for text in TEXTS:
        tokens = ours.encode(text)
        assert tokens == library.encode(text, add_special_tokens=False).ids
        assert decode(ours, tokens) == text
    choose = random.Random(1)
    for _ in range(500):  # most of these are no text at all: replacement characters must be the same too
        tokens = [choose.randrange(ours.vocab_size) for _ in range(12)]
        assert "".join(streamed(ours, tokens)) == library.decode(tokens, skip_special_tokens=False)


@pytest.mark.parametrize(
    "name", ["litert_lm_testdata/sentencepiece.model", "tokenizers/sentencepiece_test_model.model"]
)
def test_sentencepiece_tokenizers_agree_with_their_library(material: Path, name: str) -> None:
    data = (material / "bundles" / name).read_bytes()
    ours, library = SentencePiece(memoryview(data), name), sentencepiece.SentencePieceProcessor(model_proto=data)
    assert ours.vocab_size == library.get_piece_size()
    for text in TEXTS:
        tokens = ours.encode(text)
        assert tokens == library.encode(text)
        assert decode(ours, tokens) == library.decode(tokens)
    choose = random.Random(2)
    for _ in range(500):
        tokens = [choose.randrange(ours.vocab_size) for _ in range(12)]
        assert "".join(streamed(ours, tokens)) == library.decode(tokens)


@pytest.mark.parametrize(("dummy_prefix", "squeeze"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_trained_sentencepiece_model_streams_as_its_library_decodes(
    tmp_path: Path, dummy_prefix: bool, squeeze: bool
) -> None:
    corpus = [f"there are {number} red blood cells and some white ones" for number in range(200)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_prefix=str(tmp_path / "model"),
        vocab_size=320,
        model_type="bpe",
        byte_fallback=True,
        add_dummy_prefix=dummy_prefix,
        remove_extra_whitespaces=squeeze,
        user_defined_symbols=["<frame>"],
        minloglevel=2,
    )
    data = (tmp_path / "model.model").read_bytes()
    ours, library = SentencePiece(memoryview(data), "model"), sentencepiece.SentencePieceProcessor(model_proto=data)
    for text in (" 12 cells", "12  cells", "<frame>How many?", "\u00fc \U0001f600 cells", "  \U0001f600"):
        tokens = ours.encode(text)
        assert tokens == library.encode(text)
        assert "".join(streamed(ours, tokens)) == library.decode(tokens)
    assert ours.token_id("<frame>") == library.piece_to_id("<frame>")


def test_the_tokens_of_a_question_are_those_that_litert_lm_sees(material: Path) -> None:
    with open_bundle(material / "bundles/tiny-text.litertlm") as bundle:
        tokenizer = bundle.tokenizer()
        assert tokenizer.encode("What is this?") == [57, 74, 267, 350, 805, 33]
        assert tokenizer.encode("count the cells") == [1024, 1875, 323, 290, 71, 536, 85]
        assert tokenizer is bundle.tokenizer()


def test_a_character_of_several_tokens_comes_whole_or_not_at_all(material: Path) -> None:
    ours, _ = hugging_face(material / "bundles/tiny-text.litertlm")
    text = "\u65e5\u672c \U0001f600\U0001f468\u200d\U0001f52c \u00fc"
    tokens = ours.encode(text)
    assert len(tokens) > len(text)
    pieces = streamed(ours, tokens)
    assert "".join(pieces) == text
    assert all("\ufffd" not in piece for piece in pieces)
    assert pieces.count("") > 5


def test_a_character_that_is_never_completed_shows_as_one_replacement(material: Path) -> None:
    ours, _ = hugging_face(material / "bundles/tiny-text.litertlm")
    tokens = ours.encode("a\U0001f600")
    assert streamed(ours, tokens[:-1])[-1] == "\ufffd"


def test_bytes_that_stand_for_themselves_stream_like_the_library_decodes() -> None:
    ours, library = byte_fallback()
    for text in ("red cells", " two  spaces", "\u00fc\U0001f600", "a\U0001f600b"):
        tokens = ours.encode(text)
        assert "".join(streamed(ours, tokens)) == library.decode(tokens) == text


def byte_fallback() -> tuple[HuggingFace, Any]:
    """Return a tokenizer of the shape that converted SentencePiece models have."""
    words = {f"<0x{byte:02X}>": byte for byte in range(256)}
    for letter in "\u2581acdelrstwopb":
        words[letter] = len(words)
    library = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=words, merges=[], byte_fallback=True))
    library.normalizer = tokenizers.normalizers.Sequence(
        [tokenizers.normalizers.Prepend("\u2581"), tokenizers.normalizers.Replace(" ", "\u2581")]
    )
    library.decoder = tokenizers.decoders.Sequence(
        [
            tokenizers.decoders.Replace("\u2581", " "),
            tokenizers.decoders.ByteFallback(),
            tokenizers.decoders.Fuse(),
            tokenizers.decoders.Strip(" ", 1, 0),
        ]
    )
    return HuggingFace(memoryview(packed(library.to_str())), "made"), library


def test_a_decoder_that_is_not_known_is_refused() -> None:
    library = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, unk_token="a"))
    library.decoder = tokenizers.decoders.WordPiece()
    with pytest.raises(BundleError, match=r"b\.litertlm turns tokens into text in a way that is not known") as error:
        HuggingFace(memoryview(packed(library.to_str())), "b.litertlm")
    assert "WordPiece" in str(error.value.why)


def test_a_tokenizer_that_cuts_or_pads_is_kept_from_it(material: Path) -> None:
    _, library = hugging_face(material / "bundles/tiny-text.litertlm")
    library.enable_truncation(3)
    library.enable_padding(length=3)
    ours = HuggingFace(memoryview(packed(library.to_str())), "cutting")
    assert len(ours.encode("count the cells")) == 7
    assert len(ours.encode("a")) == 1


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "unpacks to another size"),
        (b"\x05\0\0\0\0\0\0\0hello", "cannot be unpacked"),
        ((1 << 40).to_bytes(8, "little") + zlib.compress(b"{}"), "claims to unpack to"),
        ((2).to_bytes(8, "little") + zlib.compress(bytes(10_000_000)), "another size"),
        ((9).to_bytes(8, "little") + zlib.compress(b"{}"), "another size"),
        ((200).to_bytes(8, "little") + zlib.compress(b"x" * 200)[:-6], "another size"),
        (packed("{}"), "cannot be read as a tokenizer"),
        (packed("\ud7ff" * 3), "cannot be read as a tokenizer"),
        ((2).to_bytes(8, "little") + zlib.compress(b"\xff\xfe"), "cannot be unpacked"),
    ],
)
def test_what_is_no_packed_tokenizer_is_refused_by_name(data: bytes, complaint: str) -> None:
    with pytest.raises(BundleError, match=complaint) as error:
        HuggingFace(memoryview(data), "b.litertlm (section HF_Tokenizer_Zlib)")
    assert "b.litertlm" in error.value.what


def test_a_bundle_cut_into_its_tokenizer_names_the_file(
    write_bundle: Callable[..., Path], part: Any, kinds: Any, material: Path
) -> None:
    model = (material / "bundles/tokenizers/sentencepiece_test_model.model").read_bytes()
    for data in (model[: len(model) // 2], b"\xff" * 100):
        path = write_bundle(part(kinds.SP_Tokenizer, data))
        with open_bundle(path) as bundle, pytest.raises(BundleError, match=r"made\.litertlm \(section SP_Tokenizer\)"):
            bundle.tokenizer()


def test_flipped_bits_in_a_tokenizer_give_an_error_of_ours_or_a_tokenizer(
    material: Path, refusal: Callable[[Callable[[], object]], str]
) -> None:
    data = (material / "bundles/tokenizers/sentencepiece_test_model.model").read_bytes()
    text = json.dumps(json.loads(byte_fallback()[1].to_str()))
    choose = random.Random(4)
    errors = []
    for _ in range(150):
        model, words = bytearray(data), bytearray(text.encode())
        for _ in range(choose.choice((1, 3, 20))):
            model[choose.randrange(len(model))] ^= 1 << choose.randrange(8)
            words[choose.randrange(len(words))] ^= 1 << choose.randrange(7)
        json_view = memoryview(packed(words.decode("utf-8", "ignore")))
        errors.append(refusal(lambda model=model: SentencePiece(memoryview(bytes(model)), "b.litertlm")))
        errors.append(refusal(lambda view=json_view: HuggingFace(view, "b.litertlm")))
    assert 20 < sum(map(bool, errors)) < 280
    assert all("b.litertlm" in error for error in errors if error)


def test_tokens_out_of_range_stand_for_nothing(material: Path) -> None:
    ours, _ = hugging_face(material / "bundles/tiny-text.litertlm")
    assert ours.piece(-1) == ours.piece(ours.vocab_size + 5) == b""


def test_a_token_is_found_by_number_by_text_or_spelled_out(material: Path) -> None:
    ours, _ = hugging_face(material / "bundles/tiny-text.litertlm")
    assert token_ids(None, ours) == ()
    assert token_ids(Token(ids=(4, 5)), ours) == (4, 5)
    assert token_ids(Token("<|im_end|>"), ours) == (2,)
    assert token_ids(Token("What is"), ours) == tuple(ours.encode("What is"))


def test_a_missing_library_is_named_with_its_pip_command(material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for library, name, fix in (
        ("tokenizers", "tiny-text.litertlm", r"edge-sdk\[hf\]"),
        ("sentencepiece", "litert_lm_testdata/test_lm_lora.litertlm", "pip install sentencepiece"),
    ):
        monkeypatch.setitem(sys.modules, library, None)
        with open_bundle(material / "bundles" / name) as bundle, pytest.raises(MissingDependency, match=fix):
            bundle.tokenizer()


def test_a_bundle_without_a_tokenizer_says_so(material: Path) -> None:
    path = material / "bundles/litert_lm_testdata/dummy_vision_with_adapter.litertlm"
    with (
        open_bundle(path) as bundle,
        pytest.raises(BundleError, match=r"dummy_vision_with_adapter\.litertlm has no tokenizer"),
    ):
        bundle.tokenizer()


def test_a_tokenizer_may_belong_to_one_model_only(
    write_bundle: Callable[..., Path], part: Any, kinds: Any, material: Path
) -> None:
    model = (material / "bundles/tokenizers/sentencepiece_test_model.model").read_bytes()
    path = write_bundle(part(kinds.SP_Tokenizer, model, {"model_type": "tf_lite_text_encoder"}))
    with open_bundle(path) as bundle:
        assert bundle.tokenizer("tf_lite_text_encoder").vocab_size == 1000
        with pytest.raises(BundleError, match="has no tokenizer"):
            bundle.tokenizer()
