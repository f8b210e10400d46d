"""The energy of one GPU so far, continued over lost drivers and over changes of the gauge."""

from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.records import Method, Reading
from green_callbacks.sources.common.never_falling import never_below
from green_callbacks.sources.nvidia.counter.gauge import CounterGauge
from green_callbacks.sources.nvidia.estimates import EnergySample, Estimate
from green_callbacks.sources.nvidia.power.choice import PowerGauge
from green_callbacks.sources.nvidia.sensor import SENSOR_TOLERANCE
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

Gauge = CounterGauge | PowerGauge
"""A way to measure the energy of a GPU, from an arbitrary origin."""

SLICE_TOLERANCE: Final = 0.4
"""Relative tolerance of the energy of a MIG slice (by convention). No meter shows the power of a slice."""
_WARN_AGAIN_SECONDS: Final = 600.0
"""Shortest time between two warnings of a GPU that answers only sometimes, in s (by convention)."""


class GpuAccount:
    """The energy of a GPU, which never falls and stays when the GPU is lost.

    Args:
        name: Name of the GPU.
        clock: The clock.

    Attributes:
        reason: Why the GPU does not answer. None while it answers.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._base_joules = self._base_gap_seconds = self._base_walk_square_joules = 0.0
        self._joules: float | None = None
        self._below_joules = self._above_joules = 0.0
        self.reason: str | None = None
        self._silent_since = clock.monotonic()
        self._warned_seconds: float | None = None

    def gap_seconds(self, gauge: Gauge | None) -> float:
        """Return the time in which nothing was measured, in s. The present silence is not included.

        Args:
            gauge: The present gauge. None before the first.
        """
        return self._base_gap_seconds + (gauge.gap_seconds if gauge else 0.0)

    def last_joules(self, gauge: Gauge) -> float:
        """Return the energy at the last sample of a gauge, in J."""
        return self._base_joules + gauge.last.joules

    def begin(self, gauge: Gauge) -> None:
        """Begin with the first gauge. Its last sample is the origin.

        An estimate of the energy since that sample could be too high, and would then hold the reading.

        Args:
            gauge: The gauge.
        """
        _, below, above = gauge.read()
        shown = gauge.last.joules
        self._base_joules = -shown
        if self.reason is not None:
            self._base_gap_seconds = self._clock.monotonic() - self._silent_since
        self.take((shown, below, above))

    def take(self, estimate: Estimate) -> None:
        """Take an estimate of the present gauge. The reading never falls, also where the last estimate was too high."""
        joules, below, above = estimate
        bounded = never_below(self._joules, (joules + self._base_joules, below, above))
        self._joules, self._below_joules, self._above_joules = bounded
        self.reason = None

    def switch(self, before: Gauge | None, last: EnergySample, estimate: Estimate) -> None:
        """Continue with another gauge from where the present one can be trusted. The time since is a gap.

        Args:
            before: The present gauge.
            last: Its last sample that can be trusted.
            estimate: The present estimate of the other gauge.
        """
        self._keep(last)
        joules, self._below_joules, self._above_joules = estimate
        self._base_joules = (self._joules or 0.0) - joules
        self._base_gap_seconds += max(0.0, self._clock.monotonic() - last.after_seconds)
        if before is not None:
            self._base_gap_seconds += before.gap_seconds
            self._base_walk_square_joules += before.walk_square_joules

    def lose(self, error: Exception, gauge: Gauge | None, last: EnergySample | None = None) -> None:
        """Note that the GPU does not answer, and keep the last sample.

        Args:
            error: The driver's error.
            gauge: The present gauge.
            last: The last sample that can be trusted. Defaults to the last sample of the gauge.
        """
        if self.reason is None:
            self._warn(error)
            if gauge is not None:
                self._keep(last or gauge.last)
                self._above_joules = gauge.unseen_joules
        self.reason = str(error)

    def reading(self, gauge: Gauge | None, flags: tuple[str, ...]) -> Reading:
        """Return the energy as of the last estimate.

        Args:
            gauge: The present gauge.
            flags: Further flags.
        """
        gap_seconds = self._base_gap_seconds
        method: Method = "counter"
        lag_joules = walk_square_joules = 0.0
        if gauge is not None:
            method, flags = gauge.method, flags + gauge.flags
            lag_joules, walk_square_joules = gauge.lag_joules, gauge.walk_square_joules
            gap_seconds += gauge.gap_seconds
            walk_square_joules += self._base_walk_square_joules
        if self.reason is not None:
            gap_seconds += self._clock.monotonic() - self._silent_since
        return Reading(
            joules=self._joules,
            component="gpu",
            method=method,
            below_joules=self._below_joules,
            above_joules=self._above_joules,
            tolerance=SENSOR_TOLERANCE,
            gap_seconds=gap_seconds,
            flags=flags,
            reason=self.reason,
            lag_joules=lag_joules,
            walk_square_joules=walk_square_joules,
        )

    def _keep(self, last: EnergySample) -> None:
        """Keep the larger of the last estimate and a sample."""
        self._joules = max(self._joules or 0.0, self._base_joules + last.joules)
        self._below_joules = self._above_joules = 0.0
        self._silent_since = max(self._silent_since, last.after_seconds)
        self.reason = None

    def _warn(self, error: Exception) -> None:
        now = self._clock.monotonic()
        if self._warned_seconds is None or now - self._warned_seconds > _WARN_AGAIN_SECONDS:
            self._warned_seconds = now
            logger.warning("%s does not answer (%s). Its energy is not counted until it does.", self._name, error)


def part_of(reading: Reading, share: float) -> Reading:
    """Return the reading of a MIG slice, which is modelled as a share of the GPU's energy.

    Args:
        reading: The reading of the whole GPU.
        share: The size of the slice, 0 to 1.
    """
    return reading._replace(
        joules=reading.joules and reading.joules * share,
        method="modelled",
        tolerance=SLICE_TOLERANCE,
        below_joules=reading.below_joules * share,
        above_joules=reading.above_joules * share,
        lag_joules=reading.lag_joules * share,
        walk_square_joules=reading.walk_square_joules * share**2,
    )
