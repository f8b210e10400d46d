"""The core that every adapter drives: what a run used, what it emitted, whether it should go on."""

from green_callbacks.accountant.beginning.options import AccountantOptions
from green_callbacks.accountant.energy_accountant import EnergyAccountant
from green_callbacks.accountant.ranks import OneRank, Ranks

__all__ = ["AccountantOptions", "EnergyAccountant", "OneRank", "Ranks"]
