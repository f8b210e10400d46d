"""The learning rate of a loop that multiplies it by itself."""

from green_callbacks.accountant.landing.course import Course


class LoopRates:
    """The learning rate of a loop that reads the factor of a landing before every step."""

    def refusal(self) -> str | None:
        """Return None, because the loop has asked for the factor."""
        return None

    def begin(self, course: Course) -> None:
        """Do nothing, because the loop reads the factor.

        Args:
            course: The landing, and the number of steps so far.
        """

    def end(self) -> None:
        """Do nothing, because nothing was changed."""
