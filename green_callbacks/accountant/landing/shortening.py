"""A landing that is shortened to stay within a budget, for example because the electricity became dirtier."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from green_callbacks.accountant.landing.course import Course
from green_callbacks.policies import Left
from green_callbacks.records import Landing

_TOLERANCE: Final = 0.05
"""Share by which the rest of a landing may be too long before it is shortened. By convention."""
_LEAST_STEPS: Final = 5
"""Number of steps of a landing after which its cost is known. By convention."""


class Shortening:
    """Compares the rest of every budget with the steps that the landing still needs."""

    def __init__(self) -> None:
        self._first: dict[int, tuple[int, float]] = {}

    def of(self, course: Course, lefts: Sequence[Left | None]) -> Landing | None:
        """Return a shorter landing if the present landing would overspend a budget. None if it fits.

        Args:
            course: The landing, and the number of steps so far.
            lefts: The rest of each budget.
        """
        landing, step = course.landing, course.step
        if landing is None or step is None:
            return None
        possible = [self._possible(at, left, step) for at, left in enumerate(lefts)]
        steps = min((each for each in possible if each is not None), default=None)
        rest = landing.end - step
        if steps is None or steps < 1 or steps >= rest * (1 - _TOLERANCE):
            return None
        return replace(
            landing,
            first_step=step,
            steps=int(steps),
            last_epoch=None,
            from_factor=course.left,
            begun_step=landing.begun,
        )

    def _possible(self, at: int, left: Left | None, step: int) -> float | None:
        """Return how many more steps a budget pays for at the pace of the landing so far. None if unknown."""
        if left is None or not left.stops:
            return None
        then, before = self._first.setdefault(at, (step, left.amount))
        done, used = step - then, before - left.amount
        return left.amount * done / used if done >= _LEAST_STEPS and used > 0 and left.amount > 0 else None
