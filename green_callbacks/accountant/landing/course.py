"""The landing of a run, followed step by step on this rank."""

from green_callbacks.records import Landing


class Course:
    """The landing of a run, and the number of optimizer steps so far.

    Attributes:
        landing: The landing, or None before it has begun.
        step: Optimizer steps so far, as the loop has reported them. None if unknown.
        steps_a_batch: Optimizer steps of the last batch that stepped.
        changes: Number of times that ``step`` has changed. Whoever counts calls in between notes it.
    """

    def __init__(self) -> None:
        self.landing: Landing | None = None
        self.step: int | None = None
        self.steps_a_batch = 1
        self.changes = 0
        self._before = self._begun = 0

    def begin_epoch(self) -> None:
        """Begin an epoch."""
        self._before, self._begun = self.changes - self._begun, self.changes

    @property
    def is_exact(self) -> bool:
        """Whether the loop reports its steps inside epochs, by the open epoch or the epoch before it."""
        return max(self.changes - self._begun, self._before) > 1

    def factor(self, calls: int = 0) -> float:
        """Return the factor of the learning rate in the present batch. 1 without a landing.

        Args:
            calls: Steps of the optimizer since the loop last reported its steps. They count only if the loop reports
                no steps inside epochs. Defaults to 0.
        """
        landing = self.landing
        if landing is None:
            return 1.0
        step = landing.first_step if self.step is None else self.step
        return landing.factor(step if self.is_exact else step + calls)

    @property
    def left(self) -> float:
        """Factor between two batches, from 1 at the beginning of a landing to 0 at its end. 1 without a landing."""
        landing = self.landing
        return 1.0 if landing is None else landing.left(landing.first_step if self.step is None else self.step)

    def at(self, step: int) -> bool:
        """Note the optimizer steps so far.

        Args:
            step: Optimizer steps so far.

        Returns:
            Whether the landing ends here, inside an epoch.
        """
        before = self.step
        if step != before:
            self.step = step
            self.changes += 1
            if before is not None and step > before and self.changes - self._begun > 1:
                self.steps_a_batch = step - before
        landing = self.landing
        return landing is not None and landing.last_epoch is None and step >= landing.end
