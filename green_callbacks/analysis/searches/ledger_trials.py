"""The searches among the runs of a folder, by the labels of their ledgers and by what lies beside them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

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

_BY_WEIGHT: Final[tuple[State, ...]] = ("pruned", "complete", "failed", "unfinished")
"""States in the order in which they count for a trial of several runs. A run that failed may have been repeated."""
_Key = tuple[int, str]


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


class _Run(NamedTuple):
    """A run of a trial, and how the trial ended as far as that was kept."""

    ledger: LedgerTrial
    outcome: Outcome | None


def searches_among(runs: Iterable[LedgerTrial]) -> list[SearchTotals]:
    """Return the searches to which runs belong.

    A trial is known by its number and by its beginning. So a search that was begun anew has trials of its own.

    Args:
        runs: The runs. Runs that are no trials are left out.

    Returns:
        The totals of each search, in the order of their names.
    """
    studies: dict[str, dict[_Key, list[_Run]]] = {}
    for run in runs:
        if run.is_trial:
            outcome = Outcome.read(run.path)
            key = int(run.labels[TRIAL_LABEL]), "" if outcome is None else outcome.began
            studies.setdefault(run.labels[STUDY_LABEL], {}).setdefault(key, []).append(_Run(run, outcome))
    return [_totals(study, trials) for study, trials in sorted(studies.items())]


def _totals(study: str, trials: Mapping[_Key, Sequence[_Run]]) -> SearchTotals:
    """Return the totals of a search. The direction of its objective counts before the direction of a metric."""
    found = [_trial(number, runs) for (number, _), runs in sorted(trials.items())]
    runs = [run for each in trials.values() for run in each]
    outcomes = [run.outcome for run in runs if run.outcome is not None and run.outcome.rises]
    said = [outcome.rises[0] for outcome in sorted(outcomes, key=lambda each: not each.values)]
    implied = [run.ledger.rises for run in runs if run.ledger.value is not None]
    return SearchTotals(study, found, rises=[*said, *implied, True][0])


def _trial(number: int, runs: Sequence[_Run]) -> SearchTrial:
    """Return a trial, which may have several runs, in any order."""
    outcomes = [run.outcome for run in runs if run.outcome is not None]
    known = [run.ledger.kg for run in runs if run.ledger.kg is not None]
    values = [
        *(outcome.values[0] for outcome in outcomes if outcome.values),
        *(run.ledger.value for run in runs if run.ledger.value is not None),
    ]
    states = [outcome.state for outcome in outcomes] or [run.ledger.state for run in runs]
    return SearchTrial(
        number, min(states, key=_BY_WEIGHT.index), sum(known) if known else None, next(iter(values), None)
    )
