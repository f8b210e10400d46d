"""What a search has spent, by the fate of its trials."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Final, NamedTuple

from green_callbacks.analysis.searches.outcome import State
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.layout import UNKNOWN, aligned
from green_callbacks.text.wording import percent, significant

_MOST_POINTS: Final = 8
"""Largest number of points of a front that are written, so that a summary stays on one screen. No unit, a choice."""
_STATES: Final[tuple[State, ...]] = ("complete", "pruned", "failed", "unfinished")


class SearchTrial(NamedTuple):
    """A trial of a search.

    Attributes:
        number: Its number, in the order of beginning.
        state: What the search takes it for.
        kg: Emissions in kgCO2e. None if nothing was measured.
        value: Its value, of the first objective. Defaults to None, for a trial without one.

    Example:
        >>> SearchTrial(3, "pruned", 0.02).value is None
        True
    """

    number: int
    state: State
    kg: float | None
    value: float | None = None


@dataclass(frozen=True)
class SearchTotals:
    """The totals of a search.

    Attributes:
        study: Name of the search.
        trials: Its trials.
        rises: Whether more of the value is better. Defaults to True.
        other_kg: Emissions of runs that belong to no trial of the search, in kgCO2e. Defaults to 0.

    Example:
        >>> trials = [SearchTrial(0, "complete", 0.4, 0.9), SearchTrial(1, "pruned", 0.1)]
        >>> search = SearchTotals("digits", trials)
        >>> search.kg, round(search.saved_kg, 3)
        (0.5, 0.3)
    """

    study: str
    trials: Sequence[SearchTrial]
    rises: bool = True
    other_kg: float = 0.0

    @property
    def kg(self) -> float:
        """Emissions of all trials, in kgCO2e."""
        return _kg(self.trials)

    def in_state(self, state: State) -> list[SearchTrial]:
        """Return the trials of a state.

        Args:
            state: The state.
        """
        return [trial for trial in self.trials if trial.state == state]

    @cached_property
    def best(self) -> SearchTrial | None:
        """The complete trial with the best value, the first of several. None if there is none."""
        known = [trial for trial in self.in_state("complete") if trial.value is not None and isfinite(trial.value)]
        return min(known, key=self._rank, default=None)

    @property
    def after_best_kg(self) -> float | None:
        """Emissions of the trials that began after the best one, in kgCO2e. None without a best trial."""
        return None if self.best is None else _kg(each for each in self.trials if each.number > self.best.number)

    @property
    def saved_kg(self) -> float | None:
        """What pruning saved, in kgCO2e, if each pruned trial had cost as much as the mean complete trial.

        None without a complete trial that was measured.
        """
        complete = [trial.kg for trial in self.in_state("complete") if trial.kg is not None]
        pruned = [trial.kg for trial in self.in_state("pruned") if trial.kg is not None]
        return len(pruned) * sum(complete) / len(complete) - sum(pruned) if complete else None

    @cached_property
    def front(self) -> list[SearchTrial]:
        """The complete trials that no other beats in both value and emissions, by rising emissions."""
        complete = [trial for trial in self.in_state("complete") if trial.kg is not None and trial.value is not None]
        found: list[SearchTrial] = []
        for trial in sorted(complete, key=lambda each: (each.kg, self._rank(each))):
            if not found or self._rank(trial)[0] < self._rank(found[-1])[0]:
                found.append(trial)
        return found

    def _rank(self, trial: SearchTrial) -> tuple[float, int]:
        value = trial.value or 0.0
        return (-value if self.rises else value), trial.number

    def __str__(self) -> str:
        """Write the totals as lines of plain text."""
        return "\n".join([f"Search {for_terminal(self.study)}", "", _table(self), *_sentences(self)])


def _kg(trials: Iterable[SearchTrial]) -> float:
    return sum(trial.kg for trial in trials if trial.kg is not None)


def _mass(kg: float | None) -> str:
    return UNKNOWN if kg is None else format_mass(kg)


def _table(search: SearchTotals) -> str:
    rows = [("trials", "number", "CO2e", "mean of one", "share")]
    for state in _STATES:
        trials = search.in_state(state)
        known = [trial.kg for trial in trials if trial.kg is not None]
        if trials:
            share = percent(sum(known) / search.kg) if search.kg else UNKNOWN
            mean = _mass(sum(known) / len(known) if known else None)
            rows.append((state, str(len(trials)), _mass(sum(known) if known else None), mean, share))
    return aligned([*rows, ("all", str(len(search.trials)), _mass(search.kg), "", "")], left=(0,))


def _sentences(search: SearchTotals) -> list[str]:
    said = []
    if search.best is not None and search.after_best_kg is not None:
        value = significant(search.best.value or 0.0, 4)
        after = format_mass(search.after_best_kg)
        said.append(f"Trial {search.best.number} is the best, with a value of {value}. Later trials took {after}.")
    if search.saved_kg is not None and any(trial.kg for trial in search.in_state("pruned")):
        said.append(_saved(search.saved_kg))
    repeated = len(search.trials) - len({trial.number for trial in search.trials})
    if repeated:
        said.append(f"{repeated:,} of the trials have the number of another, so the study was created more than once.")
    unknown = sum(trial.kg is None for trial in search.trials)
    if unknown:
        trials = "1 trial" if unknown == 1 else f"{unknown} trials"
        said.append(f"The emissions of {trials} are not known, and stand in no sum.")
    if search.other_kg:
        said.append(f"Other runs in its folder took {format_mass(search.other_kg)} more, such as an earlier search.")
    return ["", *said, *_front(search)] if said else _front(search)


def _saved(kg: float) -> str:
    basis = "if each pruned trial had taken as much as the mean complete trial"
    if kg < 0:
        return f"Pruning saved nothing, {basis}. The pruned trials took {format_mass(-kg)} more than that."
    return f"Pruning saved about {format_mass(kg)}, {basis}."


def _front(search: SearchTotals) -> list[str]:
    """Write the front, its best points if there are many."""
    points = search.front[-_MOST_POINTS:]
    if len(points) < 2:  # noqa: PLR2004  a single point is no choice
        return []
    rows = [(str(each.number), _mass(each.kg), significant(each.value or 0.0, 4)) for each in points]
    return ["", "Less CO2e for less quality:", aligned([("trial", "CO2e", "value"), *rows])]
