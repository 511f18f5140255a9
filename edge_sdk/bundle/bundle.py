"""Open a bundle: a ``.litertlm`` file, or a plain ``.tflite`` model.

The file is mapped into memory: what is not read costs nothing, and the engine reads the same pages.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING

from edge_sdk.bundle import byte_pair, container, tflite
from edge_sdk.bundle.container import Header, Section, Value
from edge_sdk.bundle.metadata import (
    ExecutorMetadata,
    LlmMetadata,
    read_executor_metadata,
    read_llm_metadata,
)
from edge_sdk.bundle.template import PromptTemplate, prompt_template
from edge_sdk.bundle.tflite import TfliteModel, read_tflite
from edge_sdk.bundle.tokenizer import Tokenizer
from edge_sdk.errors import BundleError, ClosedError
from edge_sdk.late import Late

if TYPE_CHECKING:
    from edge_sdk.bundle import card as cards
    from edge_sdk.bundle import hugging_face, packed, spiece
    from edge_sdk.bundle.card import Card
    from edge_sdk.bundle.packed import Packed
else:  # no bundle has all of these
    cards, packed = Late("edge_sdk.bundle.card"), Late("edge_sdk.bundle.packed")
    hugging_face, spiece = Late("edge_sdk.bundle.hugging_face"), Late("edge_sdk.bundle.spiece")

__all__ = ["Bundle", "open_bundle"]

_METADATA_MAX_BYTES = 4 << 20
_CARD = "edge_sdk"
_TFLITE = "tflite"


def open_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Open a bundle file, read its header and its metadata, and check both.

    Parameters
    ----------
    path : path
        A ``.litertlm`` or ``.tflite`` file; what it is shows in its first bytes, not in its name.

    Returns
    -------
    Bundle
        To be used in ``with``, or closed.

    Raises
    ------
    BundleError
        There is no such file, it is neither kind, or it is damaged.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        why = "The file is empty." if isinstance(error, ValueError) else (error.strerror or str(error))
        raise BundleError(
            f"{path} cannot be opened as a bundle.",
            why=why,
            fix="Give the path of a .litertlm or .tflite file, or a name that edge bundle list shows.",
        ) from error
    try:
        return Bundle(path, mapped)
    except BaseException:
        _close(mapped)
        raise


class Bundle:
    """An open bundle; made by :func:`open_bundle`.

    Attributes
    ----------
    path : Path
        The file.
    size_bytes : int
        Its length.
    version : tuple of int or None
        The version of the format, ``None`` for a ``.tflite`` file.
    sections : tuple of Section
        The regions of the file, in its order; one for a ``.tflite`` file.
    system : mapping
        The system metadata.
    metadata : LlmMetadata
        What the bundle says about its language model; all defaults where it says nothing.
    executor : ExecutorMetadata or None
        What it says about caches.
    card : Card or None
        What this project adds: task, input, cells.
    """

    def __init__(self, path: Path, mapped: mmap.mmap) -> None:
        self.path = path
        self.size_bytes = len(mapped)
        self._mapped = mapped
        self._models: dict[str, TfliteModel] = {}
        self._tokenizers: dict[str, Tokenizer] = {}
        self._template: PromptTemplate | None = None
        self._closed = False
        header = _header(memoryview(mapped), str(path))
        self.version = header.version if header.version != (0, 0, 0) else None
        self.system: Mapping[str, Value] = header.system
        self.sections: tuple[Section, ...] = header.sections
        llm, executor, card = (
            self._find("LlmMetadataProto"),
            self._find("ExecutorMetadataProto"),
            self._find("GenericBinaryData", _CARD),
        )
        self.metadata: LlmMetadata = read_llm_metadata(self._small(llm), self.label(llm)) if llm else LlmMetadata()
        self.executor: ExecutorMetadata | None = (
            read_executor_metadata(self._small(executor), self.label(executor)) if executor else None
        )
        self.card: Card | None = cards.read_card(bytes(self._small(card)), self.label(card)) if card else None

    def __repr__(self) -> str:
        names = ", ".join(section.name or section.kind for section in self.sections)
        return f"<Bundle {self.path} ({names}){', closed' if self._closed else ''}>"

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and of the template's process; harmless twice."""
        self._closed = True
        if self._template is not None:
            self._template.close()
        self._models.clear()
        _close(self._mapped)

    def label(self, section: Section) -> str:
        """Return how errors call a section: the file's path, and the section in it."""
        return f"{self.path} (section {section.name or section.kind})" if self.version else str(self.path)

    def view(self, section: Section) -> memoryview:
        """Return a section's bytes, ``(n,)`` uint8, nothing copied.

        Raises
        ------
        ClosedError
            The bundle was closed.
        """
        if self._closed:
            raise ClosedError(f"The bundle {self.path} is closed.")
        return memoryview(self._mapped)[section.offset : section.offset + section.size]

    def section(self, name: str) -> Section:
        """Return the model section of a name, such as ``tf_lite_prefill_decode``.

        Raises
        ------
        BundleError
            There is none.
        """
        found = self._model_section(name)
        if found is None:
            have = ", ".join(section.name for section in self.sections if section.is_model)
            raise BundleError(f"{self.path} has no model {name}.", why=f"It has: {have or 'none'}.")
        return found

    def has(self, name: str) -> bool:
        """Say whether there is a model section of a name."""
        return self._model_section(name) is not None

    def model(self, name: str) -> TfliteModel:
        """Return what a model section says of itself, checked; read once.

        Raises
        ------
        BundleError
            There is no such section, or it is damaged.
        """
        if name not in self._models:
            section = self.section(name)
            self._models[name] = read_tflite(self.view(section), self.label(section))
        return self._models[name]

    def packed(self) -> Packed | None:
        """Return the metadata and labels packed into a ``.tflite`` model, ``None`` where there are none.

        Raises
        ------
        BundleError
            They are damaged.
        """
        found = None if self.version else self.model(_TFLITE).metadata.get("TFLITE_METADATA")
        if found is None:
            return None
        attachments = packed.read_attachments(self.view(self.sections[0]), str(self.path))
        return packed.read_packed(found, attachments, str(self.path))

    def generic(self, name: str) -> bytes:
        """Return the generic data of a name (its item ``name``).

        Raises
        ------
        BundleError
            There is none.
        """
        found = self._find("GenericBinaryData", name)
        if found is None:
            raise BundleError(f"{self.path} has no generic data called {name!r}.")
        return bytes(self.view(found))

    def tokenizer(self, model_type: str = "") -> Tokenizer:
        """Return the tokenizer, or the one that belongs to a model; loaded once.

        Raises
        ------
        BundleError
            There is none, or it is damaged.
        MissingDependency
            The library for its kind is not installed.
        """
        if model_type not in self._tokenizers:
            self._tokenizers[model_type] = self._load_tokenizer(model_type)
            # Each record that was read up to here brought 64 kB of the file with it; what is used again comes back.
            with contextlib.suppress(OSError):  # pages that someone has locked in memory stay
                self._mapped.madvise(mmap.MADV_DONTNEED)
        return self._tokenizers[model_type]

    def template(self) -> PromptTemplate:
        """Return the prompt template; made once."""
        if self._closed:
            raise ClosedError(f"The bundle {self.path} is closed.")
        if self._template is None:
            self._template = prompt_template(self.metadata, str(self.path))
        return self._template

    def _load_tokenizer(self, model_type: str) -> Tokenizer:
        laid_out = self._find("GenericBinaryData", byte_pair.SECTION)
        if laid_out and not model_type:
            return byte_pair.BytePair(self.view(laid_out), self.label(laid_out))
        # A tokenizer without a model type is the language model's.
        names = (model_type,) if model_type else ("", "tf_lite_prefill_decode")
        for section in self.sections:
            if section.name not in names:
                continue
            if section.kind == "SP_Tokenizer":
                return spiece.SentencePiece(self.view(section), self.label(section))
            if section.kind == "HF_Tokenizer_Zlib":
                return hugging_face.HuggingFace(self.view(section), self.label(section))
        raise BundleError(
            f"{self.path} has no tokenizer{' for ' + model_type if model_type else ''}.",
            why="Without one no text can go in or out.",
            fix="Take a bundle with a language model in it; edge bundle info lists the sections.",
        )

    def _model_section(self, name: str) -> Section | None:
        found = [section for section in self.sections if section.is_model and section.name == name]
        return found[-1] if found else None

    def _find(self, kind: str, name: str | None = None) -> Section | None:
        # The last one counts where there are several, as it does in LiteRT-LM.
        found = [item for item in self.sections if item.kind == kind and name in (None, item.name)]
        return found[-1] if found else None

    def _small(self, section: Section) -> memoryview:
        if section.size > _METADATA_MAX_BYTES:
            raise BundleError(
                f"{self.label(section)} has {section.size} bytes.", why=f"{_METADATA_MAX_BYTES} are the most."
            )
        return self.view(section)


def _header(view: memoryview, name: str) -> Header:
    if bytes(view[4:8]) == tflite.MAGIC:
        whole = Section("TFLiteModel", _TFLITE, 0, len(view), MappingProxyType({}))
        return Header((0, 0, 0), MappingProxyType({}), (whole,))
    return container.read_header(view, name)


def _close(mapped: mmap.mmap) -> None:
    # Views that someone still holds keep the pages; they go when the last view goes.
    with contextlib.suppress(BufferError):
        mapped.close()
