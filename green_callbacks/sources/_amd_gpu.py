"""One AMD GPU as it is measured: by its counter while that can be trusted, else by its power."""

import logging
from dataclasses import replace
from random import Random
from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.records import Reading
from green_callbacks.sources._amd_counter import AmdCounter, Doubt
from green_callbacks.sources._amd_driver import AmdDriver, AmdDriverError
from green_callbacks.sources._amd_find import AmdGpu
from green_callbacks.sources._device import Account
from green_callbacks.sources._integral import Integral

logger = logging.getLogger(__name__)

SAMPLE_SECONDS: Final = 0.05
"""Time between two samples of the power where there is no counter, in s."""
LOOK_SECONDS: Final = 1.0
"""Mean time between two looks at a counter, or two attempts to find a lost GPU again, in s."""
_TOLERANCE: Final = 0.05
"""A convention, as wide as the sensors of NVIDIA's boards differ: AMD states no accuracy."""
_SILENT_LOOKS: Final = 3
"""After so many looks at which the power was told, but not the counter, it is taken to be gone."""


class MeasuredAmdGpu:
    """A GPU as a cumulative reading that never falls. Its owner sees to it that one thread at a time uses it.

    Args:
        gpu: Which.
        driver: The driver.
        clock: The time.
    """

    def __init__(self, gpu: AmdGpu, driver: AmdDriver, clock: Clock) -> None:
        self.name = f"gpu:{gpu.uuid}"
        self._address, self._handle = gpu.address, gpu.handle
        self._driver = driver
        self._clock = clock
        self._random = Random(gpu.uuid)  # noqa: S311  no secret
        self._limit_watts = driver.limit_watts(gpu.handle)
        self._counter: AmdCounter | None = None
        self._integral: Integral | None = None
        now = self._due_at = clock.monotonic()
        self._account = Account(now, flags=gpu.flags)
        self._silent_looks = 0
        self._advance()
        if self._account.reason is None:
            self._account = replace(self._account, gap_seconds=0.0)  # the call took a moment, and nothing was missed

    @property
    def reason(self) -> str | None:
        """Why the GPU does not answer; None while it does."""
        return self._account.reason

    @property
    def is_sampled(self) -> bool:
        """Whether its power is sampled."""
        return self._integral is not None

    def read(self) -> Reading:
        """Return the energy now: one call of the driver."""
        self._advance()
        account, now = self._account, self._clock.monotonic()
        below, above = self._bounds()
        return Reading(
            joules=account.joules,
            component="gpu",
            method="sampled" if self._integral is not None else "counter",
            below_joules=min(below, account.joules or 0.0),
            above_joules=above,
            tolerance=_TOLERANCE,
            gap_seconds=account.gap_seconds_at(now),
            flags=account.flags,
            reason=account.reason,
            walk_square_joules=0.0 if self._integral is None else self._integral.walk_square_joules(),
        )

    def poll(self) -> None:
        """Sample where there is no counter; look now and then whether a counter can be trusted, or a lost GPU is back.

        The looks are not evenly spaced: those would see the same part of every step of the training.
        """
        now = self._clock.monotonic()
        is_due = now >= self._due_at
        if is_due:
            self._due_at = now + LOOK_SECONDS * (0.5 + self._random.random())
        if is_due and self._account.reason is not None:
            self._renew()
        if self._integral is not None or is_due:
            self._advance()
        if is_due and self._counter is not None:
            self._check(self._counter)

    def _renew(self) -> None:
        """Look the GPU up again: it was reset, or somebody else has shut the library down."""
        try:
            self._driver.initialise()
            self._handle = self._driver.handle_by_address(self._address)
        except AmdDriverError:
            return  # the next call says why

    def _advance(self) -> None:
        try:
            if self._counter is not None:
                self._count(self._counter, self._driver.energy_joules(self._handle))
            elif self._integral is not None:
                self._sample(self._integral, self._driver.power_watts(self._handle))
            else:
                self._begin()
        except AmdDriverError as error:
            self._account = self._account.lose(str(error))

    def _begin(self) -> None:
        """Take the counter if it answers, else the power."""
        try:
            joules = self._driver.energy_joules(self._handle)
        except AmdDriverError:
            watts = self._driver.power_watts(self._handle)
            self._integral = Integral()
            self._integral.add(self._clock.monotonic(), watts)
            self._account = self._account.skip(self._clock.monotonic())
        else:
            now = self._clock.monotonic()
            self._counter = AmdCounter(joules, now, self._limit_watts)
            self._account = self._account.skip(now)

    def _count(self, counter: AmdCounter, joules: float) -> None:
        now, account = self._clock.monotonic(), self._account
        rise = counter.take(joules, now, was_lost=account.reason is not None)
        if rise is None:
            self._account = account.skip(now, "reset")
        elif rise > 0:  # else nothing is said to be measured meanwhile: it may be dead
            self._account = account.add(rise, now)

    def _sample(self, integral: Integral, watts: float) -> None:
        now = self._clock.monotonic()
        joules, gap_seconds = integral.joules, integral.gap_seconds
        integral.add(now, watts)
        if integral.gap_seconds > gap_seconds:
            self._account = self._account.skip(now)
        else:
            self._account = self._account.add(integral.joules - joules, now)

    def _check(self, counter: AmdCounter) -> None:
        """Notice a counter that stands still while the GPU draws power, contradicts the power, or is gone."""
        reason = self._account.reason
        self._silent_looks = 0 if reason is None else self._silent_looks + 1
        now = self._clock.monotonic()
        try:
            watts = self._driver.power_watts(self._handle)
        except AmdDriverError:
            if counter.is_dead(now) and reason is None:
                self._account = self._account.lose("its energy counter stands still, and it tells no power")
            return
        if reason is None:
            doubt = counter.doubt(watts, now)
        elif self._silent_looks < _SILENT_LOOKS:
            doubt = None
        else:
            doubt = Doubt("counter_gone", f"its energy counter no longer answers ({reason})")
        if doubt is not None:
            self._distrust(doubt, watts)

    def _distrust(self, doubt: Doubt, watts: float) -> None:
        """Go on by sampling; what the counter does not tell since it rose last is a gap."""
        logger.warning("%s: %s; its power is sampled instead.", self.name, doubt.text)
        now = self._clock.monotonic()
        self._counter, self._integral = None, Integral()
        self._integral.add(now, watts)
        self._account = self._account.skip(now, doubt.flag)

    def _bounds(self) -> tuple[float, float]:
        """Return how much less and how much more than it is told the energy may be now, in J."""
        if self._account.reason is not None:
            return 0.0, 0.0
        return 0.0, self._counter.late_joules(self._clock.monotonic()) if self._counter is not None else 0.0
