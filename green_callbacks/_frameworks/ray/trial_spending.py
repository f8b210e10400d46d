"""The spending of one trial, from the totals that its processes report."""

from dataclasses import dataclass, field
from typing import Any, Final, Self

RECENT: Final = 5
"""Number of recent costs of a trial, of which the highest is expected next. ``CarbonBudget`` looks back as far."""


@dataclass(slots=True)
class TrialSpending:
    """What a trial has spent in all its processes. Amounts are in kgCO2e or kWh.

    A process reports the total of its run. The total may begin at 0, at the total that the trial reported last, or at
    the total of a checkpoint that another trial wrote. Only what comes on top is spending of this trial.

    Attributes:
        spent: Spending that was reported.
        lost: Expected spending of dead processes that was not reported, and that no later total contains yet.
        last: The last total, or None if there is none.
        run_id: Name of the run that reported it. Empty if the trial reports no names.
        inherited: The total at which a new process may begin, from its checkpoint. None if there is none.
        is_new: Whether a process has started since the last total.
        costs: The last costs of an epoch.
    """

    spent: float = 0.0
    lost: float = 0.0
    last: float | None = None
    run_id: str = ""
    inherited: float | None = None
    is_new: bool = True
    costs: list[float] = field(default_factory=list)

    @property
    def total(self) -> float:
        """Spending of the trial, with what dead processes probably did not report."""
        return self.spent + self.lost

    @property
    def expected(self) -> float | None:
        """Expected cost of the next epoch. None before the first epoch."""
        return max(self.costs, default=None)

    def begin(self, inherited: float | None) -> None:
        """Note that a process has started.

        Args:
            inherited: The total in its checkpoint, or None if it starts without one.
        """
        self.is_new, self.inherited = True, inherited

    def lose(self, share: float, usual: float | None) -> None:
        """Count what a dead process may have spent since its last report.

        Args:
            share: Share of an epoch that may have passed, 0 to 1.
            usual: Cost of an epoch of other trials, or None if there is none.
        """
        self.lost += share * (self.expected or usual or 0.0)

    def tell(self, total: float, latest: float | None, run_id: str = "") -> None:
        """Count a report.

        Args:
            total: Total of the run.
            latest: Part of it that belongs to the last epoch. None if that was not reported.
            run_id: Name of the run. Defaults to an empty text, for a name that was not reported.
        """
        is_same = bool(run_id) and run_id == self.run_id
        is_other = bool(run_id and self.run_id) and not is_same
        if not self.is_new and not is_other and self.last is not None and total >= self.last:
            before, cost = self.last, total - self.last
        else:
            candidates = [self.last or 0.0] if is_same else [0.0, self.inherited or 0.0]
            if not is_same and not is_other:
                candidates.append(self.last or 0.0)
            before = self._before(total - (latest or 0.0), candidates)
            cost = total - before if latest is None else latest
        self.spent += total - before
        self.last, self.run_id, self.is_new = total, run_id, False
        if cost > 0:
            self.costs = [*self.costs, cost][-RECENT:]

    def _before(self, earlier: float, candidates: list[float]) -> float:
        """Return the total at which a new run or process began, and settle what was expected of the old one.

        It is the candidate nearest to its upper limit, because a new process first spends little. The last records of
        a killed process may be lost, so the total may also begin a little below a candidate.

        Args:
            earlier: Upper limit of that total.
            candidates: Totals at which it may have begun.
        """
        begun = min(candidates, key=lambda each: abs(each - earlier))
        if self.last is not None and begun == self.last:  # the total goes on, with what was not reported
            self.lost -= min(self.lost, max(earlier - begun, 0.0))
        self.spent, self.lost = self.total, 0.0
        return min(begun, earlier)

    def encode(self) -> dict[str, Any]:
        """Return the spending as plain types, for the state of a search."""
        return {"spent": self.spent, "lost": self.lost, "last": self.last, "run_id": self.run_id, "costs": self.costs}

    @classmethod
    def decode(cls, state: dict[str, Any]) -> Self:
        """Return the spending of :meth:`encode`.

        Args:
            state: The plain types.
        """
        return cls(**state)
