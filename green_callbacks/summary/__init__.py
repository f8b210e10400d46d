"""The plain-text summary of a run that has ended.

It reports why the run ended, its totals, and what would have made it cheaper.
"""

from green_callbacks.summary.epoch_table import table
from green_callbacks.summary.four_questions import answers
from green_callbacks.summary.summary import Summary, summarise, totals_in_words

__all__ = ["Summary", "answers", "summarise", "table", "totals_in_words"]
