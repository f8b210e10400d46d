"""The learning rates of torch's optimizers, scaled in every step and put back after it.

The schedule of the user never sees a scaled rate. This is necessary, because chainable schedules of torch compute the
next rate from the present rate of the optimizer. Optimizers are used by their methods alone, so torch is not imported.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from green_callbacks.accountant.landing.course import Course
from green_callbacks.text.log import get_logger
from green_callbacks.units import described

logger = get_logger(__name__)

_HOOKS: Final = ("register_step_pre_hook", "register_step_post_hook")
_SCHEDULE_FREE: Final = ("schedulefree", "schedule_free")
"""Parts of the names of classes and modules of optimizers that work without a schedule, in lower case."""
_NO_RATE: Final = (
    "An optimizer (%s) has a parameter group without a learning rate, because it computes its own. Give it a learning "
    "rate, or leave landing out."
)
_FREE: Final = (
    "The optimizer %s works without a schedule, and its weights need no landing. Leave landing out, or use another "
    "optimizer."
)
_NO_HOOKS: Final = (
    "%s has no hooks for its steps, as optimizers of torch have from version 2.0 on. Use such an optimizer, or leave "
    "landing out."
)
_NONE: Final = "No optimizer is known. Give the optimizer to the loop before the first epoch, or leave landing out."


class OptimizerRates:
    """Scales the learning rates of optimizers of torch while a run lands.

    No hook is registered before a landing begins, and none stays after the training.

    Args:
        optimizers: Returns the optimizers. It is called when a landing begins.
        refused: Returns a reason of the framework why the rates cannot be scaled, or None. Defaults to no reason.
    """

    def __init__(
        self, optimizers: Callable[[], Iterable[Any]], refused: Callable[[], str | None] = lambda: None
    ) -> None:
        self._optimizers = optimizers
        self._refused = refused
        self._scaled: list[_Scaled] = []

    def refusal(self) -> str | None:
        """Return why the rates cannot be scaled, as a sentence. None if they can be scaled."""
        optimizers = list(self._optimizers())
        reasons = (self._refused(), None if optimizers else _NONE, *map(_refusal, optimizers))
        return next((reason for reason in reasons if reason), None)

    def begin(self, course: Course) -> None:
        """Multiply every learning rate by the factor of a landing from the next step on. It may be called again.

        Args:
            course: The landing, and the number of steps so far.
        """
        self.end()
        self._scaled = [_Scaled(optimizer, course) for optimizer in self._optimizers()]

    def end(self) -> None:
        """Remove the hooks. Put back the rates that an exception in a step has left scaled."""
        scaled, self._scaled = self._scaled, []
        for each in scaled:
            each.remove()


class _Scaled:
    """One optimizer, whose learning rates are scaled in every step.

    Args:
        optimizer: The optimizer.
        course: The landing, and the number of steps so far.
    """

    def __init__(self, optimizer: Any, course: Course) -> None:  # noqa: ANN401  torch is not imported here
        self._optimizer = optimizer
        self._course = course
        self._calls = 0
        self._changes = course.changes
        self._kept: list[tuple[dict[str, Any], Any]] = []
        self._handles = [
            optimizer.register_step_pre_hook(self._scale),
            optimizer.register_step_post_hook(self._after),
        ]

    def _scale(self, optimizer: Any, *_: object) -> None:  # noqa: ANN401  as above
        """Keep every learning rate, and multiply it."""
        self._put_back()  # a step that raised has left them
        if self._changes != self._course.changes:
            self._changes, self._calls = self._course.changes, 0
        factor = self._course.factor(self._calls)
        self._kept = [(group, _kept(group["lr"])) for group in optimizer.param_groups]
        for group in optimizer.param_groups:
            _multiply(group, factor)

    def _after(self, *_: object) -> None:
        self._calls += 1
        self._put_back()

    def _put_back(self) -> None:
        kept, self._kept = self._kept, []
        for group, rate in kept:
            if _is_plain(rate):
                group["lr"] = rate
            else:
                group["lr"].copy_(rate)

    def remove(self) -> None:
        """Remove the hooks, and put the rates back."""
        for handle in self._handles:
            handle.remove()
        self._put_back()


def _multiply(group: dict[str, Any], factor: float) -> None:
    """Multiply the rate of a parameter group. A tensor is changed in place, because compiled steps hold it."""
    if _is_plain(group["lr"]):
        group["lr"] = group["lr"] * factor
    else:
        group["lr"].mul_(factor)


def _kept(rate: Any) -> Any:  # noqa: ANN401  a number or a tensor
    return rate if _is_plain(rate) else rate.detach().clone()


def _is_plain(rate: object) -> bool:
    return not hasattr(rate, "mul_")


def _refusal(optimizer: object) -> str | None:
    """Return why the rates of an optimizer cannot be scaled, as a sentence. None if they can be scaled."""
    name = type(optimizer).__name__
    if not all(callable(getattr(optimizer, hook, None)) for hook in _HOOKS):
        return _NO_HOOKS % described(optimizer)
    groups: Sequence[Mapping[str, Any]] = getattr(optimizer, "param_groups", ())
    where = f"{type(optimizer).__module__}.{name}".lower()
    if any(part in where for part in _SCHEDULE_FREE):
        return _FREE % name
    if not groups or any(group.get("lr") is None for group in groups):
        return _NO_RATE % name
    return None
