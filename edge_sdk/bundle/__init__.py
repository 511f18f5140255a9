"""Bundles: the files that hold a model, its tokenizer, and what to know about both.

Names are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_sdk.late import late_names

if TYPE_CHECKING:
    from edge_sdk.bundle.bundle import Bundle, open_bundle
    from edge_sdk.bundle.card import Card, CellClass, Cells, Crowding, FrameInput, VisualLadder, VisualRung
    from edge_sdk.bundle.container import Section
    from edge_sdk.bundle.folder import (
        StoredBundle,
        add_bundle,
        bundle_folder,
        find_bundle,
        list_bundles,
        remove_bundle,
        sha256,
        user_folder,
    )
    from edge_sdk.bundle.metadata import Affix, ExecutorMetadata, LlmMetadata, Sampler, StateBuffer
    from edge_sdk.bundle.packed import Packed
    from edge_sdk.bundle.special import Token
    from edge_sdk.bundle.template import PromptTemplate, Turn
    from edge_sdk.bundle.tokenizer import Detokenizer, Tokenizer, decode, token_ids
    from edge_sdk.bundle.verification import Check, verify_bundle
    from edge_sdk.bundle.vision import Vision

__all__ = [
    "Affix",
    "Bundle",
    "Card",
    "CellClass",
    "Cells",
    "Check",
    "Crowding",
    "Detokenizer",
    "ExecutorMetadata",
    "FrameInput",
    "LlmMetadata",
    "Packed",
    "PromptTemplate",
    "Sampler",
    "Section",
    "StateBuffer",
    "StoredBundle",
    "Token",
    "Tokenizer",
    "Turn",
    "Vision",
    "VisualLadder",
    "VisualRung",
    "add_bundle",
    "bundle_folder",
    "decode",
    "find_bundle",
    "list_bundles",
    "open_bundle",
    "remove_bundle",
    "sha256",
    "token_ids",
    "user_folder",
    "verify_bundle",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "bundle": ("Bundle", "open_bundle"),
        "card": ("Card", "CellClass", "Cells", "Crowding", "FrameInput", "VisualLadder", "VisualRung"),
        "container": ("Section",),
        "folder": (
            "StoredBundle",
            "add_bundle",
            "bundle_folder",
            "find_bundle",
            "list_bundles",
            "remove_bundle",
            "sha256",
            "user_folder",
        ),
        "metadata": ("Affix", "ExecutorMetadata", "LlmMetadata", "Sampler", "StateBuffer"),
        "packed": ("Packed",),
        "special": ("Token",),
        "template": ("PromptTemplate", "Turn"),
        "tokenizer": ("Detokenizer", "Tokenizer", "decode", "token_ids"),
        "verification": ("Check", "verify_bundle"),
        "vision": ("Vision",),
    },
)
