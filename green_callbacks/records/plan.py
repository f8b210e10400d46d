"""What is known ahead of a run."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from green_callbacks.records import _checks as checks
from green_callbacks.records._packing import DamagedError
from green_callbacks.records.history import History

_MOST_COUNT: Final = 2**63 - 1
"""The largest number of epochs or steps that can be planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is known ahead: how long the run is meant to last, and what its schedules still hold.

    A framework's default horizon is not a plan: what was not asked for is None.

    Attributes:
        epochs: Number of epochs planned.
        min_epochs: Number of epochs before which the framework will not stop, whatever a policy says.
        steps: Number of optimiser steps planned.
        seconds: Time planned, in s.
        emissions_kg: Planned spend in kgCO2e, where epochs say nothing.
        learning_rate_drops: Epochs from which on the learning rate is at most half of what it was, in order.
        anneals: Whether the learning rate falls to about zero towards the end of the plan.
        schedule_unreadable: Whether there is a learning-rate schedule that could not be read.
        spent_before_kg: What other runs on the same budget have spent, in kgCO2e.
        spent_before_kwh: The same in kWh of facility energy.
    """

    epochs: int | None = None
    min_epochs: int | None = None
    steps: int | None = None
    seconds: float | None = None
    emissions_kg: float | None = None
    learning_rate_drops: tuple[int, ...] = ()
    anneals: bool = False
    schedule_unreadable: bool = False
    spent_before_kg: float = 0.0
    spent_before_kwh: float = 0.0

    @property
    def has_end(self) -> bool:
        """Whether anything says how long the run is meant to last."""
        return bool(self.epochs or self.steps or self.seconds or self.emissions_kg)

    def progress(self, history: History, row: int | None = None) -> float | None:
        """Return the share of the plan that is done, by whichever of epochs, steps, time and emissions binds first.

        A plan is one of a fit: where the index of the epoch falls back, another model is trained, and all four count
        from there.

        Args:
            history: All records so far.
            row: The record up to which to count, not before the last epoch ended; the last unless given.

        Returns:
            A share from 0, beyond 1 where the plan is overrun; None where nothing is planned.
        """
        return max(self._shares(history, len(history) - 1 if row is None else row), default=None)

    def _shares(self, history: History, row: int) -> Iterator[float]:
        if self.epochs:
            yield epochs_done(history) / self.epochs
        if self.steps:
            yield (history.steps_at(row) or 0) / self.steps
        if self.seconds:
            yield _spent(history, history.cumulative_seconds, row) / self.seconds
        if self.emissions_kg:
            yield _spent(history, history.cumulative_kg, row) / self.emissions_kg


def _spent(history: History, cumulative: Sequence[float], row: int) -> float:
    return cumulative[row] - before(history, cumulative) if row >= history.fit_row else 0.0


def epochs_done(history: History) -> int:
    """Return how many epochs of the present fit are done, those before the first record of a resumed run included.

    Args:
        history: All records so far.
    """
    closed, last = history.epoch_rows, history.last_epoch
    return 0 if last is None or closed[-1] < history.fit_row else last + 1


def last_epochs(history: History, count: int) -> Sequence[int]:
    """Return the rows at which the last epochs of the present fit were closed.

    Args:
        history: All records so far.
        count: The most rows to return.
    """
    rows = history.epoch_rows[-count:]
    return rows[bisect_left(rows, history.fit_row) :] if history.fit_row else rows


def before(history: History, cumulative: Sequence[float]) -> float:
    """Return what was spent before the present fit.

    Args:
        history: All records so far.
        cumulative: What was spent up to and with each record, in any unit.
    """
    return cumulative[history.fit_row - 1] if history.fit_row else 0.0


def encode_plan(plan: Plan) -> dict[str, Any]:
    """Write a plan as plain JSON types."""
    fields = {name: getattr(plan, name) for name in plan.__slots__}
    return {**fields, "learning_rate_drops": list(plan.learning_rate_drops)}


def decode_plan(fields: object) -> Plan:
    """Read what :func:`encode_plan` wrote; fields of later versions are passed over.

    Args:
        fields: The fields.

    Returns:
        The plan; what is missing in the fields is not planned.

    Raises:
        ValueError: A field is of the wrong type, or out of range. The message is one sentence.
    """
    try:
        given = checks.mapping(fields, "its fields")
        known = {name: _CHECKS[name](given[name], f"its {name}") for name in Plan.__slots__ if name in given}
    except DamagedError as reason:
        msg = f"The plan is damaged, because {reason}."
        raise ValueError(msg) from None
    return Plan(**known)


def _count(value: object, what: str) -> int | None:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value  # some frameworks count in floats
    return None if whole is None else checks.whole(whole, what, _MOST_COUNT, -_MOST_COUNT)


def _amount(value: object, what: str) -> float | None:
    return None if value is None else checks.finite(value, what)


def _drops(value: object, what: str) -> tuple[int, ...]:
    return tuple(checks.whole(each, what, _MOST_COUNT, -_MOST_COUNT) for each in checks.listed(value, what))


_CHECKS: Final[Mapping[str, Callable[[object, str], Any]]] = {
    "epochs": _count,
    "min_epochs": _count,
    "steps": _count,
    "seconds": _amount,
    "emissions_kg": _amount,
    "learning_rate_drops": _drops,
    "anneals": checks.boolean,
    "schedule_unreadable": checks.boolean,
    "spent_before_kg": checks.finite,
    "spent_before_kwh": checks.finite,
}
"""How each field of a plan is checked."""
