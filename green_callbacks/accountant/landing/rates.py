"""The learning rates of a training loop, which belong to somebody else."""

from typing import Protocol

from green_callbacks.accountant.landing.course import Course


class Rates(Protocol):
    """The learning rates of a training loop. An adapter knows how to scale them and how to put them back.

    The core calls all methods on the training thread, and guards them. ``begin`` and ``end`` may be called again.

    Example:
        >>> from green_callbacks.accountant.landing import OptimizerRates
        >>> rates: Rates = OptimizerRates(lambda: [])
    """

    def refusal(self) -> str | None:
        """Return why the rates cannot be scaled, as a sentence. None if they can be scaled."""
        ...

    def begin(self, course: Course) -> None:
        """Multiply every learning rate by ``course.factor`` from the next step on.

        Called when a landing begins, when it is replaced by a shorter landing, and when it goes on after a resume.

        Args:
            course: The landing, and the number of steps so far.
        """
        ...

    def end(self) -> None:
        """Put everything back, because the training has ended. Does nothing if no landing has begun."""
        ...
