"""Where a policy would have stopped a finished run."""

from dataclasses import dataclass

from green_callbacks.policies.base import Policy
from green_callbacks.policies.function_policy import Decision, as_policy
from green_callbacks.records import EpochRecord, History, Plan, Verdict


@dataclass(frozen=True, slots=True)
class Replay:
    """The first stop of a replayed run.

    Attributes:
        verdict: Why it would have stopped.
        record: The last record that would have been made.
    """

    verdict: Verdict
    record: EpochRecord


def replay(history: History, policy: Policy | Decision, plan: Plan | None = None) -> Replay | None:
    """Show a policy a finished run record by record.

    Args:
        history: All records of the run.
        policy: The policy, or a function of the history and the plan.
        plan: What was known ahead; nothing unless given.

    Returns:
        The first stop; None if the run would have gone to its end.
    """
    seen, decider = History(), as_policy(policy)
    for record in history:
        seen.append(record)
        if record.epoch is None:  # a run asks its policies after epochs only
            continue
        verdict = decider.decide(seen, plan or Plan())
        if verdict.stop:
            return Replay(verdict, record)
    return None
