"""The core that every adapter drives: what a run used, what it emitted, whether it should go on."""

from green_callbacks.accountant.core import EnergyAccountant
from green_callbacks.accountant.front_files import FrontFiles
from green_callbacks.accountant.options import AccountantOptions
from green_callbacks.accountant.ranks import OneRank, Ranks

__all__ = ["AccountantOptions", "EnergyAccountant", "FrontFiles", "OneRank", "Ranks"]
