"""The spending of all trials of a search, which all copies of its budget share."""

import os
import time
import weakref
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any, Final, Self

from green_callbacks._frameworks.ray.reported import Reported
from green_callbacks._frameworks.ray.trial_spending import TrialSpending

_SEARCHES: "Final[weakref.WeakValueDictionary[str, SearchSpending]]" = weakref.WeakValueDictionary()
"""The searches of this process by name. Ray pickles ``stop=`` and the callbacks apart, and restores two objects."""


class SearchSpending:
    """The spending of the trials of a search. Amounts are in kgCO2e or kWh.

    Attributes:
        name: Name of the search, by which copies find it.
        trials: Spending by the id of the trial.
        running: Ids of the trials that run.
        said: The messages that were logged.
        is_followed: Whether Ray calls the hooks of callbacks.
        is_asked: Whether Ray asks whether to stop.
        is_over: Whether the budget has ended the search.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.trials: dict[str, TrialSpending] = {}
        self.running: set[str] = set()
        self.said: set[str] = set()
        self.is_followed = self.is_asked = self.is_over = False
        self._heard: dict[str, tuple[float, float]] = {}

    @classmethod
    def named(cls, name: str = "") -> Self:
        """Return the search of a name, which is the same object in all of the process.

        Args:
            name: The name. Defaults to a new one.
        """
        name = name or os.urandom(8).hex()
        found = _SEARCHES.get(name)
        if not isinstance(found, cls):
            found = _SEARCHES[name] = cls(name)
        return found

    @property
    def spent(self) -> float:
        """Spending of all trials so far."""
        return sum(each.total for each in self.trials.values())

    @property
    def lost(self) -> float:
        """Part of the spending that is expected of dead processes, and was not reported."""
        return sum(each.lost for each in self.trials.values())

    @property
    def held(self) -> float:
        """Expected cost of the next epoch of all running trials."""
        usual = self._usual() or 0.0
        return sum(self.of(each).expected or usual for each in sorted(self.running))

    def of(self, trial_id: str) -> TrialSpending:
        """Return the spending of a trial.

        Args:
            trial_id: The trial.
        """
        return self.trials.setdefault(trial_id, TrialSpending())

    def begin(self, trial_id: str, inherited: float | None) -> None:
        """Note that a process of a trial has started.

        Args:
            trial_id: The trial.
            inherited: The total in its checkpoint, or None.
        """
        self.of(trial_id).begin(inherited)
        self.running.add(trial_id)
        self._heard[trial_id] = (time.monotonic(), 0.0)

    def tell(self, trial_id: str, said: Reported, seconds: object) -> None:
        """Count a report. The same report may come twice.

        Args:
            trial_id: The trial.
            said: Its report.
            seconds: Time since its last report in s, if it is a number.
        """
        spending = self.of(trial_id)
        if spending.is_new or said.total != spending.last:
            spending.tell(*said)
            self._heard[trial_id] = (time.monotonic(), float(seconds) if isinstance(seconds, int | float) else 0.0)

    def lose(self, trial_id: str) -> None:
        """Count what a process may have spent since its last report, because it has ended inside an epoch.

        Args:
            trial_id: The trial.
        """
        heard, seconds = self._heard.pop(trial_id, (0.0, 0.0))
        share = min(1.0, (time.monotonic() - heard) / seconds) if seconds > 0 else 1.0
        self.of(trial_id).lose(share, self._usual())
        self.running.discard(trial_id)

    def end(self, trial_ids: Iterable[str]) -> None:
        """Note that trials have ended. If the search was stopped, they may have been inside an epoch.

        Args:
            trial_ids: The trials.
        """
        for trial_id in list(trial_ids):
            if self.is_over:
                self.lose(trial_id)
            self.running.discard(trial_id)

    def encode(self) -> dict[str, Any]:
        """Return the state as plain types."""
        trials = {trial_id: each.encode() for trial_id, each in self.trials.items()}
        return {"trials": trials, "running": sorted(self.running), "is_over": self.is_over}

    def merge(self, state: Mapping[str, Any]) -> None:
        """Take over what a state knows better, because it was saved before the search was cut short.

        Args:
            state: The value of :meth:`encode`.
        """
        self.is_over = self.is_over or state["is_over"]
        for trial_id, encoded in state["trials"].items():
            saved = TrialSpending.decode(encoded)
            if trial_id not in self.trials or saved.total > self.trials[trial_id].total:
                self.trials[trial_id] = saved
                if trial_id in state["running"]:  # nobody knows how far its epoch came
                    self.lose(trial_id)

    def _usual(self) -> float | None:
        """Return the median of the expected costs of trials. None before the first epoch of any trial."""
        known = [each.expected for each in self.trials.values() if each.expected is not None]
        return median(known) if known else None
