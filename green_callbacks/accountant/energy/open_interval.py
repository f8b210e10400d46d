"""The interval that is open: an epoch, or what lies between two."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple, Self

from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.ranks import Lap
from green_callbacks.carbon.energy_weighted import Piece
from green_callbacks.meter import Snapshot, energy_between
from green_callbacks.records import DeviceEnergy, PhaseEnergy

MAX_METRICS: Final = 5_000
"""So many metrics of an interval are kept; more of them are new names at every step, by mistake."""
MAX_COUNT: Final = 2**53 - 1
"""Counts of steps, samples and tokens stay below this, up to which a float counts by ones."""
MAX_FLOPS: Final = 1e30
"""No interval takes more floating-point operations: the largest trainings so far took some 1e27 in all."""
_MOST_PIECES: Final = 64
"""So many pieces of an interval are kept apart for a carbon intensity that changes; more are merged by twos."""
_NO_PHASES: Final[Mapping[str, PhaseEnergy]] = {}


@dataclass(slots=True)
class Seen:
    """What was observed in an interval.

    Attributes:
        metrics: Fresh metrics.
        learning_rate: Last learning rate; None if unknown.
        samples: Training samples; None if unknown.
        tokens: Training tokens; None if unknown.
        flops: Floating-point operations; None if unknown.
        step: Optimizer steps so far; None if unknown.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    learning_rate: float | None = None
    samples: int | None = None
    tokens: int | None = None
    flops: float | None = None
    step: int | None = None

    def note(self, metrics: Mapping[str, Any], counts: Mapping[str, Any], guarded: Guarded) -> None:
        """Note what is fresh; whatever is no number is passed over, and said once.

        Args:
            metrics: Metrics.
            counts: ``learning_rate`` and ``step`` as they are now; ``samples``, ``tokens`` and ``flops`` since the
                last call. None where unknown.
            guarded: What asks the objects of others.
        """
        nothing: dict[str, Any] = {}
        is_plain = type(metrics) is dict
        items = metrics if is_plain else guarded.ask("The mapping of metrics", lambda: dict(metrics), nothing)
        if len(self.metrics) + len(items) > MAX_METRICS:
            guarded.say_once("metrics", "More than %d metrics were observed. The rest is not recorded.", MAX_METRICS)
            items = dict(islice(items.items(), max(0, MAX_METRICS - len(self.metrics))))
        self.metrics.update(guarded.numbers(items))
        for name, number in guarded.numbers(counts).items():
            self._count(name, number, guarded)

    def _count(self, name: str, number: float, guarded: Guarded) -> None:
        if name == "learning_rate":
            self.learning_rate = number
        elif not 0 <= number < (MAX_FLOPS if name == "flops" else MAX_COUNT):
            guarded.say_once(name, "The number of %s is %s, which cannot be. It is not recorded.", name, number)
        elif name == "step":
            self.step = int(number)
        elif name == "flops":
            self.flops = (self.flops or 0.0) + number
        elif name == "tokens":
            self.tokens = min((self.tokens or 0) + int(number), MAX_COUNT)
        else:
            self.samples = min((self.samples or 0) + int(number), MAX_COUNT)


class Segment(NamedTuple):
    """An open interval: what its laps came to so far. Never changes: an edge makes a new one.

    Attributes:
        first: The beginning.
        phase: Phase of the lap at hand.
        epoch: Index of the epoch; None outside epochs.
        seen: What was observed in it; grows.
        last: The last edge.
        phases: Energy and time by phase, up to the last edge.
        pieces: When the energy was used, up to the last edge.
        lap_devices: Energy by device, where the interval has had one lap only; None otherwise.
    """

    first: Snapshot
    phase: str
    epoch: int | None
    seen: Seen
    last: Snapshot
    phases: Mapping[str, PhaseEnergy] = _NO_PHASES
    pieces: tuple[Piece, ...] = ()
    lap_devices: Mapping[str, DeviceEnergy] | None = None

    @classmethod
    def begun(cls, first: Snapshot, phase: str, epoch: int | None = None) -> Self:
        """Begin an interval.

        Args:
            first: The beginning.
            phase: Phase of the first lap.
            epoch: Index of the epoch. Defaults to none.
        """
        return cls(first, phase, epoch, Seen(), first)

    def marked(self, edge: Snapshot, owned: Collection[str], phase: str | None = None) -> "Segment":
        """Return the interval with the lap at hand ended, and another begun.

        Args:
            edge: The edge between them.
            owned: The devices that count on this rank.
            phase: Phase of the new lap. Defaults to the same.
        """
        before = self.last
        devices = energy_between(before, edge, owned)
        joules = _joules(devices)
        added = _added(self.phases.get(self.phase), joules, edge.seconds - before.seconds)
        pieces = (*self.pieces, Piece(before.when, edge.when, joules or 0.0))
        return Segment(
            self.first,
            self.phase if phase is None else phase,
            self.epoch,
            self.seen,
            edge,
            {**self.phases, self.phase: added},
            pieces if len(pieces) <= _MOST_PIECES else _merged(pieces),
            None if self.phases else devices,
        )

    @property
    def seconds(self) -> float:
        """Time from the beginning to the last edge, in s."""
        return self.last.seconds - self.first.seconds

    def lap(self, owned: Collection[str]) -> Lap:
        """Return what the interval used, to its last edge.

        Args:
            owned: The devices that count on this rank.
        """
        whole = self.lap_devices
        if whole is None:
            whole = energy_between(self.first, self.last, owned)
        seen = self.seen
        pieces = self.pieces or (Piece(self.first.when, self.first.when, 0.0),)
        return Lap(self.seconds, whole, self.phases, seen.samples, pieces, seen.tokens, seen.flops)


def _merged(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Return pieces merged by twos."""
    pairs = zip(pieces[::2], pieces[1::2], strict=False)
    merged = tuple(Piece(one.start, two.end, one.joules + two.joules) for one, two in pairs)
    return merged if len(pieces) % 2 == 0 else (*merged, pieces[-1])


def _added(before: PhaseEnergy | None, joules: float | None, seconds: float) -> PhaseEnergy:
    if before is None:
        return PhaseEnergy(joules, seconds)
    if joules is None or before.joules is None:
        return PhaseEnergy(before.joules if joules is None else joules, before.seconds + seconds)
    return PhaseEnergy(before.joules + joules, before.seconds + seconds)


def _joules(devices: Mapping[str, DeviceEnergy]) -> float | None:
    total = None
    for joules, *_ in devices.values():
        if joules is not None:
            total = joules if total is None else total + joules
    return total
