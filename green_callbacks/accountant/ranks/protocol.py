"""The processes of a distributed run, as far as the core knows them."""

from collections.abc import Sequence
from typing import Any, Final, Protocol, runtime_checkable

from green_callbacks.errors import ConfigurationError

PHASES: Final = ("train", "validation", "test", "predict", "other")
"""The phases. The set is fixed, so that the lap of every rank has the same length."""


def checked_phase(name: str) -> str:
    """Return the name of a phase.

    Raises:
        ConfigurationError: There is no such phase.
    """
    if name not in PHASES:
        msg = f"There is no phase {name!r}. The phases are {', '.join(PHASES)}."
        raise ConfigurationError(msg)
    return name


class Ranks(Protocol):
    """The processes of a run. All of them call each method, on the training thread and at the same hook.

    >>> class FirstOfTwo:
    ...     rank, size = 0, 2
    ...     def gather(self, value): return [value, value]
    ...     def sum(self, vector): return [2 * number for number in vector]
    >>> ranks: Ranks = FirstOfTwo()
    >>> ranks.sum([1.0])
    [2.0]
    """

    @property
    def rank(self) -> int:
        """Number of this process, from 0."""
        ...

    @property
    def size(self) -> int:
        """Number of processes."""
        ...

    def gather(self, value: Any) -> list[Any]:  # noqa: ANN401  any plain JSON value
        """Return the values of all ranks, in their order.

        Args:
            value: The value of this rank, of plain JSON types.
        """
        ...

    def sum(self, vector: Sequence[float]) -> list[float]:
        """Return the sum of the vectors of all ranks, in float64.

        Args:
            vector: The vector of this rank. All vectors have one length.
        """
        ...


@runtime_checkable
class Parting(Protocol):
    """Processes that may part, because one of them is gone, or does not call what the others call.

    After they have parted, every method of :class:`Ranks` answers at once, with the value of this process alone.

    >>> class Parted:
    ...     is_together = False
    ...     def hurry(self): ...
    ...     def finish(self): ...
    ...     def leave(self): ...
    >>> isinstance(Parted(), Parting)
    True
    """

    is_together: bool
    """Whether all processes still answer one another."""

    def hurry(self) -> None:
        """Wait for the other processes for a short time only, because the run ends."""
        ...

    def finish(self) -> None:
        """Wait until all processes have read the last answer, because this one may hold the only copy of it."""
        ...

    def leave(self) -> None:
        """Tell the other processes that this one answers no more. It may be called again, from any thread."""
        ...


def are_together(ranks: Ranks) -> bool:
    """Return whether all processes of a run still answer one another.

    Args:
        ranks: The processes.
    """
    return ranks.is_together if isinstance(ranks, Parting) else True


class OneRank:
    """A run of a single process.

    >>> OneRank().sum([1.0, 2.0])
    [1.0, 2.0]
    """

    rank = 0
    size = 1

    def gather(self, value: Any) -> list[Any]:  # noqa: ANN401  any plain JSON value
        """Return the only value."""
        return [value]

    def sum(self, vector: Sequence[float]) -> list[float]:
        """Return the only vector."""
        return list(vector)


def leave(ranks: Ranks) -> None:
    """Tell the other processes of a run that this one answers no more.

    Args:
        ranks: The processes.
    """
    if isinstance(ranks, Parting):
        ranks.leave()
