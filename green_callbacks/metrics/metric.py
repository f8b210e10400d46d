"""A metric and the direction in which it improves."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Self

from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics.direction import Direction, Mode, direction


@dataclass(frozen=True, slots=True)
class Metric:
    """The key of a metric and the direction in which it improves.

    Attributes:
        name: The key, e.g. ``val_acc``.
        mode: ``max`` where more is better, ``min`` where less is better.

    Example:
        >>> Metric.of("val_loss").best([0.5, 0.3, 0.4])
        0.3
    """

    name: str
    mode: Direction

    @classmethod
    def of(cls, name: str, mode: Mode = "auto") -> Self:
        """Return the metric, with the direction that its name implies unless a direction is given.

        Args:
            name: The key.
            mode: ``max``, ``min``, or ``auto``. Defaults to ``auto``.

        Raises:
            ConfigurationError: The mode is unknown, or the mode is ``auto`` and the name does not imply a direction.
        """
        return cls(name, direction(name, mode))

    @classmethod
    def or_rising(cls, name: str, mode: object = "auto") -> Self:
        """Return the metric, and assume that more is better where neither mode nor name says so.

        Args:
            name: The key.
            mode: ``max`` or ``min``. Any other value counts as ``auto``. Defaults to ``auto``.
        """
        try:
            return cls.of(name, "max" if mode == "max" else "min" if mode == "min" else "auto")
        except ConfigurationError:
            return cls(name, "max")

    @property
    def rises(self) -> bool:
        """Whether more of the metric is better."""
        return self.mode == "max"

    def best(self, values: Iterable[float]) -> float | None:
        """Return the best finite value. None if there is no finite value.

        Args:
            values: Values of the metric.
        """
        finite = filter(isfinite, values)
        return max(finite, default=None) if self.rises else min(finite, default=None)
