"""The plan of a run, as far as it is known in advance."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.records.history import History
from green_callbacks.records.history.state import state_checks as checks
from green_callbacks.records.history.state.packed_columns import DamagedError
from green_callbacks.records.landing import Landing, decode_landing, encode_landing
from green_callbacks.records.shared_spending import SharedSpending, decode_shared, encode_shared
from green_callbacks.units import Quantity, described, finite_number

_DROPS: Final = "learning_rate_drops"
_MOST_COUNT: Final = 2**63 - 1
"""Largest number of epochs or steps in a plan. The largest signed 64-bit integer."""

_LENGTH_EPOCHS: Final = 3
"""Number of last epochs. The longest of them predicts the steps of the open epoch. By experiment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The expected length of a run, and the future of its schedules.

    The default horizon of a framework is not a plan. Fields that the user did not ask for are None.

    Attributes:
        epochs: Number of planned epochs. Defaults to None, if unknown.
        min_epochs: Number of epochs before which the framework does not stop, whatever a policy decides. Defaults to
            None.
        min_steps: Number of optimizer steps before which the framework does not stop. Defaults to None.
        steps: Number of optimizer steps after which the run ends, counted like :attr:`EpochRecord.step`. A framework
            may count the steps of every optimizer, so steps are not batches. Defaults to None, if unknown.
        epoch_steps: Number of optimizer steps of one epoch, if certain. It shows the progress of the first epoch. It is
            no limit, because later epochs are compared with the epochs before them. Defaults to None, if unknown.
        seconds: Planned time, in s. Defaults to None, if unknown.
        emissions_kg: Planned emissions in kgCO2e, if epochs do not limit the run. Defaults to None.
        learning_rate_drops: Epochs at whose beginning the learning rate falls to half or less, in order. The last
            epoch is among them if the learning rate falls inside it. Defaults to none.
        anneals: Whether the learning rate falls to a tenth or less until the end of the plan. Defaults to False.
        schedule_unreadable: Whether a learning-rate schedule could not be read in advance. Defaults to False.
        spent_before_kg: Emissions of other runs on the same budget, in kgCO2e. Defaults to 0.
        spent_before_kwh: Facility energy of other runs on the same budget, in kWh. Defaults to 0.
        shared: What the other runs of a project have spent and hold, for each shared budget. It may change while the
            run goes on. Defaults to nothing.
        landing: The landing that has begun. Its end is the end of the plan. Defaults to None, if none has begun.
        landing_refused: Whether the loop cannot scale its learning rate, so that policies stop without a landing.
            Defaults to False.

    Raises:
        ConfigurationError: A field is not a number, or cannot be planned.

    Example:
        >>> from green_callbacks.records import EpochRecord, History
        >>> history = History([EpochRecord.scripted(epoch=epoch) for epoch in range(5)])
        >>> Plan(epochs=20).progress(history)
        0.25
    """

    epochs: int | None = None
    min_epochs: int | None = None
    min_steps: int | None = None
    steps: int | None = None
    epoch_steps: int | None = None
    seconds: float | None = None
    emissions_kg: float | None = None
    learning_rate_drops: tuple[int, ...] = ()
    anneals: bool = False
    schedule_unreadable: bool = False
    spent_before_kg: float = 0.0
    spent_before_kwh: float = 0.0
    shared: tuple[SharedSpending, ...] = ()
    landing: Landing | None = None
    landing_refused: bool = False

    def __post_init__(self) -> None:
        """Refuse impossible plans, and convert numbers of other types to Python's types."""
        for name in ("epochs", "min_epochs", "min_steps", "steps"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _planned_count(name, getattr(self, name)))
        for name in ("seconds", "emissions_kg"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _planned_amount(name, getattr(self, name)))
        for name in ("spent_before_kg", "spent_before_kwh"):
            object.__setattr__(self, name, _planned_amount(name, getattr(self, name)))
        drops = self.learning_rate_drops
        if isinstance(drops, str) or not isinstance(drops, Sequence):
            raise _cannot_be(_DROPS, drops, "a list of epochs, such as [30, 60]")
        object.__setattr__(self, _DROPS, tuple(_planned_count(_DROPS, drop) for drop in drops))

    @property
    def has_end(self) -> bool:
        """Whether the plan limits the length of the run."""
        return bool(self.epochs or self.steps or self.seconds or self.emissions_kg or self.landing)

    def shared_by(self, project: object, quantity: Quantity) -> SharedSpending | None:
        """Return what the other runs of a project have spent and hold of a budget. None if nothing is known.

        Args:
            project: Folder or glob pattern of the project, as the budget names it.
            quantity: What the budget limits, ``emissions_kg`` or ``facility_kwh``.
        """
        of_budget = (each for each in self.shared if each.project == str(project) and each.quantity == quantity)
        return next(of_budget, None)

    @property
    def landing_end(self) -> int | None:
        """Optimizer steps at which the landing ends. None without a landing."""
        return None if self.landing is None else self.landing.end

    def progress(self, history: History, row: int | None = None) -> float | None:
        """Return the share of the plan that is done, by the limit that binds first.

        Limits are epochs, steps, time, emissions and the end of a landing. A plan belongs to one fit. So all of them
        count from the beginning of the present fit. In an open epoch, the share of its steps counts, if its parts
        report steps.

        Args:
            history: All records so far.
            row: Last record that counts, in the present fit. Defaults to the last record.

        Returns:
            A share from 0, above 1 if the plan is exceeded. None if nothing is planned.
        """
        used = self.used(history, len(history) - 1 if row is None else row)
        return max((amount / getattr(self, limit) for limit, amount in used.items()), default=None)

    def used(self, history: History, row: int) -> dict[str, float]:
        """Return how much of each limit is used, by the name of its field and in its unit. Unknown limits are left out.

        Args:
            history: All records so far.
            row: Last record that counts, in the present fit.
        """
        used: dict[str, float] = {}
        if self.epochs:
            part = history.open_part(row)
            share = 0.0 if part is None else self._passed(history, row, part)
            if self.epochs != 1 or share is not None:  # nothing else is known of a single epoch
                used["epochs"] = history.epochs_done(row) + min(share or 0.0, 1.0)
        steps = history.steps_at(row) if self.steps or self.landing else None
        if steps is not None:
            used |= {limit: steps for limit in ("steps", "landing_end") if getattr(self, limit)}
        if self.seconds:
            used["seconds"] = history.since_fit(history.cumulative_seconds, row)
        if self.emissions_kg:
            used["emissions_kg"] = history.since_fit(history.cumulative_kg, row)
        return used

    def open_share(self, history: History, row: int) -> float | None:
        """Return the share of the open epoch that is done, 0 to 1. None if unknown, or if the epoch is too long.

        Steps are compared with the longest of the last epochs of the same run. ``epoch_steps`` replaces them only in
        the first epoch. So a wrong value never moves the progress by more than an epoch.

        Args:
            history: All records so far.
            row: Last record that counts, in the present fit.
        """
        part = history.open_part(row)
        share = 0.0 if part is None else self._passed(history, row, part)
        return None if share is None or share > 1 else share

    def _passed(self, history: History, row: int, part: int) -> float | None:
        """Return the steps of the open epoch as a share of its expected steps, above 1 if it has more."""
        closed = history.last_epochs(_LENGTH_EPOCHS + 1, row)
        steps, ends = history.steps_at(part), [history.steps_at(each) for each in closed]
        length, begin = self.epoch_steps, ends[-1] if ends else _first_steps(history, self.epoch_steps)
        if 0 < len(ends) <= _LENGTH_EPOCHS and history.is_first_epoch(closed[0]):
            ends = [0, *ends]
        if len(ends) > 1:
            length = _longest(ends)
        if steps is None or begin is None or length is None or length <= 0:
            return None
        return max(steps - begin, 0) / length


def _longest(ends: Sequence[int | None]) -> int | None:
    known = [end for end in ends if end is not None]
    return max(after - before for before, after in pairwise(known)) if len(known) == len(ends) else None


def _first_steps(history: History, epoch_steps: int | None) -> int | None:
    """Return the steps before the open first epoch of the present fit, at most the steps of its first part."""
    first = history.part_rows[bisect_left(history.part_rows, history.fit_row)]
    steps = history.steps_at(first)
    begins_at_zero = steps is not None and epoch_steps is not None and steps <= epoch_steps
    return 0 if begins_at_zero and history.is_first_epoch(first) else steps


def _planned_count(name: str, value: object) -> int:
    number = _planned_amount(name, value)
    if not number.is_integer():
        raise _cannot_be(name, value, "a whole number, 0 or more")
    return value if isinstance(value, int) else int(number)


def _planned_amount(name: str, value: object) -> float:
    try:
        number = finite_number(value)
    except ValueError:
        number = -1.0
    if number < 0:
        raise _cannot_be(name, value, "a number, 0 or more")
    return number


def _cannot_be(name: str, value: object, expected: str) -> ConfigurationError:
    msg = f"{name} of a plan is {described(value)}. Give {expected}, or leave it out if it is unknown."
    return ConfigurationError(msg)


def encode_plan(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain JSON types."""
    fields = {name: getattr(plan, name) for name in plan.__slots__}
    landing = plan.landing and encode_landing(plan.landing)
    return {**fields, "learning_rate_drops": list(plan.learning_rate_drops), "landing": landing} | {
        "shared": encode_shared(plan.shared)
    }


def decode_plan(fields: object) -> Plan:
    """Read the result of :func:`encode_plan`. Fields of later versions are ignored.

    Args:
        fields: The fields.

    Returns:
        The plan. Missing fields have their defaults.

    Raises:
        ValueError: A field has the wrong type, or is out of range. The message is one sentence.
    """
    try:
        given = checks.mapping(fields, "its fields")
        known = {name: _CHECKS[name](given[name], f"its {name}") for name in Plan.__slots__ if name in given}
    except DamagedError as reason:
        msg = f"The plan is damaged, because {reason}."
        raise ValueError(msg) from None
    return Plan(**known)


def _whole(value: object, what: str) -> int | None:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value  # some frameworks count in floats
    return None if whole is None else checks.whole(whole, what, _MOST_COUNT, -_MOST_COUNT)


def _amount(value: object, what: str) -> float | None:
    return None if value is None else checks.finite(value, what)


def _landing(value: object, _: str) -> Landing | None:
    return None if value is None else decode_landing(value)


def _drops(value: object, what: str) -> tuple[int, ...]:
    return tuple(checks.whole(each, what, _MOST_COUNT, -_MOST_COUNT) for each in checks.listed(value, what))


_CHECKS: Final[Mapping[str, Callable[[object, str], Any]]] = {
    "epochs": _whole,
    "min_epochs": _whole,
    "min_steps": _whole,
    "steps": _whole,
    "epoch_steps": _whole,
    "seconds": _amount,
    "emissions_kg": _amount,
    "learning_rate_drops": _drops,
    "anneals": checks.boolean,
    "schedule_unreadable": checks.boolean,
    "spent_before_kg": checks.finite,
    "spent_before_kwh": checks.finite,
    "shared": decode_shared,
    "landing": _landing,
    "landing_refused": checks.boolean,
}
"""The check of each field of a plan."""
