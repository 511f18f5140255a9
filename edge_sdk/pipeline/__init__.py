"""The main job: frames and a question in, a streamed answer or a count out.

Names are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_sdk.late import late_names

if TYPE_CHECKING:
    from edge_sdk.pipeline.answer import Answer, Timings
    from edge_sdk.pipeline.conversation import Conversation
    from edge_sdk.pipeline.count import Cell, Count
    from edge_sdk.pipeline.loading import load
    from edge_sdk.pipeline.model import VisionLanguageModel
    from edge_sdk.pipeline.reading_line import ReadingLine

__all__ = [
    "Answer",
    "Cell",
    "Conversation",
    "Count",
    "ReadingLine",
    "Timings",
    "VisionLanguageModel",
    "load",
]

__getattr__, __dir__ = late_names(
    __name__,
    {
        "answer": ("Answer", "Timings"),
        "conversation": ("Conversation",),
        "count": ("Cell", "Count"),
        "loading": ("load",),
        "model": ("VisionLanguageModel",),
        "reading_line": ("ReadingLine",),
    },
)
