"""The frozen values that travel between sources, policies, sinks and checkpoints.

Everything that follows from a value is derived from it, and not stored.
"""

from green_callbacks.records.activity import ActivityTotals, DeviceActivity
from green_callbacks.records.checkpoints import Checkpoints
from green_callbacks.records.device import DeviceEnergy, DeviceInfo, PhaseEnergy, Reading
from green_callbacks.records.effort import Effort, Ratio, Work
from green_callbacks.records.epoch import EpochRecord
from green_callbacks.records.history import Column, History
from green_callbacks.records.intensity import Intensity
from green_callbacks.records.landing import Landing
from green_callbacks.records.measurement_methods import METHOD_WORDS, METHODS, Method, least_direct
from green_callbacks.records.plan import Plan
from green_callbacks.records.reference import WORLD
from green_callbacks.records.run import LandingTotals, RunRecord
from green_callbacks.records.shared_spending import SharedSpending
from green_callbacks.records.verdict import Code, Verdict

__all__ = [
    "METHODS",
    "METHOD_WORDS",
    "WORLD",
    "ActivityTotals",
    "Checkpoints",
    "Code",
    "Column",
    "DeviceActivity",
    "DeviceEnergy",
    "DeviceInfo",
    "Effort",
    "EpochRecord",
    "History",
    "Intensity",
    "Landing",
    "LandingTotals",
    "Method",
    "PhaseEnergy",
    "Plan",
    "Ratio",
    "Reading",
    "RunRecord",
    "SharedSpending",
    "Verdict",
    "Work",
    "least_direct",
]
