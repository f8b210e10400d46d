"""The learning rates of torch's optimizers, scaled in every step and put back after it.

The schedule of the user never sees a scaled rate. This is necessary, because chainable schedules of torch compute the
next rate from the present rate of the optimizer. Optimizers are used by their methods alone, so torch is not imported.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import FrameType
from typing import Any, Final, NamedTuple

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
_FAILED: Final = (
    "A learning rate could not be scaled in the landing (%s: %s). The steps go on at the rate of the schedule."
)
_UNSEEN: Final = (
    "The training has landed without a call of step() of its optimizers, so their learning rates were not scaled. "
    "Call step(), or multiply the rate by accountant.landing_factor in the loop."
)
_LOST: Final = (
    "In the last %d steps of the landing, no known optimizer took a step, so no learning rate was scaled. Give a new "
    "optimizer to accountant.scale_learning_rates() when you replace the old one."
)
_FIXED: Final = (
    "The steps of the optimizer %s do not follow its learning rate, so a landing would change nothing. Use another "
    "optimizer, or leave landing out."
)
_SET_INSIDE: Final = (
    "Other code sets the learning rate inside step() of %s, where a landing cannot scale it. Set it between the steps."
)
_MOST_PAUSES: Final = 2
"""Number of pauses between two steps of an optimizer, after which it is taken for replaced. Each pause is as long as
the longest one before it. By convention."""
_NONE: Final = "No optimizer is known. Give the optimizer to the loop before the first epoch, or leave landing out."


class OptimizerRates:
    """Scales the learning rates of optimizers of torch while a run lands.

    No hook is registered before a landing begins, and none stays after the training.

    Args:
        optimizers: Returns the optimizers. It is called when a landing begins.
        refused: Returns a reason of the framework why the rates cannot be scaled, or None. Defaults to no reason.

    Example:
        >>> OptimizerRates(lambda: []).refusal()
        'No optimizer is known. Give the optimizer to the loop before the first epoch, or leave landing out.'
    """

    def __init__(
        self, optimizers: Callable[[], Iterable[Any]], refused: Callable[[], str | None] = lambda: None
    ) -> None:
        self._optimizers = optimizers
        self._refused = refused
        self._scaled: list[_Scaled] = []
        self._known: tuple[int, ...] = ()

    def refusal(self) -> str | None:
        """Return why the rates cannot be scaled, as a sentence. None if they can be scaled."""
        optimizers = [_stepped(each) for each in self._optimizers()]
        reasons = (self._refused(), None if optimizers else _NONE, *map(_refusal, optimizers))
        return next((reason for reason in reasons if reason), None)

    def present(self) -> Any:  # noqa: ANN401  a number of any library
        """Return the learning rate of the first parameter group, as the schedule has set it. None without one."""
        try:
            return next(iter(self._optimizers())).param_groups[0]["lr"]
        except (StopIteration, AttributeError, LookupError, TypeError):  # what is no optimizer is refused elsewhere
            return None

    def begin(self, course: Course) -> None:
        """Multiply every learning rate by the factor of a landing from the next step on. It may be called again.

        Args:
            course: The landing, and the number of steps so far.
        """
        self.end(is_over=False)
        course.settle = partial(self._settle, course)
        optimizers = tuple(self._optimizers())
        self._known, held = tuple(map(id, optimizers)), set[int]()
        for optimizer in {id(each): each for each in map(_stepped, optimizers)}.values():
            self._scaled.append(_Scaled(optimizer, course, held))
            self._scaled[-1].begin()

    def _settle(self, course: Course) -> None:
        """Put back the rates that an exception in a step has left scaled. Go on with optimizers that are new."""
        for each in self._scaled:
            each.settle()
        if self._scaled and self._known != tuple(map(id, self._optimizers())):
            try:
                self.begin(course)
            except Exception as reason:  # noqa: BLE001  a new optimizer of the user ends no training
                logger.warning(_FAILED, type(reason).__name__, reason)

    def end(self, *, is_over: bool = True) -> None:
        """Remove the hooks. Put back the rates that an exception in a step has left scaled.

        Args:
            is_over: Whether the training has ended. Defaults to True.
        """
        scaled, self._scaled = self._scaled, []
        for each in scaled:
            each.end()
        if is_over and scaled and all(each.is_unseen for each in scaled):
            logger.warning(_UNSEEN)
        elif is_over and scaled and all(each.is_lost for each in scaled):
            logger.warning(_LOST, min(each.pause for each in scaled))


class _Scaled:
    """One optimizer, whose learning rates are scaled in every step.

    Args:
        optimizer: The optimizer.
        course: The landing, and the number of steps so far.
        held: Identities of the groups that are scaled just now, shared by all optimizers. An optimizer inside another
            has the same groups.
    """

    def __init__(self, optimizer: Any, course: Course, held: set[int]) -> None:  # noqa: ANN401  torch is not imported here
        self._optimizer = optimizer
        self._held = held
        self._course = course
        self._calls = 0
        self._changes = course.changes
        self._kept: list[_Kept] = []
        self._step: FrameType | None = None
        self._is_told = False
        self._tensors: dict[int, _Tensor] = {}
        self._factor = 1.0
        self._first_step = course.step
        self._has_stepped = self._has_failed = False
        self._seen, self._longest_pause = course.changes, 1
        self._handles: list[Any] = []

    def begin(self) -> None:
        """Scale the learning rates from the next step on."""
        self._handles.append(self._optimizer.register_step_pre_hook(self._before))
        self._handles.append(self._optimizer.register_step_post_hook(self._after))

    @property
    def is_unseen(self) -> bool:
        """Whether the loop has reported steps, and none of them was a call of ``step()``."""
        first, last = self._first_step, self._course.step
        return not self._has_stepped and first is not None and last is not None and last > first

    @property
    def pause(self) -> int:
        """Number of reports of the loop since the last step."""
        return self._course.changes - self._seen

    @property
    def is_lost(self) -> bool:
        """Whether the loop goes on reporting steps, and none of the last ones was a step of this optimizer."""
        return self.pause > _MOST_PAUSES * self._longest_pause

    def _before(self, _: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any] | None:
        """Scale every learning rate, but not while a closure of the user runs."""
        if self._step is not None and self._is_nested(sys._getframe(1)):  # noqa: SLF001  nothing else tells it
            self._scale()  # what the class has set before it called the step of its base class
            return None
        self._step = sys._getframe(1)  # noqa: SLF001  as above
        self._has_stepped = True
        self._longest_pause, self._seen = max(self._longest_pause, self.pause), self._course.changes
        self.put_back()  # a step that raised has left them
        if self._changes != self._course.changes:
            self._changes, self._calls = self._course.changes, 0
        self._factor = self._course.factor(self._calls)
        self._scale()
        if callable(kwargs.get("closure")):
            return args, {**kwargs, "closure": self._unscaled(kwargs["closure"])}
        if len(args) > 1 and callable(args[1]):
            return (args[0], self._unscaled(args[1]), *args[2:]), kwargs
        return None

    def _unscaled(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        """Return a closure that runs at the rates of the user, who may read or set them there."""

        def call() -> Any:  # noqa: ANN401  the loss of the user
            self.put_back()
            loss = closure()
            self._scale()
            return loss

        return call

    def _after(self, *_: object) -> None:
        caller = sys._getframe(1)  # noqa: SLF001  as above
        if self._step is not caller and self._is_nested(caller):
            return
        self._step = None
        self._calls += 1
        if not self._is_told and any(not kept.is_scaled for kept in self._kept):
            self._is_told = True
            logger.warning(_SET_INSIDE, type(self._optimizer).__name__)
        self.put_back()

    def _is_nested(self, caller: FrameType) -> bool:
        """Return whether a step runs inside another step, as where a class extends the step of its base class."""
        frame = caller.f_back
        while frame is not None and frame is not self._step:
            frame = frame.f_back
        return frame is not None

    def _scale(self) -> None:
        """Keep every learning rate, and multiply it. Groups may share a tensor, which is multiplied once."""
        if self._has_failed or not self._course.is_open:
            return
        groups = self._optimizer.param_groups
        if self._kept:
            self._let_go(kept for kept in self._kept if not kept.is_scaled)
        try:
            for group in groups:
                rate = group["lr"]
                if hasattr(rate, "mul_"):
                    self._scale_tensor(rate)
                elif id(group) not in self._held:
                    group["lr"] = rate * self._factor
                    self._kept.append(_Kept(group, rate, group["lr"]))
                    self._held.add(id(group))
        except Exception as reason:  # noqa: BLE001  a rate of the user ends no training
            self._has_failed = True
            self.put_back()
            logger.warning(_FAILED, type(reason).__name__, reason)

    def _let_go(self, all_kept: Iterable["_Kept"]) -> None:
        """Forget rates that are no longer scaled."""
        gone = {id(kept.group) for kept in all_kept}
        self._kept = [kept for kept in self._kept if id(kept.group) not in gone]
        self._held -= gone

    def _scale_tensor(self, rate: Any) -> None:  # noqa: ANN401  as above
        """Multiply a tensor in place, because compiled steps hold it. Groups may share it, so it is multiplied once."""
        tensor = self._tensors.get(id(rate))
        if tensor is None:
            tensor = self._tensors[id(rate)] = _Tensor(rate)
        if not tensor.is_scaled:
            tensor.scale(self._factor)

    def settle(self) -> None:
        """Put the rates back between two steps."""
        self._step = None
        self.put_back()

    def put_back(self) -> None:
        """Put the rates back, if they are scaled and nobody else has set them since."""
        if self._kept:
            for kept in self._kept:
                if kept.is_scaled:
                    kept.group["lr"] = kept.rate
            self._let_go(self._kept)
        for tensor in self._tensors.values():
            if tensor.is_scaled:
                tensor.put_back()
        if len(self._tensors) > len(self._optimizer.param_groups):  # some were replaced by others
            self._tensors = {}

    def end(self) -> None:
        """Remove the hooks, and put the rates back."""
        for handle in self._handles:
            handle.remove()
        self.settle()


class _Kept(NamedTuple):
    """A learning rate that is scaled for a step.

    Attributes:
        group: The parameter group.
        rate: The learning rate of the user.
        scaled: The scaled learning rate.
    """

    group: dict[str, Any]
    rate: Any
    scaled: Any

    @property
    def is_scaled(self) -> bool:
        """Whether nobody else has set the learning rate since."""
        return bool(self.group["lr"] is self.scaled)


class _Tensor:
    """A learning rate in a tensor, with memory for its value.

    Args:
        rate: The tensor, which stays alive so that its identity stays its own.
    """

    def __init__(self, rate: Any) -> None:  # noqa: ANN401  as above
        self._rate = rate
        self._view = rate.detach()
        self._value = self._view.clone()
        self.is_scaled = False
        """Whether the tensor holds the scaled rate."""

    def scale(self, factor: float) -> None:
        """Keep the rate, and multiply it."""
        self._value.copy_(self._view)
        self.is_scaled = True
        self._view.mul_(factor)

    def put_back(self) -> None:
        """Put the rate back."""
        self._view.copy_(self._value)
        self.is_scaled = False


def _stepped(optimizer: Any) -> Any:  # noqa: ANN401  as above
    """Return the optimizer whose step runs. A wrapper may look like an optimizer of torch and have no hooks itself."""
    inner = getattr(optimizer, "optimizer", None)
    is_bare = not isinstance(getattr(optimizer, "_optimizer_step_pre_hooks", None), Mapping)
    is_like_torch = all(callable(getattr(optimizer, hook, None)) for hook in _HOOKS)
    return inner if is_like_torch and is_bare and inner is not None and hasattr(inner, "param_groups") else optimizer


def _refusal(optimizer: object) -> str | None:
    """Return why the rates of an optimizer cannot be scaled, as a sentence. None if they can be scaled."""
    name = type(optimizer).__name__
    if not all(callable(getattr(optimizer, hook, None)) for hook in _HOOKS):
        what = described(optimizer)
        return _NO_HOOKS % (what[:1].upper() + what[1:])
    groups: Sequence[Mapping[str, Any]] = getattr(optimizer, "param_groups", ())
    where = f"{type(optimizer).__module__}.{name}".lower()
    if any(part in where for part in _SCHEDULE_FREE):
        return _FREE % name
    if _is_fixed(optimizer, groups):
        return _FIXED % name
    if not groups or any(group.get("lr") is None for group in groups):
        return _NO_RATE % name
    return None


def _is_fixed(optimizer: object, groups: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether an optimizer of torch uses its learning rate only where it begins to look for a step."""
    is_rprop = any(kind.__name__ == "Rprop" for kind in type(optimizer).__mro__)
    return is_rprop or any(group.get("line_search_fn") for group in groups)  # of LBFGS
