"""LiteRT-LM as an oracle: the same file, the same picture, the same question, greedy; the same text has to come out."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

import edge_sdk as edge
from edge_sdk.bundle import find_bundle
from edge_sdk.frame import Frame

HERE = Path(__file__).resolve().parent
PHOTOS = sorted((HERE.parents[1] / "edge_sdk/data/photos").glob("*.jpg"))
PROMPTS = [
    "What is this?",
    "count the cells",
    "Where are the white ones, and how many of them touch each other?",
    "Ünïcode: 2 µm, 37 °C — ok?",
    "a",
]
SPOKEN = [
    "How many white blood cells are there?",
    "How many red blood cells do you see?",
    "Are there any platelets?",
    "Where are the white blood cells?",
    "What is the weather like?",
]

pytestmark = pytest.mark.skipif(importlib.util.find_spec("litert_lm") is None, reason="litert-lm-api is not installed")


def _oracle(bundle: Path, questions: list[dict[str, Any]]) -> list[dict[str, str]]:
    request = json.dumps({"bundle": str(bundle), "questions": questions})
    done = subprocess.run(
        [sys.executable, str(HERE / "ask_litert_lm.py")],
        input=request,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: list[dict[str, str]] = json.loads(done.stdout)
    return answers


def test_tiny_text_answers_as_litert_lm_does(material: Path) -> None:
    bundle = material / "bundles/tiny-text.litertlm"
    questions = [{"text": prompt, "pictures": [], "max_tokens": 40} for prompt in PROMPTS]
    theirs = _oracle(bundle, questions)
    with edge.load(bundle) as model:
        for question, oracle in zip(questions, theirs, strict=True):
            answer = model.ask(question["text"], max_tokens=40)
            assert answer.text == oracle["text"]
            assert len(answer.tokens) > 24


def test_smear_answers_as_litert_lm_does_on_pictures_of_the_encoders_own_size(tmp_path: Path) -> None:
    bundle = find_bundle("smear")
    pictures = []
    for photo in PHOTOS:
        pictures.append(str(tmp_path / f"{photo.stem}.png"))
        # Both then see the same pixels: they resize, and read JPEG, a little differently.
        cv2.imwrite(pictures[-1], cv2.resize(Frame.open(photo).pixels, (288, 288), interpolation=cv2.INTER_AREA))
    questions = [{"text": text, "pictures": [path], "max_tokens": 40} for path in pictures for text in SPOKEN]
    questions += [{"text": text, "pictures": [], "max_tokens": 40} for text in SPOKEN[:2]]
    theirs = _oracle(bundle, questions)
    with edge.load(bundle) as model:
        for question, oracle in zip(questions, theirs, strict=True):
            assert model.ask(question["text"], question["pictures"], max_tokens=40).text == oracle["text"]
