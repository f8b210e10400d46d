"""Results of whole runs, such as totals, means, and the Pareto front of quality and emissions."""

from green_callbacks.analysis.landing_totals import landing_totals
from green_callbacks.analysis.last_gain import LastGain, last_gain, scale_point
from green_callbacks.analysis.next_doubling import NextDoubling
from green_callbacks.analysis.pareto import Front, FrontPoint, chosen, front, knee, worth_keeping
from green_callbacks.analysis.totals import totals
from green_callbacks.records.means import effective_intensity, effective_pue

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
    "landing_totals",
    "last_gain",
    "scale_point",
    "totals",
    "worth_keeping",
]
