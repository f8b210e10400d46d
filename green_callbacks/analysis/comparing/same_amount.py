"""All that a comparison at the same spending comes to, and the choice of its amount."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final, Self

from green_callbacks.analysis.comparing.equal_spending import (
    Contrast,
    CurveGroup,
    GroupAt,
    contrasts,
    groups_at,
    smallest_total,
)
from green_callbacks.analysis.comparing.quality_curve import Axis, Kept
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Metric
from green_callbacks.units import Quantity, described, parse_amount

__all__ = ["SameAmount", "amount_of"]

_AXES: Final[dict[Quantity, Axis]] = {"facility_kwh": "energy", "emissions_kg": "emissions"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SameAmount:
    """Groups of runs at the same spending.

    Attributes:
        metric: The metric.
        axis: What the runs spend.
        kept: Which value of a run counts, the best value until then or the last value.
        amount: The amount, in kWh, kgCO2e or s.
        is_given: Whether the user gave the amount. Otherwise it is the smallest median total of a group.
        groups: The groups at the amount.
        contrasts: The comparisons between them.
        unlike: Sentences about conditions that make the comparison unfair. Defaults to none.

    Example:
        >>> from green_callbacks.analysis.comparing.quality_curve import QualityCurve
        >>> group = CurveGroup("full", [QualityCurve("a", [1.0], [0.6], 2.0)])
        >>> found = SameAmount.of([group], Metric("val_acc", "max"), axis="energy", kept="best", amount=None)
        >>> found.amount, found.is_given
        (2.0, False)
    """

    metric: Metric
    axis: Axis
    kept: Kept
    amount: float
    is_given: bool
    groups: Sequence[GroupAt]
    contrasts: Sequence[Contrast]
    unlike: Sequence[str] = ()

    @classmethod
    def of(
        cls,
        groups: Sequence[CurveGroup],
        metric: Metric,
        *,
        axis: Axis,
        kept: Kept,
        amount: float | None,
        unlike: Sequence[str] = (),
    ) -> Self:
        """Compare groups at an amount.

        Args:
            groups: The groups, with curves of the metric against the axis.
            metric: The metric.
            axis: What the runs spend.
            kept: Which value of a run counts.
            amount: The amount, in kWh, kgCO2e or s. None for the smallest median total of a group.
            unlike: Sentences about conditions that make the comparison unfair. Defaults to none.

        Raises:
            ConfigurationError: SciPy is missing, or no amount is given and a group has no measured spending.
        """
        chosen = smallest_total(groups) if amount is None else amount
        if chosen is None:
            name = next(group.name for group in groups if not any(curve.total for curve in group.curves))
            msg = (
                f"The {axis} of {described(name)} was not measured in any run, so no run can be read at the same "
                f"{axis}. Compare runs whose {axis} was measured."
            )
            raise ConfigurationError(msg)
        read = groups_at(groups, chosen)
        found = contrasts(read, rises=metric.rises)
        return cls(
            metric=metric,
            axis=axis,
            kept=kept,
            amount=chosen,
            is_given=amount is not None,
            groups=read,
            contrasts=found,
            unlike=unlike,
        )

    @property
    def has_reference(self) -> bool:
        """Whether a group is the same training by fewer epochs."""
        return any(each.group.is_reference for each in self.groups)


def amount_of(text: str) -> tuple[Axis, float]:
    """Read an amount at which runs are compared.

    Args:
        text: The amount with its unit, written as a budget. A mass is of CO2e, and an energy is of the computers.

    Returns:
        What the runs spend, and the amount in kWh or kgCO2e.

    Raises:
        ConfigurationError: The text is no amount above 0.

    Example:
        >>> amount_of("500 Wh"), amount_of("20 g")
        (('energy', 0.5), ('emissions', 0.02))
    """
    amount = parse_amount(text)
    if not (isfinite(amount.value) and amount.value > 0):
        msg = f"The amount {described(text)} cannot be compared at. Write an amount above 0, such as '0.5 kWh'."
        raise ConfigurationError(msg)
    return _AXES[amount.quantity], amount.value
