"""What runs paid to reach a quality.

A model is validated now and then, and nobody knows its quality between. So a run has paid for the whole record at whose
end it first had the quality, and nothing is interpolated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Final, Literal, Self, get_args

from green_callbacks.analysis.comparing.compared_run import ComparedRun
from green_callbacks.analysis.comparing.group import Group
from green_callbacks.analysis.comparing.run_points import RunPoint
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Metric
from green_callbacks.text import for_terminal

_FLOAT32: Final = 2.0**-22
"""Relative difference that counts as none. It is two steps of single precision, in which frameworks compute metrics."""

Quantity = Literal["energy", "emissions", "time"]
"""What a comparison is of."""

QUANTITIES: Final[tuple[Quantity, ...]] = get_args(Quantity)
"""All quantities, the most reliable first.

Example:
    >>> QUANTITIES
    ('energy', 'emissions', 'time')
"""

_COSTS: Final[dict[Quantity, Callable[[RunPoint], float]]] = {
    "energy": lambda point: point.kwh,
    "emissions": lambda point: point.kg,
    "time": lambda point: point.seconds,
}


@dataclass(frozen=True, slots=True)
class Target:
    """A quality to reach.

    Attributes:
        metric: The metric.
        value: Its value.

    Example:
        >>> Target(Metric("val_loss", "min"), 0.3).is_reached(0.29)
        True
    """

    metric: Metric
    value: float

    def is_reached(self, value: float) -> bool:
        """Return whether a value is as good as the target. Rounding in single precision does not count.

        Args:
            value: Value of the metric.
        """
        if not isfinite(value):
            return False
        margin = _FLOAT32 * abs(self.value)
        return value >= self.value - margin if self.metric.rises else value <= self.value + margin

    def __str__(self) -> str:
        """Write metric and value."""
        return f"{for_terminal(self.metric.name)} {self.value:.6g}"


def parse_target(text: str) -> tuple[str, float]:
    """Read metric and value of a quality.

    Args:
        text: For example ``val_acc=0.92``.

    Returns:
        Key of the metric, and its value.

    Raises:
        ConfigurationError: The text has no metric, or no finite number.

    Example:
        >>> parse_target("val_acc=0.92")
        ('val_acc', 0.92)
    """
    name, _, number = text.rpartition("=")
    name = name.strip().removesuffix(">").removesuffix("<").strip()  # as in val_acc>=0.92
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not name or not isfinite(value):
        msg = f"{for_terminal(text)} is no quality to reach. Write METRIC=VALUE, such as val_acc=0.92."
        raise ConfigurationError(msg)
    return name, value


@dataclass(frozen=True, slots=True)
class Reached:
    """A run that reached the quality.

    Attributes:
        run: The run.
        at: The first value that is good enough, with the cost until then.

    Example:
        >>> from pathlib import Path
        >>> run = ComparedRun(run_id="digits", path=Path("digits.jsonl"), kwh=0.5)
        >>> Reached(run, RunPoint(3, 0.92, kwh=0.4, kg=0.1, seconds=60.0)).cost("energy")
        0.4
    """

    run: ComparedRun
    at: RunPoint

    def cost(self, quantity: Quantity) -> float | None:
        """Return what the run paid to reach the quality, in kWh, kgCO2e or s. None if it is not known.

        Args:
            quantity: The quantity.
        """
        return _known(self.run, quantity, _COSTS[quantity](self.at))


@dataclass(frozen=True, slots=True)
class Side:
    """The runs of one side, by what became of them.

    Attributes:
        name: Name of the side.
        reached: The runs that reached the quality.
        missed: The runs that ended without it. Defaults to none.
        left_out: Runs that say nothing about the quality, each with the reason. Defaults to none.

    Example:
        >>> Side("baseline", reached=[]).size
        0
    """

    name: str
    reached: Sequence[Reached]
    missed: Sequence[ComparedRun] = ()
    left_out: Sequence[tuple[ComparedRun, str]] = field(default=())

    @property
    def size(self) -> int:
        """Number of runs that count."""
        return len(self.reached) + len(self.missed)

    @property
    def runs(self) -> list[ComparedRun]:
        """The runs that count."""
        return [*(each.run for each in self.reached), *self.missed]

    @classmethod
    def of(cls, group: Group, target: Target) -> Self:
        """Sort the runs of a group by what became of them.

        Args:
            group: The group.
            target: The quality.
        """
        reached, missed, left_out = [], [], []
        for run in group.runs:
            point = first_reached(run, target)
            reason = None if point else _says_nothing(run, target)
            if point is not None:
                reached.append(Reached(run, point))
            elif reason is not None:
                left_out.append((run, reason))
            else:
                missed.append(run)
        return cls(group.name, reached, missed, left_out)


def first_reached(run: ComparedRun, target: Target) -> RunPoint | None:
    """Return the first value of a run that is good enough. None if there is none.

    Args:
        run: The run.
        target: The quality.

    Example:
        >>> from pathlib import Path
        >>> first_reached(ComparedRun(run_id="a", path=Path("a.jsonl")), Target(Metric("val_acc", "max"), 0.9)) is None
        True
    """
    return next((point for point in run.points if target.is_reached(point.value)), None)


def spent_without(run: ComparedRun, quantity: Quantity) -> float | None:
    """Return what a run paid until its last value, without reaching the quality. None if it is not known.

    Args:
        run: The run.
        quantity: The quantity.

    Example:
        >>> from pathlib import Path
        >>> spent_without(ComparedRun(run_id="a", path=Path("a.jsonl"), kwh=0.5), "energy")
        0.0
    """
    last = run.points[-1] if run.points else RunPoint(None, 0.0, 0.0, 0.0, 0.0)
    return _known(run, quantity, _COSTS[quantity](last))


def _known(run: ComparedRun, quantity: Quantity, cost: float) -> float | None:
    measured = quantity == "time" or run.kwh is not None
    return cost if measured and isfinite(cost) else None


def _says_nothing(run: ComparedRun, target: Target) -> str | None:
    """Return why a run without the metric says nothing about the quality. None if it counts as not reaching it."""
    if target.metric.name in run.metric_names:
        return None
    if run.metric_names:
        return f"with values of other metrics than {for_terminal(target.metric.name)}"
    return None if run.began_epochs else "without any epoch"
