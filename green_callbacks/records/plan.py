"""What is known ahead of a run."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.records.history import History
from green_callbacks.records.history.state import state_checks as checks
from green_callbacks.records.history.state.packed_columns import DamagedError
from green_callbacks.units import described, finite_number

_DROPS: Final = "learning_rate_drops"
_MOST_COUNT: Final = 2**63 - 1
"""The largest number of epochs or steps that can be planned."""

_LENGTH_EPOCHS: Final = 3
"""The longest of so many epochs that have ended tells how many steps the open one takes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is known ahead: how long the run is meant to last, and what its schedules still hold.

    A framework's default horizon is not a plan: what was not asked for is None.

    Attributes:
        epochs: Number of epochs planned.
        min_epochs: Number of epochs before which the framework will not stop, whatever a policy says.
        steps: Number of optimizer steps after which the run ends, in the count of :attr:`EpochRecord.step`. A framework
            may count the steps of every optimizer, so batches are no steps.
        epoch_steps: Number of optimizer steps of one epoch, where that is certain. It tells how much of the first epoch
            is done, and limits nothing: later epochs are as long as those before them.
        seconds: Time planned, in s.
        emissions_kg: Planned spend in kgCO2e, where epochs say nothing.
        learning_rate_drops: Epochs from which on the learning rate is at most half of what it was, in order.
        anneals: Whether the learning rate falls to about zero towards the end of the plan.
        schedule_unreadable: Whether there is a learning-rate schedule that could not be read.
        spent_before_kg: What other runs on the same budget have spent, in kgCO2e.
        spent_before_kwh: The same in kWh of facility energy.

    Raises:
        ConfigurationError: A number is none, or cannot be planned.
    """

    epochs: int | None = None
    min_epochs: int | None = None
    steps: int | None = None
    epoch_steps: int | None = None
    seconds: float | None = None
    emissions_kg: float | None = None
    learning_rate_drops: tuple[int, ...] = ()
    anneals: bool = False
    schedule_unreadable: bool = False
    spent_before_kg: float = 0.0
    spent_before_kwh: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what cannot be planned; numbers of any kind become Python's."""
        for name in ("epochs", "min_epochs", "steps"):
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
        """Whether anything says how long the run is meant to last."""
        return bool(self.epochs or self.steps or self.seconds or self.emissions_kg)

    def progress(self, history: History, row: int | None = None) -> float | None:
        """Return the share of the plan that is done, by whichever of epochs, steps, time and emissions binds first.

        A plan is one of a fit: where the index of the epoch falls back, another model is trained, and all four count
        from there. Of an open epoch the share of its steps counts, where its parts tell them.

        Args:
            history: All records so far.
            row: The record up to which to count, of the present fit. Defaults to the last.

        Returns:
            A share from 0, beyond 1 where the plan is overrun; None where nothing is planned.
        """
        used = self.used(history, len(history) - 1 if row is None else row)
        return max((amount / getattr(self, limit) for limit, amount in used.items()), default=None)

    def used(self, history: History, row: int) -> dict[str, float]:
        """Return how much of each limit is used up, by the name of the field, in its unit; none that is not known.

        Args:
            history: All records so far.
            row: The record up to which to count, of the present fit.
        """
        used: dict[str, float] = {}
        if self.epochs:
            part = _open_part(history, row)
            share = 0.0 if part is None else self._passed(history, row, part)
            if self.epochs != 1 or share is not None:  # of a single epoch nothing else is known
                used["epochs"] = _done(history, row, part) + min(share or 0.0, 1.0)
        if self.steps and (steps := history.steps_at(row)) is not None:
            used["steps"] = steps
        if self.seconds:
            used["seconds"] = _spent(history, history.cumulative_seconds, row)
        if self.emissions_kg:
            used["emissions_kg"] = _spent(history, history.cumulative_kg, row)
        return used

    def open_share(self, history: History, row: int) -> float | None:
        """Return how much of the open epoch is done, 0 to 1; None where that is not known, or it is longer than known.

        Steps are compared with steps of the same run: those of the longest of the last epochs that have ended.
        ``epoch_steps`` stands in for them in the first epoch alone, so that a wrong one never moves the progress by
        more than an epoch.

        Args:
            history: All records so far.
            row: The record up to which to count, of the present fit.
        """
        part = _open_part(history, row)
        share = 0.0 if part is None else self._passed(history, row, part)
        return None if share is None or share > 1 else share

    def _passed(self, history: History, row: int, part: int) -> float | None:
        """Return the steps of the open epoch as a share of those that it is known to take, which may be too few."""
        closed = last_epochs(history, _LENGTH_EPOCHS + 1, row)
        steps, ends = history.steps_at(part), [history.steps_at(each) for each in closed]
        length, begin = self.epoch_steps, ends[-1] if ends else _first_steps(history, self.epoch_steps)
        if 0 < len(ends) <= _LENGTH_EPOCHS and _is_first(history, closed[0]):
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
    """Return the steps before the first epoch of the present fit, which is open; at most those of its first part."""
    first = history.part_rows[bisect_left(history.part_rows, history.fit_row)]
    steps = history.steps_at(first)
    begins_at_zero = steps is not None and epoch_steps is not None and steps <= epoch_steps
    return 0 if begins_at_zero and _is_first(history, first) else steps


def _is_first(history: History, row: int) -> bool:
    """Tell whether a record is of the first epoch of a training, rather than of one that was resumed."""
    return history.epoch_at(row) == _numbered_from(history)


def _open_part(history: History, row: int) -> int | None:
    """Return the last part of the epoch that is open at a row; None where none is, or where it has no part yet."""
    parts, closed = history.part_rows, history.epoch_rows
    before, ended = bisect_right(parts, row), bisect_right(closed, row)
    if not before or parts[before - 1] < history.fit_row or (ended and closed[ended - 1] > parts[before - 1]):
        return None
    return parts[before - 1]


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
    msg = f"{name} of a plan is {expected}, or left out where it is not known; not {described(value)}."
    return ConfigurationError(msg)


def _spent(history: History, cumulative: Sequence[float], row: int) -> float:
    return cumulative[row] - before(history, cumulative) if row >= history.fit_row else 0.0


def epochs_done(history: History, row: int | None = None) -> int:
    """Return how many epochs of the present fit are done, those before the first record of a resumed run included.

    Args:
        history: All records so far.
        row: The record up to which to count, of the present fit. Defaults to the last.
    """
    last = len(history) - 1 if row is None else row
    return _done(history, last, _open_part(history, last))


def _done(history: History, row: int, part: int | None) -> int:
    """Return how many epochs are done, where a part is the last of an epoch that is open."""
    closed = last_epochs(history, 1, row)
    done = 0 if part is None else _count(history, part) - 1
    return max(done, _count(history, closed[-1]) if closed else 0, 0)


def _count(history: History, row: int) -> int:
    """Return which epoch of the training a record is of, counted from 1."""
    return (history.epoch_at(row) or 0) + 1 - _numbered_from(history)


def next_epoch(history: History) -> int:
    """Return the index that the epoch after those that are done has, as the run numbers them.

    Args:
        history: All records so far.
    """
    return epochs_done(history) + _numbered_from(history)


def _numbered_from(history: History) -> int:
    """Return the index of the first epoch: 1 where the present fit begins with that, else 0."""
    known: dict[int, int] = history.memo((__name__, "numbered from"), dict)
    both, fit_row = (history.epoch_rows, history.part_rows), history.fit_row
    if fit_row not in known:
        first = min((rows[at] for rows in both if (at := bisect_left(rows, fit_row)) < len(rows)), default=None)
        if first is None:
            return 0
        known[fit_row] = 0 if history.is_thinned else _number(history, first)  # its rows may stand for several epochs
    return known[fit_row]


def _number(history: History, first: int) -> int:
    """Return 1 where a row is of epoch 1, and no epoch 0 was cut short before it; else 0."""
    rows = range(history.fit_row, first)
    return int(history.epoch_at(first) == 1 and all(history.epoch_at(row) != 0 for row in rows))


def seconds_before(history: History, epoch: int, unrecorded_seconds: float = 0.0) -> float:
    """Return the time in s that the fit which goes on with an epoch has taken; 0 if the epoch begins a new fit.

    Args:
        history: All records so far.
        epoch: Index of the epoch, which has just begun.
        unrecorded_seconds: Time since the last record, which will be recorded with the epoch.
    """
    epochs = (history.epoch_at(row) for row in range(len(history) - 1, -1, -1))
    latest = next((each for each in epochs if each is not None), epoch)
    if epoch < latest:
        return 0.0
    return history.duration_seconds - before(history, history.cumulative_seconds) + unrecorded_seconds


def last_epochs(history: History, count: int, row: int | None = None) -> Sequence[int]:
    """Return the rows at which the last epochs of the present fit were closed.

    Args:
        history: All records so far.
        count: The most rows to return.
        row: The record up to which to look. Defaults to the last.
    """
    rows = history.epoch_rows
    end = len(rows) if row is None else bisect_right(rows, row)
    rows = rows[max(end - count, 0) : end]
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


def _whole(value: object, what: str) -> int | None:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value  # some frameworks count in floats
    return None if whole is None else checks.whole(whole, what, _MOST_COUNT, -_MOST_COUNT)


def _amount(value: object, what: str) -> float | None:
    return None if value is None else checks.finite(value, what)


def _drops(value: object, what: str) -> tuple[int, ...]:
    return tuple(checks.whole(each, what, _MOST_COUNT, -_MOST_COUNT) for each in checks.listed(value, what))


_CHECKS: Final[Mapping[str, Callable[[object, str], Any]]] = {
    "epochs": _whole,
    "min_epochs": _whole,
    "steps": _whole,
    "epoch_steps": _whole,
    "seconds": _amount,
    "emissions_kg": _amount,
    "learning_rate_drops": _drops,
    "anneals": checks.boolean,
    "schedule_unreadable": checks.boolean,
    "spent_before_kg": checks.finite,
    "spent_before_kwh": checks.finite,
}
"""How each field of a plan is checked."""
