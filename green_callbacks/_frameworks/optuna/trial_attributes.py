"""What the trials of a study have spent, as user attributes that survive killed processes and retried trials.

A retried trial begins with a copy of the user attributes of the trial that failed. So each run has an attribute of its
own, which names the trial that has really spent it. Sums take each run once.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final, NamedTuple

PREFIX: Final = "green_callbacks:"
RUN: Final = f"{PREFIX}run:"
"""Begins the attribute of a run. The name of the run follows."""
EMISSIONS: Final = f"{PREFIX}emissions_kg"
"""Attribute with the emissions of a trial in kgCO2e, once it has ended."""
ENERGY: Final = f"{PREFIX}energy_kwh"
"""Attribute with the facility energy of a trial in kWh, once it has ended."""
RUN_ID: Final = f"{PREFIX}run_id"
"""Attribute with the name of the run of a trial, once it has ended."""
STOP_REASON: Final = f"{PREFIX}stop_reason"
"""Attribute with the reason why a policy ended the training of a trial."""


class RunSpending(NamedTuple):
    """What a run of a trial has spent.

    Attributes:
        trial: Number of the trial.
        kg: Emissions in kgCO2e. None if nothing was measured.
        kwh: Facility energy in kWh. None if nothing was measured.
        first_kg: Emissions up to the end of the first epoch, in kgCO2e. None if not known.
    """

    trial: int
    kg: float | None
    kwh: float | None
    first_kg: float | None = None

    def encoded(self) -> dict[str, Any]:
        """Return the attribute."""
        return {"trial": self.trial, "emissions_kg": self.kg, "energy_kwh": self.kwh, "first_kg": self.first_kg}


@dataclass(frozen=True, slots=True)
class TrialSpending:
    """What a trial has spent.

    Attributes:
        kg: Emissions in kgCO2e. None if nothing was measured.
        kwh: Facility energy in kWh. None if nothing was measured.
        run_ids: Names of its runs.
        first_kg: Emissions up to the end of its first epoch, in kgCO2e. None if not known.
    """

    kg: float | None = None
    kwh: float | None = None
    run_ids: tuple[str, ...] = ()
    first_kg: float | None = None


def spending_by_trial(trials: Iterable[Any]) -> dict[int, TrialSpending]:
    """Return what each trial has spent. A run that stands in several trials counts where it was spent.

    A run of a trial that came from another study names the number that the trial had there. It counts for the trial
    that holds it.

    Args:
        trials: All trials of a study, in any state.
    """
    runs: dict[str, RunSpending] = {}
    holders: dict[str, list[int]] = {}
    for trial in trials:
        for run_id, found in runs_in(trial.user_attrs):
            before = runs.get(run_id)
            if before is None or (found.kg or 0.0) > (before.kg or 0.0):
                runs[run_id] = found
            holders.setdefault(run_id, []).append(trial.number)
    for run_id, found in runs.items():
        if found.trial not in holders[run_id]:
            runs[run_id] = found._replace(trial=holders[run_id][0])
    return _by_trial(runs)


def _by_trial(runs: Mapping[str, RunSpending]) -> dict[int, TrialSpending]:
    spent: dict[int, TrialSpending] = {}
    for run_id, found in runs.items():
        so_far = spent.get(found.trial, TrialSpending())
        spent[found.trial] = TrialSpending(
            _sum(so_far.kg, found.kg),
            _sum(so_far.kwh, found.kwh),
            (*so_far.run_ids, run_id),
            found.first_kg if so_far.first_kg is None else so_far.first_kg,
        )
    return spent


def runs_in(attributes: Mapping[str, Any]) -> Iterator[tuple[str, RunSpending]]:
    """Go through the runs in the attributes of a trial. An attribute of another form is skipped.

    Args:
        attributes: User attributes.

    Yields:
        The name of a run, and what it has spent.
    """
    for key, value in attributes.items():
        if key.startswith(RUN) and isinstance(value, Mapping) and isinstance(value.get("trial"), int):
            kg, kwh, first = (_amount(value.get(name)) for name in ("emissions_kg", "energy_kwh", "first_kg"))
            yield key.removeprefix(RUN), RunSpending(value["trial"], kg, kwh, first)


def own_spending(trial: Any, *, but: str = "") -> TrialSpending | None:
    """Return what the runs of a trial have spent. None without such a run.

    An objective may train several times, for example once for each fold of a cross-validation.

    Args:
        trial: The trial, or a frozen trial. It may hold copies of runs of the trial that it repeats.
        but: Name of a run to leave out. Defaults to an empty text, for none.
    """
    runs = {run_id: found for run_id, found in runs_in(trial.user_attrs) if found.trial == trial.number}
    runs.pop(but, None)
    return _by_trial(runs).get(trial.number)


def own_kg(trial: Any) -> float | None:
    """Return what a trial has reported to have spent, in kgCO2e. None if it has reported nothing.

    Args:
        trial: The trial, or a frozen trial.
    """
    spent = own_spending(trial)
    return spent.kg if spent is not None else _amount(trial.user_attrs.get(EMISSIONS))


def _amount(value: object) -> float | None:
    is_amount = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value >= 0
    return float(value) if is_amount else None  # type: ignore[arg-type]  # just checked


def _sum(one: float | None, other: float | None) -> float | None:
    known = [each for each in (one, other) if each is not None]
    return sum(known) if known else None
