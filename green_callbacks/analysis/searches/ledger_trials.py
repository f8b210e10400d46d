"""The searches among the runs of a folder, by the labels of their ledgers and by what lies beside them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from green_callbacks.analysis.searches.outcome import Outcome, State
from green_callbacks.analysis.searches.totals import SearchTotals, SearchTrial

STUDY_LABEL: Final = "study"
"""Label with the name of the search.

Example:
    >>> STUDY_LABEL
    'study'
"""
TRIAL_LABEL: Final = "trial"
"""Label with the number of the trial.

Example:
    >>> TRIAL_LABEL
    'trial'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTrial:
    """A run that may be a trial, as its ledger tells it.

    Example:
        >>> LedgerTrial(path=Path("a.jsonl"), labels={"study": "digits", "trial": "7"}, kg=0.1, is_closed=True).is_trial
        True

    Attributes:
        path: The ledger.
        labels: Labels of the run.
        kg: Emissions in kgCO2e. None if nothing was measured.
        is_closed: Whether the run was closed. Otherwise it was killed or is still running.
        stop_reason: Why a policy ended the run. Defaults to None.
        value: Best value of the metric that measures quality. Defaults to None, for no metric.
        rises: Whether more of that metric is better. Defaults to True.
    """

    path: Path
    labels: Mapping[str, str]
    kg: float | None
    is_closed: bool
    stop_reason: str | None = None
    value: float | None = None
    rises: bool = True

    @property
    def is_trial(self) -> bool:
        """Whether the run is a trial of a search."""
        return STUDY_LABEL in self.labels and self.labels.get(TRIAL_LABEL, "").isdecimal()

    @property
    def state(self) -> State:
        """What the search took the trial for, as far as the ledger alone can tell."""
        if not self.is_closed:
            return "unfinished"
        is_pruned = f"Trial {self.labels.get(TRIAL_LABEL)} is pruned"
        return "pruned" if (self.stop_reason or "").startswith(is_pruned) else "complete"


def searches_among(runs: Iterable[LedgerTrial]) -> list[SearchTotals]:
    """Return the searches to which runs belong.

    Args:
        runs: The runs. Runs that are no trials are left out.

    Returns:
        The totals of each search, in the order of their names.
    """
    studies: dict[str, dict[int, list[LedgerTrial]]] = {}
    for run in runs:
        if run.is_trial:
            trials = studies.setdefault(run.labels[STUDY_LABEL], {})
            trials.setdefault(int(run.labels[TRIAL_LABEL]), []).append(run)
    return [_totals(study, trials) for study, trials in sorted(studies.items())]


def _totals(study: str, trials: Mapping[int, Sequence[LedgerTrial]]) -> SearchTotals:
    found, directions = [], []
    for number, runs in sorted(trials.items()):
        trial, rises = _trial(number, runs)
        found.append(trial)
        directions += [rises] if trial.value is not None else []
    return SearchTotals(study, found, rises=directions[0] if directions else True)


def _trial(number: int, runs: Sequence[LedgerTrial]) -> tuple[SearchTrial, bool]:
    """Return a trial, which may have several runs, and whether more of its value is better."""
    outcomes = [outcome for run in runs if (outcome := Outcome.read(run.path)) is not None]
    known = [run.kg for run in runs if run.kg is not None]
    kg = sum(known) if known else None
    last = runs[-1]
    outcome = outcomes[-1] if outcomes else None
    state = last.state if outcome is None else outcome.state
    if outcome is not None and outcome.values:
        return SearchTrial(number, state, kg, outcome.values[0]), outcome.rises[0]
    return SearchTrial(number, state, kg, last.value), last.rises
