"""The landing of a run, followed step by step on this rank."""

from collections.abc import Callable

from green_callbacks.records import Landing, Plan


class Course:
    """The landing of a run, and the number of optimizer steps so far.

    Attributes:
        landing: The landing, or None before it has begun.
        step: Optimizer steps so far, as the loop has reported them. None if unknown.
        steps_a_batch: Optimizer steps of the last batch that stepped.
        changes: Number of times that ``step`` has changed. Whoever counts calls in between notes it.
        epoch: Index of the open epoch, or of the last one. None before the first.
        is_open: Whether an epoch is open. Between epochs, and after the last one, steps are not part of the landing.
        settle: Puts back the learning rates of a step that has raised. Called when steps are reported.

    Example:
        >>> course = Course()
        >>> course.landing = Landing(first_step=100, steps=20, epoch=4)
        >>> course.at(110), course.left, course.factor()
        (False, 0.5, 0.475)
    """

    def __init__(self) -> None:
        self.landing: Landing | None = None
        self.step: int | None = None
        self.steps_a_batch = 1
        self.changes = 0
        self.epoch: int | None = None
        self.is_open = True
        self.settle: Callable[[], object] | None = None
        self._is_by_batch = False
        self._before = self._begun = self._offset = 0
        self._is_by_one = False

    def begin_epoch(self, epoch: int) -> None:
        """Begin an epoch.

        Args:
            epoch: Its index.
        """
        self.epoch, self.is_open = epoch, True
        self._before, self._begun = self.changes - self._begun, self.changes

    @property
    def is_exact(self) -> bool:
        """Whether the loop reports every step, or at least several times in an epoch."""
        return self._is_by_batch or self._is_by_one or max(self.changes - self._begun, self._before) > 1

    @property
    def has_moved(self) -> bool:
        """Whether steps were reported since the last epoch began. An epoch without data has no steps."""
        return self.changes > self._begun

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
    def asked_factor(self) -> float:
        """Factor for a loop that multiplies its learning rate by itself. 1 without a landing.

        If the loop reports its steps after epochs only, the factor is the same for a whole epoch. Then it belongs to
        the middle of the epoch.
        """
        landing = self.landing
        if landing is None or self.is_exact or landing.last_epoch is None or self.epoch is None:
            return self.factor()
        epochs = max(landing.last_epoch - landing.epoch, 1)
        return landing.from_factor * min(max((landing.last_epoch - self.epoch + 0.5) / epochs, 0.0), 1.0)

    def ends_with(self, epoch: int, plan: Plan) -> bool:
        """Return whether the landing ends with an epoch.

        If epochs became shorter, it goes on until its last step. If they became longer, it ends with the first epoch
        after its last step.

        Args:
            epoch: Index of the epoch, after its last step.
            plan: The plan, after whose end nothing goes on.
        """
        landing = self.landing
        if landing is None or landing.last_epoch is None:
            return False
        if epoch < landing.last_epoch:
            return self.step is not None and self.step >= landing.end
        has_room = plan.epochs is None or epoch + 1 < plan.epochs
        return self.is_down or not (has_room and self.has_moved and self.is_exact)

    @property
    def is_down(self) -> bool:
        """Whether the learning rate of the landing counts as zero."""
        return self.landing is not None and self.step is not None and self.landing.is_down(self.step)

    @property
    def left(self) -> float:
        """Factor between two batches, from 1 at the beginning of a landing to 0 at its end. 1 without a landing."""
        landing = self.landing
        return 1.0 if landing is None else landing.left(landing.first_step if self.step is None else self.step)

    def at(self, step: int, *, is_by_batch: bool = False) -> bool:
        """Note the optimizer steps so far.

        Args:
            step: Optimizer steps so far.
            is_by_batch: Whether the loop reports them after every batch. Defaults to False, if unknown.

        Returns:
            Whether the landing ends here, inside an epoch.
        """
        if self.settle is not None:
            self.settle()
        before, landing = self.step, self.landing
        if landing is not None and before is not None and step + self._offset < before:
            self._offset = before - step  # a count that begins again does not begin the landing again
        step += self._offset
        self._is_by_batch |= is_by_batch
        if step != before:
            self.step = step
            self.changes += 1
            self._is_by_one = step - (before or 0) == 1
            if before is not None and step > before and self.changes - self._begun > 1:
                self.steps_a_batch = step - before
        return landing is not None and landing.last_epoch is None and step >= landing.end
