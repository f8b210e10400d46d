"""A policy of the user's own, as one function.

Example:
    >>> five_epochs: Decision = lambda history, plan: history.finished_epochs >= 5
    >>> as_policy(five_epochs).decide(History(), Plan()).code
    'active'
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from green_callbacks.errors import ConfigurationError
from green_callbacks.policies.base import Budget, Policy
from green_callbacks.records import History, Plan, Verdict
from green_callbacks.units import Amount, described

Answer = Verdict | bool | str | None
"""The result of a policy function. It is a verdict, a truth value, the reason to stop, or None to go on."""

Decision = Callable[[History, Plan], Answer]
"""A function of the history and the plan that decides."""


@dataclass(frozen=True, slots=True)
class FunctionPolicy:
    """A policy made of a function.

    Args:
        function: A pure function of the history and the plan.
    """

    function: Decision

    @property
    def title(self) -> str:
        """The policy as messages call it, e.g. ``The policy stop_after_ten``."""
        return f"The policy {_name(self.function)}"

    @property
    def landing(self) -> float:
        """The attribute ``landing`` of the function, for a function that may ask for a landing. 0 without one."""
        share: float = getattr(self.function, "landing", 0.0)
        return share

    def decide(self, history: History, plan: Plan) -> Verdict:
        """Ask the function.

        Args:
            history: All records so far.
            plan: The plan of the run.

        Raises:
            TypeError: The function did not return a verdict, a truth value, a sentence or None.
        """
        answer = self.function(history, plan)
        name = _name(self.function)
        if isinstance(answer, Verdict):
            return answer
        if isinstance(answer, str):
            return Verdict(stop=True, code="stopping", reason=answer)
        # Comparisons of numpy values return their own type of truth value.
        if answer is None or answer in (False, True):
            if answer:
                return Verdict(stop=True, code="stopping", reason=f"The policy {name} stops the run.")
            return Verdict(stop=False, code="active", reason=f"The policy {name} lets the run go on.")
        msg = f"The policy {name} answered {answer!r}. Return a Verdict, True or False, the reason to stop, or None."
        raise TypeError(msg)


def as_policy(policy: Policy | Decision) -> Policy:
    """Return a policy, and make one of a function.

    Args:
        policy: An object with ``decide``, or a function of the history and the plan.

    Raises:
        ConfigurationError: It is neither, or it is a budget that lacks a member.

    Example:
        >>> from green_callbacks.records import History, Plan
        >>> policy = as_policy(lambda history, plan: history.emissions_kg > 1.0)
        >>> policy.decide(History(), Plan()).stop
        False
    """
    if isinstance(policy, type):
        msg = f"{policy.__name__} is a class. Pass an object of it, {policy.__name__}(...)."
        raise ConfigurationError(msg)
    if isinstance(policy, Policy):
        _refuse_others(policy.decide, type(policy).__name__)
        _refuse_half_budgets(policy)
        return policy
    if callable(policy):
        _refuse_others(policy, _name(policy))
        return FunctionPolicy(policy)
    msg = (
        f"{described(policy)} is no policy. Pass an object with decide(history, plan), such as CarbonBudget('500 g'), "
        "or such a function."
    )
    raise ConfigurationError(msg)


def _name(function: object) -> str:
    """Return the name of a function, or the class of an object that can be called like a function."""
    return getattr(function, "__name__", type(function).__name__)


def _refuse_half_budgets(policy: Policy) -> None:
    """Refuse a budget that lacks a member or the unit of its amount. Nobody would notice that it cannot act."""
    missing = [name for name in ("name", "amount", "spent") if not hasattr(policy, name)]
    if hasattr(policy, "left_inside") and missing:
        msg = (
            f"{type(policy).__name__} has left_inside(), but no {' and no '.join(missing)}. A budget needs all members "
            "of green_callbacks.policies.Budget. Add them, or remove left_inside()."
        )
        raise ConfigurationError(msg)
    if isinstance(policy, Budget) and not isinstance(policy.amount, Amount):
        msg = (
            f"{type(policy).__name__}.amount is {described(policy.amount)}. A budget needs an amount with a unit, "
            "such as green_callbacks.units.parse_amount('500 g')."
        )
        raise ConfigurationError(msg)


def _refuse_others(decide: Any, name: str) -> None:  # noqa: ANN401  anything may have been given
    """Refuse an object that cannot be called with a history and a plan, as far as its signature shows."""
    from inspect import iscoroutinefunction, signature

    try:
        signature(decide).bind(None, None)
        can_be_asked = not iscoroutinefunction(decide)
    except TypeError:
        can_be_asked = False
    except ValueError:  # the signature is unknown
        can_be_asked = True
    if not can_be_asked:
        msg = f"The policy {name} must be a plain function of two arguments, the history and the plan."
        raise ConfigurationError(msg)
