"""The questions inside an epoch, which every rank asks as rank 0 does, whatever options it was given."""

from collections.abc import Sequence
from typing import Final

from green_callbacks.accountant.decisions.decision_interval import DecisionInterval
from green_callbacks.accountant.ranks import Ranks
from green_callbacks.policies import Budget, CarbonBudget, MarginalGain, Policy, lands
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_UNUSED: Final = (
    "Rank 0 decides for all ranks and has no policies, so the policies of rank %d are not asked. Give every rank the "
    "same policies."
)
_STAND_IN: Final = CarbonBudget("1 kg")
"""A budget on a rank that decides nothing. Only its presence counts."""
_LANDING: Final = CarbonBudget("1 kg", landing=0.1)
"""Likewise, for a budget with a landing."""
_RULE: Final = MarginalGain("val_acc", landing=0.1)
"""Likewise, for a rule with a landing."""


def in_rhythm(
    policies: tuple[Policy, ...], interval: DecisionInterval | None, ranks: Ranks
) -> tuple[tuple[Policy, ...], DecisionInterval | None]:
    """Return policies and an interval by which this rank asks when rank 0 asks. Every rank calls this.

    Many scripts give rank 0 alone the policies, because it decides. Ranks that ask at other times would part.

    Args:
        policies: The policies of this rank.
        interval: Its interval of decisions inside epochs, or None for none.
        ranks: The processes of the run.

    Returns:
        What this rank was given, as far as it is in the rhythm of rank 0.
    """
    if ranks.size == 1:
        return policies, interval
    kinds = _kinds(policies)
    steps, seconds = interval if interval is not None else (None, None)
    mine = [float(len(policies)), *map(float, kinds), float(steps or 0), seconds or 0.0]
    number, *first, first_steps, first_seconds = ranks.sum(mine if ranks.rank == 0 else [0.0] * len(mine))
    if ranks.rank == 0:
        return policies, interval
    if policies and not number:
        logger.warning(_UNUSED, ranks.rank)
    if first_steps or first_seconds:
        interval = DecisionInterval(int(first_steps) or None, first_seconds or None)
    else:
        interval = None
    wanted = tuple(map(bool, first))
    return policies if kinds == wanted else _stand_ins(*wanted), interval


def _kinds(policies: Sequence[Policy]) -> tuple[bool, bool, bool]:
    """Return whether there are a budget, a budget that lands, and another policy that lands."""
    budgets = [each for each in policies if isinstance(each, Budget)]
    others = [each for each in policies if not isinstance(each, Budget)]
    return bool(budgets), any(map(lands, budgets)), any(map(lands, others))


def _stand_ins(has_budget: bool, lands_budget: bool, lands_rule: bool) -> tuple[Policy, ...]:  # noqa: FBT001
    budgets = (_LANDING if lands_budget else _STAND_IN,) if has_budget else ()
    return (*budgets, _RULE) if lands_rule else budgets
