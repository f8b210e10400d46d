"""Metrics and counts that were observed in an interval."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from green_callbacks.accountant.guarded_calls import Guarded

MAX_METRICS: Final = 5_000
"""Number of metrics that an interval keeps. More metrics are new names at every step, by mistake."""
MAX_COUNT: Final = 2**53 - 1
"""Largest count of steps, samples and tokens. Above it, a float64 no longer holds every whole number."""
MAX_FLOPS: Final = 1e30
"""Largest number of floating-point operations of an interval. The largest trainings so far took about 1e27 in all."""


@dataclass(slots=True)
class Observations:
    """Metrics and counts that were observed in an interval.

    Attributes:
        metrics: Fresh metrics.
        learning_rate: Last learning rate, or None if unknown.
        samples: Training samples, or None if unknown.
        tokens: Training tokens, or None if unknown.
        flops: Floating-point operations, or None if unknown.
        step: Optimizer steps so far, or None if unknown.
        data_wait_seconds: Time that training waited for data, in s, or None if unknown.
        first_step: Optimizer steps at the beginning, or None if unknown. Negative if the count began again meanwhile.
        likely_steps: Steps with which it may have begun. The first count shows which.
        reported_first: The first count of steps that was reported, or None if none was.
        stride: Difference of two reported counts in a row, or None if less than two were. 0 if it changed.
        has_fallen: Whether a count of steps fell back, so that the steps are unknown.
    """

    metrics: dict[str, float] = field(default_factory=dict)
    learning_rate: float | None = None
    samples: int | None = None
    tokens: int | None = None
    flops: float | None = None
    step: int | None = None
    data_wait_seconds: float | None = None
    first_step: int | None = None
    likely_steps: tuple[int, ...] = ()
    reported_first: int | None = None
    stride: int | None = None
    has_fallen: bool = False

    @property
    def may_lack_last_step(self) -> bool:
        """Whether steps were reported as 0, 1, 2, …, so that nobody knows whether the last step was done."""
        if self.reported_first != 0 or self.first_step != 0:
            return False
        return self.stride in {None, 1} or self.stride not in {0, self.step}

    @property
    def steps(self) -> int | None:
        """Optimizer steps since the beginning, or None if unknown."""
        return None if self.step is None or self.first_step is None else self.step - self.first_step

    def note(self, metrics: Mapping[str, Any], counts: Mapping[str, Any], guarded: Guarded) -> None:
        """Note fresh values. A value that is no number is passed over, and reported once.

        Args:
            metrics: Metrics by name.
            counts: The present ``learning_rate`` and ``step``, and ``samples``, ``tokens`` and ``flops`` since the last
                call. None if unknown.
            guarded: Converts the values, which may be of any library.
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
            self._count_step(int(number))
        elif name == "flops":
            self.flops = (self.flops or 0.0) + number
        elif name == "tokens":
            self.tokens = min((self.tokens or 0) + int(number), MAX_COUNT)
        else:
            self.samples = min((self.samples or 0) + int(number), MAX_COUNT)

    def _count_step(self, step: int) -> None:
        """Note the steps so far. A count that falls back has begun again, or its beginning is unknown."""
        latest = self.first_step if self.step is None else self.step
        if latest is None:
            self.first_step = next((each for each in self.likely_steps if each <= step <= each + 1), None)
        elif step < latest:
            self.has_fallen |= step > 1
            self.first_step = None if self.first_step is None or step > 1 else self.first_step - latest
        self.likely_steps = ()
        if self.step is None:
            self.reported_first = step
        elif step != self.step:
            stride = step - self.step
            self.stride = stride if self.stride in {None, stride} else 0
        self.step = step
