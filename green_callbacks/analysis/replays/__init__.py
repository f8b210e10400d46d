"""Replays of stopping rules on finished runs, with what a rule would have saved and lost."""

from green_callbacks.analysis.replays.landings import ReplayedLanding
from green_callbacks.analysis.replays.outcomes import Outcome, replayed
from green_callbacks.analysis.replays.rule_text import Rule

__all__ = ["Outcome", "ReplayedLanding", "Rule", "replayed"]
