"""The end of a run in words: why it ended, what it came to, and what would have made it cheaper. Plain text."""

from green_callbacks.summary.epoch_table import table
from green_callbacks.summary.four_questions import answers
from green_callbacks.summary.summary import Summary, summarise

__all__ = ["Summary", "answers", "summarise", "table"]
