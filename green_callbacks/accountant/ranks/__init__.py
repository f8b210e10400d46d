"""The processes of a distributed run, and how they find one another."""

from green_callbacks.accountant.ranks.protocol import OneRank, Ranks

__all__ = ["OneRank", "Ranks"]
