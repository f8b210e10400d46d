"""The core that every adapter drives. It measures the energy of a run, its emissions, and decides when to stop."""

from green_callbacks.accountant.energy_accountant import EnergyAccountant
from green_callbacks.accountant.ranks.protocol import OneRank, Ranks
from green_callbacks.accountant.setup.options import AccountantOptions

__all__ = ["AccountantOptions", "EnergyAccountant", "OneRank", "Ranks"]
