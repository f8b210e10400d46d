"""One AMD GPU as it is measured: by its counter while that can be trusted, else by its power."""

import logging
from dataclasses import dataclass, replace
from math import sqrt
from random import Random
from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.records import Reading
from green_callbacks.sources._amd_driver import AmdDriver, AmdDriverError
from green_callbacks.sources._amd_select import AmdGpu
from green_callbacks.sources._device import Account
from green_callbacks.sources._nvml_sampled import Integral
from green_callbacks.sources._plausible import Plausibility, stands_still

logger = logging.getLogger(__name__)

SAMPLE_SECONDS: Final = 0.05
"""Time between two samples of the power where there is no counter, in s."""
LOOK_SECONDS: Final = 1.0
"""Mean time between two looks at a counter, or two attempts to find a lost GPU again, in s."""
_TOLERANCE: Final = 0.05
"""A convention, as wide as the sensors of NVIDIA's boards differ: AMD states no accuracy."""
_LATE_SECONDS: Final = 0.1
"""How late the counter may be: AMD does not say how often it refreshes; others' do so ten times a second."""
_SURELY_STILL_SECONDS: Final = 10.0
"""After which a counter that does not rise is taken for dead even where no power is told beside it."""
_SILENT_LOOKS: Final = 3
"""After so many looks at which the power was told, but not the counter, it is taken to be gone."""
_LEAST_MEAN_SECONDS: Final = 0.4
_ALMOST_ALL: Final = 2.1
"""So many standard deviations hold 95 %, and a little more."""
_JUMPS: Final = 2.0


@dataclass(slots=True)
class _Counter:
    """What an energy counter showed, in J: at its last rise, and when it was compared with the power last."""

    joules: float
    risen_at: float
    compared_joules: float
    compared_at: float
    mean_watts: float = 0.0


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
        self._plausibility = Plausibility(driver.limit_watts(gpu.handle))
        self._counter: _Counter | None = None
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
            self._counter = _Counter(joules, now, joules, now)
            self._account = self._account.skip(now)

    def _count(self, counter: _Counter, joules: float) -> None:
        now, account = self._clock.monotonic(), self._account
        if joules > counter.joules:
            self._account = account.add(joules - counter.joules, now)
        elif joules < counter.joules / 2 or (joules < counter.joules and account.reason is not None):
            self._account = account.skip(now, "reset")
            counter.compared_joules, counter.compared_at = joules, now
            self._plausibility.restart()
        else:
            # A little lower it is an older value told late (ROCm/amdsmi#115): it is waited for, as for one that
            # stands still, and nothing is said to be measured meanwhile.
            return
        counter.joules, counter.risen_at = joules, now

    def _sample(self, integral: Integral, watts: float) -> None:
        now = self._clock.monotonic()
        joules, gap_seconds = integral.joules, integral.gap_seconds
        integral.add(now, watts)
        if integral.gap_seconds > gap_seconds:
            self._account = self._account.skip(now)
        else:
            self._account = self._account.add(integral.joules - joules, now)

    def _check(self, counter: _Counter) -> None:
        """Notice a counter that stands still while the GPU draws power, or that contradicts the power."""
        self._silent_looks = 0 if self._account.reason is None else self._silent_looks + 1
        now = self._clock.monotonic()
        still_seconds = now - counter.risen_at
        try:
            watts = self._driver.power_watts(self._handle)
        except AmdDriverError:
            if still_seconds > _SURELY_STILL_SECONDS and self._account.reason is None:
                reason = f"its energy counter has stood still for {still_seconds:.0f} s, and it tells no power"
                self._account = self._account.lose(reason)
            return
        if self._account.reason is not None:
            if self._silent_looks >= _SILENT_LOOKS:
                self._distrust("counter_gone", f"its energy counter no longer answers ({self.reason})", watts)
            return
        still = stands_still(still_seconds, watts)
        if still is not None:
            self._distrust("counter_frozen", still, watts)
        else:
            self._compare(counter, watts, now)

    def _compare(self, counter: _Counter, watts: float, now: float) -> None:
        seconds = now - counter.compared_at
        if seconds < _LEAST_MEAN_SECONDS:
            return
        counter.mean_watts = (counter.joules - counter.compared_joules) / seconds
        counter.compared_joules, counter.compared_at = counter.joules, now
        self._plausibility.compare(counter.mean_watts, watts)
        contradiction = self._plausibility.doubt(counter.mean_watts)
        if contradiction is not None:
            self._distrust("counter_implausible", contradiction, watts)

    def _distrust(self, flag: str, doubt: str, watts: float) -> None:
        """Go on by sampling; what the counter does not tell since it rose last is a gap."""
        logger.warning("%s: %s; its power is sampled instead.", self.name, doubt)
        now = self._clock.monotonic()
        self._counter, self._integral = None, Integral()
        self._integral.add(now, watts)
        self._account = self._account.skip(now, flag)

    def _bounds(self) -> tuple[float, float]:
        """Return how much less and how much more than it is told the energy may be now, in J."""
        if self._account.reason is not None:
            return 0.0, 0.0
        if self._integral is not None:
            half = _ALMOST_ALL * sqrt(_JUMPS * self._integral.jump_variance)
            return half, half
        if self._counter is None:
            return 0.0, 0.0
        late_seconds = max(_LATE_SECONDS, self._clock.monotonic() - self._counter.risen_at)
        return 0.0, late_seconds * self._counter.mean_watts
