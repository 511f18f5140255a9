"""The main job: frames and a question in, a streamed answer or a count out."""

from __future__ import annotations

from edge_sdk.pipeline.answer import Answer, Timings
from edge_sdk.pipeline.conversation import Conversation
from edge_sdk.pipeline.count import Cell, Count
from edge_sdk.pipeline.loading import load
from edge_sdk.pipeline.model import VisionLanguageModel
from edge_sdk.pipeline.reading_line import ReadingLine

__all__ = ["Answer", "Cell", "Conversation", "Count", "ReadingLine", "Timings", "VisionLanguageModel", "load"]
