"""The energy of training, and how much of it went to samples that were known already."""

from collections.abc import Mapping
from typing import Any, Final

from green_callbacks.records import EpochRecord, History

_TRAIN: Final = "train"
_Energy = tuple[float, float, float]
_NOTHING: Final[_Energy] = (0.0, 0.0, 0.0)
"""No energy, in J."""


class KnownEnergy:
    """Divides the training energy of each epoch among visits to known samples and all others.

    Each sample of an epoch takes the same energy.

    Attributes:
        training: Energy of training in the epochs so far, with its bounds, in J.
        known: Energy among it of visits to known samples, with its bounds, in J.
        is_whole: Whether the energy of every epoch with visits is known.
        rows: Number of records that were looked at. -1 before the first look.

    Example:
        >>> energy = KnownEnergy()
        >>> history = History()
        >>> energy.begin(history)
        >>> history.append(EpochRecord.scripted(epoch=0, emissions_kg=1.0))
        >>> energy.is_over(history)
        True
        >>> energy.settle(history, visits=100, known_visits=25)
        >>> energy.known[0] / energy.training[0]
        0.25
    """

    def __init__(self) -> None:
        self.training = self.known = _NOTHING
        self.is_whole = True
        self._settled = 0, 0
        self._first_row: int | None = None
        self.rows = -1

    def begin(self, history: History) -> None:
        """Note where the epoch of the next visits begins, unless it is noted already.

        Args:
            history: The records so far.
        """
        rows = len(history)
        if self._first_row is None or rows < max(self.rows, self._first_row):  # a resume may have merged old records
            self._first_row = rows
        if self.rows < 0 or rows < self.rows:
            self.rows = rows

    def is_over(self, history: History) -> bool:
        """Return whether the epoch of the visits has ended.

        Args:
            history: The records so far.
        """
        rows = len(history)
        if rows == self.rows or self._first_row is None or self.rows < 0:
            return False
        new, self.rows = history[self.rows : rows], rows
        return any(record.epoch is not None and record.closes_epoch for record in new)

    def settle(self, history: History, visits: int, known_visits: int) -> None:
        """Divide the energy of the epoch that has ended.

        Args:
            history: The records so far.
            visits: All visits so far.
            known_visits: All visits to known samples so far.
        """
        first, self.rows = self._first_row, -1
        records = [] if first is None else [record for record in history[first:] if record.epoch is not None]
        if not records:
            self.rows = -1 if first is None else len(history)  # an epoch that was cut short gets its record later
            return
        self._first_row = None
        visits_before, known_before = self._settled
        self._settled = visits, known_visits
        visits, known_visits = visits - visits_before, known_visits - known_before
        if visits <= 0:
            return
        energies = [training_joules(record) for record in records]
        used = [energy for energy in energies if energy is not None]
        self.is_whole &= bool(used) and len(used) == len(energies)
        samples = max(visits, sum(record.samples or 0 for record in records))
        for value in used:
            self.training = _sum(self.training, value)
            self.known = _sum(self.known, value, known_visits / samples)

    def state(self) -> dict[str, Any]:
        """Return the state, of plain JSON types."""
        return {
            "training": list(self.training),
            "known": list(self.known),
            "settled": list(self._settled),
            "first_row": self._first_row,
            "is_whole": self.is_whole,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a state.

        Args:
            state: What :meth:`state` returned.
        """
        training, known, settled = state["training"], state["known"], state["settled"]
        self.training = float(training[0]), float(training[1]), float(training[2])
        self.known = float(known[0]), float(known[1]), float(known[2])
        self._settled = int(settled[0]), int(settled[1])
        self.is_whole = bool(state["is_whole"])
        first = state.get("first_row")
        self._first_row, self.rows = None if first is None else int(first), -1


def training_joules(record: EpochRecord) -> _Energy | None:
    """Return the energy of the training in a record, with its bounds, in J. None if unknown.

    Args:
        record: The record. If it has no phases, all of it is training.

    Example:
        >>> training_joules(EpochRecord.scripted(epoch=0, emissions_kg=1.0))
        (3600000.0, 3600000.0, 3600000.0)
    """
    joules, low, high = record.energy_joules, record.energy_low_joules, record.energy_high_joules
    if joules is None or low is None or high is None:
        return None
    if not record.phases:
        return joules, low, high
    part = record.phases[_TRAIN].joules if _TRAIN in record.phases else None
    if part is None:
        return None
    share = min(part / joules, 1.0) if joules > 0 else 1.0
    return joules * share, low * share, high * share


def _sum(total: _Energy, value: _Energy, share: float = 1.0) -> _Energy:
    return total[0] + value[0] * share, total[1] + value[1] * share, total[2] + value[2] * share
