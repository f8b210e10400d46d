"""All that the files of a budget tell, summed so that thousands of ended runs cost a claim nothing."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from statistics import median
from typing import NamedTuple

from green_callbacks.registry.files.file_format import Content
from green_callbacks.registry.files.told_sessions import Mark, SessionKey, Told, age, larger, newer, run_entered, run_of
from green_callbacks.registry.protocol import Claim, Entry, RegisteredRun, RunState


@dataclass(slots=True)
class Kept:
    """What the files that nobody changes tell. Their sessions are over, so what they held counts as spent.

    Attributes:
        sessions: For each run, the last claims of its sessions. Defaults to none.
        entries: The totals of runs that do not claim, by the names of the runs. Defaults to none.
        marks: Claims after which a session was declared dead. Defaults to none.
        ends: Claims after which a session ended, as its ledger tells. Defaults to none.
        runs: Where each run stands. Defaults to none.
        spent: Spending of all these runs. Defaults to 0.
        epoch_costs: Spending of an epoch of each of these runs that knows it, sorted. Defaults to none.
    """

    sessions: dict[str, dict[SessionKey, Told]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    marks: set[Mark] = field(default_factory=set)
    ends: set[Mark] = field(default_factory=set)
    runs: dict[str, RegisteredRun] = field(default_factory=dict)
    spent: float = 0.0
    epoch_costs: list[float] = field(default_factory=list)

    def add(self, content: Content) -> None:
        """Add what another file tells.

        Args:
            content: What the file tells.
        """
        self.marks.update(content.marks)
        self.ends.update(content.ends)
        for told in content.sessions:
            of_run = self.sessions.setdefault(told.run_id, {})
            of_run[told.key] = newer(of_run.get(told.key), told)
        for entry in content.entries:
            self.entries[entry.run_id] = larger(self.entries.get(entry.run_id), entry)
        names = {told.run_id for told in content.sessions} | {mark.run_id for mark in content.ends}
        for name in names | {entry.run_id for entry in content.entries}:
            if name in self.sessions or name in self.entries:
                self.runs[name] = self._run(name)
        self.spent = sum(run.spent for run in self.runs.values())
        self.epoch_costs = sorted(_costs(self.runs.values()))

    def _run(self, name: str) -> RegisteredRun:
        of_run, entry = self.sessions.get(name), self.entries.get(name)
        if of_run:
            return run_of(of_run.values(), entry, inf, (), self.ends)
        return run_entered(self.entries[name])


class Sums(NamedTuple):
    """What all runs but one come to. Amounts are in the unit of the budget.

    Attributes:
        spent: Their spending.
        held: What the live ones hold.
        live: Number of the live ones.
    """

    spent: float
    held: float
    live: int


class Known(NamedTuple):
    """All that the files of a budget tell.

    Attributes:
        kept: What the files tell that nobody changes.
        fresh: Last claims of the sessions that have a file of their own.
        now: The time by the clock of the file system, in s since 1970.
    """

    kept: Kept
    fresh: Mapping[SessionKey, Told]
    now: float

    def runs(self) -> dict[str, RegisteredRun]:
        """Return where each run stands, by its name."""
        kept = {name: replace(run, silent_seconds=self._silence(run)) for name, run in self.kept.runs.items()}
        return kept | self.fresh_runs()

    def fresh_runs(self, own: Claim | None = None) -> dict[str, RegisteredRun]:
        """Return where each run stands that has a session with a file of its own.

        Args:
            own: The claim of a run that is surely alive. Defaults to None.
        """
        grouped: dict[str, dict[SessionKey, Told]] = {}
        kept = self.kept
        for key, told in self.fresh.items():
            of_run = grouped.get(told.run_id)
            if of_run is None:
                of_run = grouped[told.run_id] = dict(kept.sessions.get(told.run_id, {}))
            of_run[key] = newer(of_run.get(key), told)
        return {
            name: run_of(of_run.values(), kept.entries.get(name), self.now, kept.marks, kept.ends, own)
            for name, of_run in grouped.items()
        }

    def others(self, fresh_runs: Mapping[str, RegisteredRun], run_id: str) -> Sums:
        """Return what all runs but one come to.

        Args:
            fresh_runs: The answer of :meth:`fresh_runs`.
            run_id: The run that is left out.
        """
        runs = [run for name, run in fresh_runs.items() if name != run_id]
        twice = self._kept_too(fresh_runs, run_id)
        return Sums(
            spent=max(0.0, self.kept.spent - sum(run.spent for run in twice)) + sum(run.spent for run in runs),
            held=sum(run.held for run in runs),
            live=sum(run.state is RunState.LIVE for run in runs),
        )

    def epoch_cost_of_others(self, fresh_runs: Mapping[str, RegisteredRun], run_id: str) -> float | None:
        """Return the median of the spending of an epoch, over all runs but one. None if no run knows it.

        Args:
            fresh_runs: The answer of :meth:`fresh_runs`.
            run_id: The run that is left out.
        """
        costs = self.kept.epoch_costs.copy()
        for cost in _costs(self._kept_too(fresh_runs, run_id)):
            del costs[bisect_left(costs, cost)]
        costs += _costs(run for name, run in fresh_runs.items() if name != run_id)
        return median(costs) if costs else None

    def _kept_too(self, fresh_runs: Mapping[str, RegisteredRun], run_id: str) -> list[RegisteredRun]:
        """Return the kept state of the runs that are in the fresh ones too, or left out."""
        kept = self.kept.runs
        return [kept[name] for name in {*fresh_runs, run_id} if name in kept]

    def sessions_of(self, run_id: str) -> dict[SessionKey, Told]:
        """Return the last claims of all sessions of a run.

        Args:
            run_id: Name of the run.
        """
        found = dict(self.kept.sessions.get(run_id, {}))
        for key, told in self.fresh.items():
            if told.run_id == run_id:
                found[key] = newer(found.get(key), told)
        return found

    def last_fresh(self) -> list[Told]:
        """Return the last session of each run that has a session with a file of its own."""
        last = {told.run_id: told for told in sorted(self.fresh.values(), key=age)}
        return [told for told in last.values() if max(self.sessions_of(told.run_id).values(), key=age) == told]

    def _silence(self, run: RegisteredRun) -> float:
        of_run = self.kept.sessions.get(run.run_id)
        return max(0.0, self.now - max(told.told_at for told in of_run.values())) if of_run else 0.0


def _costs(runs: Iterable[RegisteredRun]) -> list[float]:
    return [run.epoch_cost for run in runs if run.epoch_cost is not None]
