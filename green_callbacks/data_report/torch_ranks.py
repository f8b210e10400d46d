"""The processes of torch's process group, for loops that start them themselves."""

import sys
from typing import Any

from green_callbacks.accountant.ranks.protocol import OneRank, Ranks
from green_callbacks.accountant.ranks.torch_group import has_group


class TorchRanks:
    """The default process group of ``torch.distributed``."""

    def __init__(self) -> None:
        self._group = sys.modules["torch.distributed"]
        self.rank: int = self._group.get_rank()
        self.size: int = self._group.get_world_size()

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks, in their order.

        Args:
            value: The value of this rank.
        """
        values: list[Any] = [None] * self.size
        self._group.all_gather_object(values, value)
        return values

    def sum(self, vector: Any) -> list[float]:
        """Return the sum of the vectors of all ranks.

        Args:
            vector: The vector of this rank.
        """
        return [float(sum(column)) for column in zip(*self.gather(list(vector)), strict=True)]


def present_ranks() -> Ranks:
    """Return the processes of torch's process group. Without a group, this process is alone."""
    return TorchRanks() if has_group() else OneRank()
