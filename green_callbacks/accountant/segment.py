"""The interval that is open: an epoch, or what lies between two."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from typing import Any

from green_callbacks.accountant.ranks import Lap
from green_callbacks.accountant.weighting import Piece
from green_callbacks.meter import Snapshot, energy_between
from green_callbacks.records import DeviceEnergy, PhaseEnergy

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Segment:
    """An open interval: its laps so far, each in one phase, and what was observed in it.

    Attributes:
        first: The beginning.
        phase: Phase of the lap at hand.
        epoch: Index of the epoch; None outside epochs.
        metrics: Fresh metrics.
        learning_rate: Last learning rate seen.
        samples: Training samples seen.
        step: Optimiser steps so far.
    """

    first: Snapshot
    phase: str
    epoch: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    learning_rate: float | None = None
    samples: int | None = None
    step: int | None = None
    _edges: list[tuple[str, Snapshot]] = field(default_factory=list)

    def mark(self, snapshot: Snapshot, phase: str | None = None) -> None:
        """End the lap at hand, and begin another.

        Args:
            snapshot: The edge between them.
            phase: Phase of the new one; the same unless given.
        """
        self._edges.append((self.phase, snapshot))
        if phase is not None:
            self.phase = phase

    def observe(
        self, metrics: Mapping[str, Any], learning_rate: float | None, samples: int | None, step: int | None
    ) -> None:
        """Note what is fresh.

        Args:
            metrics: Metrics; what is not a number is passed over.
            learning_rate: Learning rate.
            samples: Training samples seen since the last call.
            step: Optimiser steps so far.
        """
        self.metrics.update(_numbers(metrics))
        told = _numbers({"learning rate": learning_rate, "step": step, "samples": samples})
        self.learning_rate = told.get("learning rate", self.learning_rate)
        if isfinite(told.get("step", nan)):
            self.step = int(told["step"])
        if told.get("samples", nan) >= 0 and isfinite(told["samples"]):
            self.samples = (self.samples or 0) + int(told["samples"])

    @property
    def last(self) -> Snapshot:
        """The last edge."""
        return self._edges[-1][1] if self._edges else self.first

    @property
    def seconds(self) -> float:
        """Time from the beginning to the last edge, in s."""
        return self.last.seconds - self.first.seconds

    def lap(self, owned: Collection[str]) -> Lap:
        """Return what the interval used, to its last edge.

        Args:
            owned: The devices that count on this rank.
        """
        before, last, edges = self.first, self.last, self._edges
        whole = energy_between(before, last, owned)
        phases: dict[str, PhaseEnergy] = {}
        pieces: list[Piece] = []
        for phase, edge in edges:
            joules = _joules(whole if len(edges) == 1 else energy_between(before, edge, owned))
            phases[phase] = _added(phases.get(phase), joules, edge.seconds - before.seconds)
            pieces.append(Piece(before.when, edge.when, joules or 0.0))
            before = edge
        pieces = pieces or [Piece(before.when, before.when, 0.0)]
        return Lap(last.seconds - self.first.seconds, whole, phases, self.samples, pieces)


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


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics that are numbers; a framework's logs may hold more."""
    numbers: dict[str, float] = {}
    for name, value in metrics.items():
        if value is None:
            continue
        try:
            numbers[str(name)] = float(value)
        # What a framework's logs hold is of any kind, and converting it runs other people's code.
        except Exception:  # noqa: BLE001
            logger.debug("%r is not a number: %r; it is not recorded.", name, value)
    return numbers
