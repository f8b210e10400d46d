"""What runs came to: totals, means, and the Pareto front of quality and emissions."""

from green_callbacks.analysis.last_gain import LastGain, last_gain
from green_callbacks.analysis.means import effective_intensity, effective_pue
from green_callbacks.analysis.pareto import NextDoubling, front, knee, worth_keeping
from green_callbacks.analysis.pareto_points import Front, FrontPoint, chosen
from green_callbacks.analysis.totals import totals

__all__ = [
    "Front",
    "FrontPoint",
    "LastGain",
    "NextDoubling",
    "chosen",
    "effective_intensity",
    "effective_pue",
    "front",
    "knee",
    "last_gain",
    "totals",
    "worth_keeping",
]
