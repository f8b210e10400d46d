"""The point where a policy would have stopped a finished run.

Example:
    >>> from green_callbacks import EpochRecord, History, replay
    >>> history = History([EpochRecord.scripted(epoch=epoch, emissions_kg=0.2) for epoch in range(9)])
    >>> replay(history, lambda history, plan: history.emissions_kg > 0.5).record.epoch
    2
"""

from dataclasses import dataclass

from green_callbacks.policies.base import Policy
from green_callbacks.policies.function_policy import Decision, as_policy
from green_callbacks.records import EpochRecord, History, Plan, Verdict


@dataclass(frozen=True, slots=True)
class Replay:
    """The first stop of a replayed run.

    Attributes:
        verdict: The verdict that stops.
        record: The last record before the stop.

    Example:
        >>> from green_callbacks.records import EpochRecord, Verdict
        >>> stop = Replay(Verdict(stop=True, code="stopping", reason="Enough."), EpochRecord.scripted(epoch=4))
        >>> stop.record.epoch
        4
    """

    verdict: Verdict
    record: EpochRecord


def replay(history: History, policy: Policy | Decision, plan: Plan | None = None) -> Replay | None:
    """Show a finished run to a policy, record by record.

    Args:
        history: All records of the run.
        policy: The policy, or a function of the history and the plan.
        plan: The plan of the run. Defaults to an empty plan.

    Returns:
        The first stop. None if the run would have gone to its end.

    Example:
        >>> from green_callbacks.records import EpochRecord, History
        >>> history = History([EpochRecord.scripted(epoch=epoch, emissions_kg=0.2) for epoch in range(9)])
        >>> replay(history, lambda history, plan: history.emissions_kg > 0.5).record.epoch
        2
    """
    seen, decider = History(), as_policy(policy)
    for record in history:
        seen.append(record)
        if record.epoch is None:  # a run asks its policies only after epochs
            continue
        verdict = decider.decide(seen, plan or Plan())
        if verdict.stop:
            return Replay(verdict, record)
    return None
