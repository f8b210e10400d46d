"""What two groups of runs paid to reach the same quality, and how sure the difference is."""

from green_callbacks.analysis.comparing.equal_quality.comparison import Comparison, compare_groups
from green_callbacks.analysis.comparing.equal_quality.reaching import Side, Target, parse_target

__all__ = ["Comparison", "Side", "Target", "compare_groups", "parse_target"]
