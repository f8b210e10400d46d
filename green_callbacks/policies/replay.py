"""The point where a policy would have stopped a finished run.

Example:
    >>> from green_callbacks import EpochRecord, History, replay
    >>> history = History([EpochRecord.scripted(epoch=epoch, emissions_kg=0.2) for epoch in range(9)])
    >>> replay(history, lambda history, plan: history.emissions_kg > 0.5).record.epoch
    2
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from green_callbacks.policies.base import Budget, Policy
from green_callbacks.policies.function_policy import Decision, as_policy
from green_callbacks.policies.landing import landing_of
from green_callbacks.records import EpochRecord, History, Landing, Plan, Verdict

Plans = Sequence[tuple[int, Plan]]
"""Plans of a run, each with the number of records after which it held."""

_ROUNDING: Final = 1e-9
"""Relative error of a sum of energies, which must not add an epoch to a landing. No unit."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The first stop of a replayed run.

    Attributes:
        verdict: The verdict that stops.
        record: The last record before the stop.
        begins: The last record before the landing that precedes the stop. The values of the metrics at its end are not
            known, because the replayed run did not land there. None for a stop without a landing.
        landing: The landing in optimizer steps. None without a landing, or if the run reported no steps.

    Example:
        >>> from green_callbacks.records import EpochRecord, Verdict
        >>> stop = Replay(Verdict(stop=True, code="stopping", reason="Enough."), EpochRecord.scripted(epoch=4))
        >>> stop.record.epoch
        4
    """

    verdict: Verdict
    record: EpochRecord
    begins: EpochRecord | None = None
    landing: Landing | None = None


def replay(
    history: History, policy: Policy | Decision, plan: Plan | None = None, *, plans: Plans = ()
) -> Replay | None:
    """Show a finished run to a policy, record by record.

    Args:
        history: All records of the run.
        policy: The policy, or a function of the history and the plan.
        plan: The plan of the run. Its landing is ignored. Defaults to an empty plan.
        plans: The plans that the run had, each with the number of records after which it held, as
            ``LedgerContents.plans`` tells them. What other runs had spent of a shared budget is taken from them, so
            that a shared budget decides as it did in the run. Defaults to none, for a run alone.

    Returns:
        The first stop. With a landing, the stop is at its end. None if the run would have gone to its end.

    Example:
        >>> from green_callbacks.records import EpochRecord, History
        >>> history = History([EpochRecord.scripted(epoch=epoch, emissions_kg=0.2) for epoch in range(9)])
        >>> replay(history, lambda history, plan: history.emissions_kg > 0.5).record.epoch
        2
    """
    found = replay_landing(history, policy, plan, plans=plans)
    return found if found is not None and found.verdict.stop else None


def replay_landing(
    history: History, policy: Policy | Decision, plan: Plan | None = None, *, plans: Plans = ()
) -> Replay | None:
    """Show a finished run to a policy like :func:`replay`, and report a landing that outlasts the run, too.

    Args:
        history: All records of the run.
        policy: The policy, or a function of the history and the plan.
        plan: The plan of the run. Its landing is ignored. Defaults to an empty plan.
        plans: The plans that the run had, as in :func:`replay`. Defaults to none.

    Returns:
        The first stop. If the records end before a landing does, the verdict is the verdict that begins the landing,
        and ``record`` is the last record. None if the run would have gone to its end.
    """
    seen, decider, known = History(), as_policy(policy), replace(plan or Plan(), landing=None)
    landing: _Replayed | None = None
    last: EpochRecord | None = None
    waiting = list(plans)[::-1]
    for record in history:
        seen.append(record)
        while waiting and waiting[-1][0] <= len(seen):
            known = replace(known, shared=waiting.pop()[1].shared)
        if record.epoch is None:  # a run asks its policies only after epochs
            continue
        last = record
        if landing is not None and landing.is_over(seen, record):
            return landing.stop(record, replace(landing.verdict, stop=True, code="stopping", landing=None))
        verdict = decider.decide(seen, known)
        if verdict.stop and (landing is None or isinstance(decider, Budget)):
            return Replay(verdict, record) if landing is None else landing.stop(record, verdict)
        if landing is None and verdict.landing is not None:
            landing = _Replayed.of(seen, known, verdict, record, rounds_up=not isinstance(decider, Budget))
            if landing.is_too_short:
                return Replay(replace(verdict, stop=True, code="stopping", landing=None), record)
            known = replace(known, landing=landing.landing)
    return None if landing is None or last is None else landing.stop(last, landing.verdict)


@dataclass(frozen=True, slots=True)
class _Replayed:
    """A landing of a replayed run.

    Attributes:
        verdict: The verdict that begins it.
        begins: The last record before it.
        landing: The landing in steps. None if the run reported no steps.
        end_kwh: Facility energy of the run at its end, in kWh. It counts if the steps are unknown.
    """

    verdict: Verdict
    begins: EpochRecord
    landing: Landing | None
    end_kwh: float

    @classmethod
    def of(cls, seen: History, plan: Plan, verdict: Verdict, record: EpochRecord, *, rounds_up: bool) -> "_Replayed":
        share = verdict.landing or 0.0
        landing = landing_of(seen, plan, share, verdict.reason, rounds_up=rounds_up)
        own_kwh = seen.since_fit(seen.cumulative_kwh, len(seen) - 1)
        return cls(verdict, record, landing, seen.facility_kwh + share * own_kwh)

    @property
    def is_too_short(self) -> bool:
        """Whether not a single step remains for the landing, so that a run stops at once."""
        return self.landing is None and self.begins.step is not None

    def stop(self, record: EpochRecord, verdict: Verdict) -> Replay:
        return Replay(verdict, record, self.begins, self.landing)

    def is_over(self, seen: History, record: EpochRecord) -> bool:
        landing, steps = self.landing, seen.steps
        if landing is None or steps is None:
            return seen.facility_kwh >= self.end_kwh * (1 - _ROUNDING)
        if landing.last_epoch is None or record.epoch is None:
            return steps >= landing.end
        return record.closes_epoch and record.epoch >= landing.last_epoch
