"""The interval that is open, which is an epoch or lies between two epochs."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple, Self

from green_callbacks.accountant.energy.lap_vectors import Lap
from green_callbacks.accountant.energy.observations import Observations
from green_callbacks.carbon.energy_weighted import Piece
from green_callbacks.measurement.activity_watch import activity_between
from green_callbacks.meter import Snapshot, energy_between
from green_callbacks.records import DeviceEnergy, PhaseEnergy

_MOST_PIECES: Final = 64
"""Number of pieces of an interval that are kept apart for a changing carbon intensity. Above it, pairs are merged."""
_NO_PHASES: Final[Mapping[str, PhaseEnergy]] = {}


class OpenInterval(NamedTuple):
    """An open interval with the energy of its laps so far. It never changes, because an edge makes a new one.

    Attributes:
        first: The first edge.
        phase: Phase of the open lap.
        epoch: Index of the epoch, or None outside epochs.
        observations: Its metrics and counts. They grow.
        last: The last edge.
        phases: Energy and time by phase, up to the last edge.
        pieces: Energy by time, up to the last edge.
        lap_devices: Energy by device, if the interval has had one lap only. Otherwise None.
    """

    first: Snapshot
    phase: str
    epoch: int | None
    observations: Observations
    last: Snapshot
    phases: Mapping[str, PhaseEnergy] = _NO_PHASES
    pieces: tuple[Piece, ...] = ()
    lap_devices: Mapping[str, DeviceEnergy] | None = None

    @classmethod
    def begun(cls, first: Snapshot, phase: str, epoch: int | None = None) -> Self:
        """Begin an interval.

        Args:
            first: The first edge.
            phase: Phase of the first lap.
            epoch: Index of the epoch. Defaults to none.
        """
        return cls(first, phase, epoch, Observations(), first)

    def marked(self, edge: Snapshot, owned: Collection[str], phase: str | None = None) -> "OpenInterval":
        """Return the interval after an edge, which ends a lap and begins the next.

        Args:
            edge: The edge.
            owned: The devices that count on this rank.
            phase: Phase of the new lap. Defaults to the phase of the lap before.
        """
        before = self.last
        devices = energy_between(before, edge, owned)
        joules = _joules(devices)
        added = _added(self.phases.get(self.phase), joules, edge.seconds - before.seconds)
        pieces = (*self.pieces, Piece(before.when, edge.when, joules or 0.0))
        return OpenInterval(
            self.first,
            self.phase if phase is None else phase,
            self.epoch,
            self.observations,
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
        """Return the energy of the interval, up to its last edge.

        Args:
            owned: The devices that count on this rank.
        """
        whole = self.lap_devices
        if whole is None:
            whole = energy_between(self.first, self.last, owned)
        observations = self.observations
        pieces = self.pieces or (Piece(self.first.when, self.first.when, 0.0),)
        return Lap(
            self.seconds,
            whole,
            self.phases,
            observations.samples,
            pieces,
            observations.tokens,
            observations.flops,
            activity_between(self.first.activity, self.last.activity, self.seconds, whole),
        )


def _merged(pieces: tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Return pieces with each pair merged."""
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
