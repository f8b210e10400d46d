"""One AMD GPU as it is measured, by its counter while that can be trusted, else by its power."""

from dataclasses import replace
from random import Random
from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.records import DeviceInfo, Reading
from green_callbacks.sources.amd.counter import AmdCounter, Doubt, largest_watts
from green_callbacks.sources.amd.driver import AmdDriver, AmdDriverError
from green_callbacks.sources.amd.inventory import AmdGpu
from green_callbacks.sources.common.device import Account
from green_callbacks.sources.common.energy_counter import FROZEN
from green_callbacks.sources.common.power_integral import Integral
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

AMD_SAMPLE_SECONDS: Final = 0.05
"""Interval between two samples of the power where there is no counter, in s (by convention)."""
CHECK_SECONDS: Final = 1.0
"""Mean interval between two checks of a counter, or two attempts to find a lost GPU, in s (by convention)."""
_AMD_TOLERANCE: Final = 0.05
"""Relative tolerance (by convention, as for NVIDIA's sensors). AMD states no accuracy."""
_STILL: Final = "its energy counter stands still"
_SILENT_CHECKS: Final = 3
"""Number of checks with a power but without a counter, after which the counter is gone (by convention)."""


class MeasuredAmdGpu:
    """A GPU as a cumulative reading that never falls. Its owner ensures that one thread at a time uses it.

    Args:
        gpu: The GPU.
        driver: The driver.
        clock: The clock.
    """

    def __init__(self, gpu: AmdGpu, driver: AmdDriver, clock: Clock) -> None:
        self.name = f"gpu:{gpu.uuid}"
        self._address, self.handle = gpu.address, gpu.handle
        self._driver = driver
        self._clock = clock
        self._random = Random(gpu.uuid)  # noqa: S311  no secret
        self._limit_watts = driver.limit_watts(gpu.handle)
        self.info = DeviceInfo(gpu.uuid, gpu.name or None, driver.limit_watts(gpu.handle, "default_power_cap"))
        self._counter: AmdCounter | None = None
        self._integral: Integral | None = None
        now = self._due_at = clock.monotonic()
        self._account = Account(now, flags=gpu.flags)
        self._silent_checks = 0
        self._is_still = self._is_mute = False
        self._advance()
        if self._account.reason is None:
            self._account = replace(self._account, gap_seconds=0.0)  # the first call took a moment, but missed nothing

    @property
    def reason(self) -> str | None:
        """Why the GPU does not answer. None while it answers."""
        return self._account.reason

    @property
    def loss(self) -> str | None:
        """The reason for a warning of loss. None while the power may still replace the counter."""
        return None if self._is_still and not self._is_mute else self._account.reason

    def flag(self, flag: str) -> None:
        """Add a flag to all later readings.

        Args:
            flag: The flag.
        """
        if flag not in self._account.flags:
            self._account = replace(self._account, flags=(*self._account.flags, flag))

    def _power_watts(self) -> float:
        watts = self._driver.power_watts(self.handle)
        if watts > largest_watts(self._limit_watts):
            msg = f"it reports a power of {watts:.0f} W, which it cannot draw"
            raise AmdDriverError(msg)
        return watts

    @property
    def is_sampled(self) -> bool:
        """Whether its power is sampled."""
        return self._integral is not None

    def read(self) -> Reading:
        """Return the energy now. This takes one call of the driver."""
        self._advance()
        account, now = self._account, self._clock.monotonic()
        below, above = self._bounds()
        return Reading(
            joules=account.joules,
            component="gpu",
            method="sampled" if self._integral is not None else "counter",
            below_joules=min(below, account.joules or 0.0),
            above_joules=above,
            tolerance=_AMD_TOLERANCE,
            gap_seconds=account.gap_seconds_at(now),
            flags=tuple(dict.fromkeys((*account.flags, FROZEN))) if self._is_still else account.flags,
            reason=account.reason,
            walk_square_joules=0.0 if self._integral is None else self._integral.update_walk_square_joules(),
        )

    def poll(self) -> None:
        """Sample where there is no counter. From time to time, check the counter, or find a lost GPU again.

        The checks are not evenly spaced. Even checks would always see the same part of a training step.
        """
        now = self._clock.monotonic()
        is_due = now >= self._due_at
        if is_due:
            self._due_at = now + CHECK_SECONDS * (0.5 + self._random.random())
        if is_due and self._account.reason is not None and not self._is_still:
            self._renew()
        if self._account.reason is None or self._is_still or is_due:
            self._advance()
        if is_due and self._counter is not None:
            self._check(self._counter)

    def _renew(self) -> None:
        """Find the GPU again, after it was reset or somebody else has shut the library down."""
        try:
            self._driver.initialize()
            self.handle = self._driver.handle_by_address(self._address)
        except AmdDriverError:
            return  # the next call gives the reason

    def _advance(self) -> None:
        try:
            if self._counter is not None:
                self._count(self._counter, self._driver.energy_joules(self.handle))
            elif self._integral is not None:
                self._sample(self._integral, self._power_watts())
            else:
                self._begin()
        except AmdDriverError as error:
            self._account, self._is_still = self._account.lose(str(error)), False

    def _begin(self) -> None:
        """Begin with the counter if it answers, else with the power."""
        try:
            joules = self._driver.energy_joules(self.handle)
        except AmdDriverError:
            watts = self._power_watts()
            self._integral = Integral()
            self._integral.add(self._clock.monotonic(), watts)
            self._account = self._account.skip(self._clock.monotonic())
        else:
            now = self._clock.monotonic()
            self._counter = AmdCounter(joules, now, self._limit_watts)
            self._account = self._account.skip(now)

    def _count(self, counter: AmdCounter, joules: float) -> None:
        now, account = self._clock.monotonic(), self._account
        rise = counter.take(joules, now, was_lost=account.reason is not None and not self._is_still)
        # A counter that does not rise may be dead.
        self._is_still = rise == 0.0 and counter.is_still(now)
        if isinstance(rise, str):
            self._account = account.skip(now, rise)
        elif rise > 0:
            self._account, self._is_mute = account.add(rise, now), False
        else:
            self._account = replace(account, reason=self._still_reason() if self._is_still else None)

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
        reason = None if self._is_still else self._account.reason
        self._silent_checks = 0 if reason is None else self._silent_checks + 1
        now = self._clock.monotonic()
        try:
            watts = self._power_watts()
        except AmdDriverError:
            if counter.is_dead(now) and reason is None:
                self._is_mute = True
                self._account = self._account.lose(self._still_reason())
            return
        if reason is None:
            doubt = counter.doubt(watts, now)
        elif self._silent_checks < _SILENT_CHECKS:
            doubt = None
        else:
            doubt = Doubt("counter_gone", f"its energy counter no longer answers ({reason})")
        if doubt is not None:
            self._distrust(doubt, watts)

    def _distrust(self, doubt: Doubt, watts: float) -> None:
        """Continue by sampling. The time since the counter's last rise is a gap."""
        logger.warning("%s is sampled by its power from now on, because %s.", self.name, doubt.text)
        now = self._clock.monotonic()
        self._counter, self._integral, self._is_still = None, Integral(), False
        self._integral.add(now, watts)
        self._account = self._account.skip(now, doubt.flag)

    def _still_reason(self) -> str:
        return f"{_STILL}, and it reports no power" if self._is_mute else _STILL

    def _bounds(self) -> tuple[float, float]:
        """Return how much less and how much more the energy may be now, in J."""
        if self._account.reason is not None:
            return 0.0, 0.0
        return 0.0, self._counter.late_joules(self._clock.monotonic()) if self._counter is not None else 0.0
