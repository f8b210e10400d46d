"""What training took per step, per sample, per token and per floating-point operation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from green_callbacks.records.checked import amount, sequence, wrong
from green_callbacks.records.device import PhaseEnergy
from green_callbacks.records.intensity import Intensity
from green_callbacks.units import JOULES_PER_KWH

if TYPE_CHECKING:
    from green_callbacks.records.epoch import EpochRecord

__all__ = ["Effort", "Ratio", "Work"]

OPERATIONS_PER_EXAFLOP: Final = 1e18
"""Floating-point operations of one exaFLOP. By the SI prefix."""

TRAIN: Final = "train"
"""The phase whose energy is the energy of training."""

COUNTS: Final = ("steps", "samples", "tokens", "flops")
"""What an effort counts, in order."""

RATIOS: Final = ("joules_per_step", "joules_per_sample", "joules_per_token", "grams_per_exaflop")
"""Names of the ratios of an effort, in the same order."""

_MOST: Final = 1e300
"""Largest number of an effort that is accepted, far above any real one. By convention."""

_FLOPS: Final = COUNTS.index("flops")
"""Place of the floating-point operations among the counts."""

_NOTHING: Final = (0.0, 0.0, 0.0)
"""What waits for a count after a record with that count, in J or g."""

_CLOSED: Final = object()
"""Stands for the epoch that is open after a record, if none is."""


class Ratio(NamedTuple):
    """What one unit of work took, with its bounds.

    Attributes:
        value: Energy in J, or emissions in g, of one unit.
        low: Lower bound, in the same unit.
        high: Upper bound, in the same unit.

    Example:
        >>> Ratio(value=0.5, low=0.45, high=0.55).value
        0.5
    """

    value: float
    low: float
    high: float


class Work(NamedTuple):
    """A number of units of work, and what all of them took.

    Attributes:
        units: Number of units.
        amount: Energy in J, or emissions in g, of all of them.
        low: Lower bound of the amount, in the same unit.
        high: Upper bound of the amount, in the same unit.

    Example:
        >>> Work(units=100.0, amount=50.0, low=45.0, high=55.0).each()
        Ratio(value=0.5, low=0.45, high=0.55)
    """

    units: float
    amount: float
    low: float
    high: float

    def each(self, size: float = 1.0) -> Ratio | None:
        """Return what one unit took. None if no unit was counted, or if no energy was measured.

        Args:
            size: Size of the unit, as a number of counted units. Defaults to 1.
        """
        units = self.units / size
        return Ratio(self.amount / units, self.low / units, self.high / units) if units > 0 and self.high > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What training took, by the steps, samples, tokens and operations that were counted in it.

    The energy of training is the energy of the phase ``train``. Validation, tests and checkpoints outside epochs are
    not in it. A record without phases counts whole. Only records with a count are in the energy of that count. Work of
    epochs that were repeated counts, because its energy was used.

    Attributes:
        steps: Optimizer steps, and their energy in J. Defaults to None, if no step was counted.
        samples: Training samples, and their energy in J. Defaults to None, if no sample was counted.
        tokens: Training tokens, and their energy in J. Defaults to None, if no token was counted.
        flops: Floating-point operations, and their emissions in gCO2e with the PUE. Defaults to None, if none was
            counted.

    Example:
        >>> Effort(steps=Work(200.0, 50.0, 49.0, 51.0)).joules_per_step.value
        0.25
    """

    steps: Work | None = None
    samples: Work | None = None
    tokens: Work | None = None
    flops: Work | None = None

    @property
    def joules_per_step(self) -> Ratio | None:
        """Energy of training per optimizer step, in J. None if unknown."""
        return self.steps and self.steps.each()

    @property
    def joules_per_sample(self) -> Ratio | None:
        """Energy of training per sample, in J. None if unknown."""
        return self.samples and self.samples.each()

    @property
    def joules_per_token(self) -> Ratio | None:
        """Energy of training per token, in J. None if unknown."""
        return self.tokens and self.tokens.each()

    @property
    def grams_per_exaflop(self) -> Ratio | None:
        """Emissions of training per 10^18 floating-point operations, in gCO2e. None if unknown."""
        return self.flops and self.flops.each(OPERATIONS_PER_EXAFLOP)

    def ratios(self) -> dict[str, Ratio]:
        """Return the known ratios by their names."""
        named = {name: getattr(self, name) for name in RATIOS}
        return {name: ratio for name, ratio in named.items() if ratio is not None}


NO_EFFORT: Final = Effort()
"""The effort of records in which nothing was counted."""


class TrainingUse(NamedTuple):
    """Energy and emissions of the training in a record, each with its bounds. Energy is in J, emissions in gCO2e."""

    joules: float
    low_joules: float
    high_joules: float
    grams: float
    low_grams: float
    high_grams: float


def training_use(
    energy: tuple[float, float, float] | None, train: PhaseEnergy | float | None, pue: float, intensity: Intensity
) -> TrainingUse | None:
    """Return the energy and emissions of the training in a record. None if its energy is unknown.

    Args:
        energy: Energy of the record and its bounds, in J. None if nothing was measured.
        train: Its training phase, or the energy of that phase in J. None if it had no such phase.
        pue: Power usage effectiveness of the facility.
        intensity: Carbon intensity.
    """
    part = train.joules if isinstance(train, PhaseEnergy) else train
    if energy is None or part is None:
        return None
    return TrainingUse(*use_of(*energy, part, pue, prices_of(intensity)))


def prices_of(intensity: Intensity) -> tuple[float, float, float]:
    """Return a carbon intensity with its bounds, in gCO2e/kWh."""
    return intensity.g_per_kwh, intensity.lowest_g_per_kwh, intensity.highest_g_per_kwh


def use_of(
    joules: float, low: float, high: float, part: float, pue: float, prices: tuple[float, float, float]
) -> tuple[float, float, float, float, float, float]:
    """Return the numbers of a :class:`TrainingUse`. A history asks for each of its rows.

    Args:
        joules: Energy of the record, in J.
        low: Its lower bound, in J.
        high: Its upper bound, in J.
        part: Energy of its training, in J.
        pue: Power usage effectiveness of the facility.
        prices: Carbon intensity with its bounds, in gCO2e/kWh.
    """
    if part < joules:
        share = part / joules
        low *= share
        high *= share
    else:
        part = joules
    facility = pue / JOULES_PER_KWH
    g_per_kwh, lowest, highest = prices
    return part, low, high, part * facility * g_per_kwh, low * facility * lowest, high * facility * highest


def phase_of_training(
    phases: Mapping[str, PhaseEnergy], joules: float | None, *, is_training: bool
) -> PhaseEnergy | float | None:
    """Return the training phase of a record, or the energy of the whole record if it has no phases.

    Args:
        phases: Its phases.
        joules: Its energy, in J. None if nothing was measured.
        is_training: Whether a record without phases is training.

    Returns:
        None if nothing of the record is training, or if its energy is unknown.
    """
    return phases.get(TRAIN) if phases else joules if is_training else None


class EffortSum:
    """Adds up the effort of records, in their order.

    A count covers the time since the count before it. So the last part of an epoch may count the samples of the whole
    epoch, and takes over the energy of the parts without a count.

    Args:
        effort: The effort so far. Defaults to none.
    """

    __slots__ = ("_open", "_pending", "_sums")

    def __init__(self, effort: Effort = NO_EFFORT) -> None:
        known = [getattr(effort, name) for name in COUNTS]
        self._sums: list[list[float] | None] = [None if work is None else list(work) for work in known]
        self._pending: dict[int, tuple[float, float, float]] = {}
        """Energy or emissions of the open epoch that wait for a count, by the place of the count."""
        self._open: object = _CLOSED

    def copy(self) -> "EffortSum":
        """Return a copy that can go on by itself."""
        made = EffortSum()
        made._sums = [None if each is None else list(each) for each in self._sums]
        made._pending, made._open = dict(self._pending), self._open
        return made

    @property
    def effort(self) -> Effort:
        """The effort of all records so far."""
        return effort_of(self._sums)

    def add(self, record: "EpochRecord") -> Effort:
        """Add a record.

        Args:
            record: The record.

        Returns:
            The effort that it completes.
        """
        counts = (record.steps, record.samples, record.tokens, record.flops)
        return effort_of(self.take(record.epoch, record.training, counts, closes=record.closes_epoch))

    def take(
        self,
        epoch: int | None,
        use: tuple[float, float, float, float, float, float] | None,
        counts: Sequence[float | None],
        *,
        closes: bool,
    ) -> list[Sequence[float] | None]:
        """Add a record.

        Args:
            epoch: Index of its epoch. None outside epochs.
            use: The numbers of a :class:`TrainingUse`. None if unknown.
            counts: Its steps, samples, tokens and operations. None where unknown.
            closes: Whether it is the last record of its epoch.

        Returns:
            For each count, what it added, as count, amount and bounds. None where it added nothing.
        """
        pending = self._pending
        if epoch != self._open:
            pending.clear()
        self._open = _CLOSED if closes else epoch
        added: list[Sequence[float] | None] = [None, None, None, None]
        for at, count in enumerate(counts):
            if count is None and (closes or use is None):
                continue
            waiting = pending.pop(at, _NOTHING)
            if use is None:
                continue
            value, low, high = use[3:] if at == _FLOPS else use[:3]
            amounts = (waiting[0] + value, waiting[1] + low, waiting[2] + high)
            if count is None:
                pending[at] = amounts
            else:
                added[at] = (count, *amounts)
                self._put(at, count, amounts)
        return added

    def _put(self, at: int, count: float, amounts: tuple[float, float, float]) -> None:
        total = self._sums[at]
        if total is None:
            self._sums[at] = [count, *amounts]
            return
        total[0] += count
        total[1] += amounts[0]
        total[2] += amounts[1]
        total[3] += amounts[2]


def effort_of(added: Sequence[Sequence[float] | None]) -> Effort:
    """Return the effort of what :meth:`EffortSum.take` added.

    Args:
        added: What was added, for each count.
    """
    return Effort(**{name: None if each is None else Work(*each) for name, each in zip(COUNTS, added, strict=True)})


def encode_effort(effort: Effort) -> list[list[float] | None]:
    """Return an effort as plain JSON types.

    Args:
        effort: The effort.
    """
    works = [getattr(effort, name) for name in COUNTS]
    return [None if work is None else list(work) for work in works]


def decode_effort(said: object) -> Effort:
    """Read what :func:`encode_effort` wrote.

    Args:
        said: The list, of any type.

    Raises:
        ValueError: It is no such list.
    """
    listed = sequence(said, len(COUNTS))
    works = [
        None if each is None else [amount(number, _MOST, -_MOST) for number in sequence(each, 4)] for each in listed
    ]
    if len(works) != len(COUNTS) or any(work is not None and len(work) != len(Work._fields) for work in works):
        raise wrong(said, "effort")
    return effort_of(works)
