"""Watched metrics that were never reported."""

import difflib
from collections.abc import Collection
from itertools import islice
from math import isfinite
from typing import Final

from green_callbacks.accountant.notices import Notices
from green_callbacks.records import EpochRecord, History, Plan

_OF_VALIDATION: Final = ("val", "eval", "dev")
"""Prefixes of the names of validation metrics."""
_PATIENCE_EPOCHS: Final = 3
"""Number of epochs without validation after which a watched validation metric counts as missing. It applies if the
framework does not report how often it validates."""
_NOT_FINITE_EPOCHS: Final = 2
"""Number of consecutive values that are not finite after which a warning is due."""
_LAST: Final = 50
"""Number of the last values of a metric that are checked, and of metrics that a message lists."""


class MissingMetrics:
    """Warns once of each watched metric that is missing, as early as this can be known.

    Args:
        notices: Receives the warnings.
    """

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._missing: dict[str, str] = {}
        self._every: int | None = None
        self._why_never = ""
        self._epochs = 0

    def add(self, metric: str, who: str) -> None:
        """Expect a metric from now on.

        Args:
            metric: Its key.
            who: Name of the watching policy.
        """
        self._missing.setdefault(metric, who)
        self._say_never(metric)

    @property
    def missing(self) -> Collection[str]:
        """The metrics that were not reported yet."""
        return self._missing.keys()

    def expect_validation(self, every_epochs: int | None, plan: Plan) -> None:
        """Note how often the framework validates.

        Args:
            every_epochs: Interval between two validations, in epochs, or None for no validation.
            plan: The plan.
        """
        self._every, self._why_never = every_epochs, ""
        if every_epochs is None:
            self._why_never = "no validation takes place in this run"
        elif plan.epochs is not None and every_epochs > plan.epochs:
            self._why_never = f"no validation takes place within the {plan.epochs} planned epochs"
        for name in self._missing:
            self._say_never(name)

    def _say_never(self, name: str) -> None:
        if self._why_never and _is_of_validation(name):
            self._say(name, self._why_never, "Have it validate, or watch another metric.")

    def explain(self, metrics: Collection[str], why: str, remedy: str) -> None:
        """Warn of metrics that are missing, with the reason.

        Args:
            metrics: Their keys.
            why: The reason, as half a sentence.
            remedy: The remedy, as a sentence.
        """
        for name in self._missing.keys() & metrics:
            self._say(name, why, remedy)

    def after(self, history: History, record: EpochRecord, refused: Collection[str]) -> None:
        """Check the metrics after the record of an epoch or of a part of it.

        Args:
            history: All records.
            record: The last one.
            refused: Metrics that were reported, and are no numbers.
        """
        self._epochs += record.closes_epoch and record.complete
        for name in list(self._missing):
            if _has_come(history, name):
                del self._missing[name]
                self._notices.withdraw(_key(name))
            else:
                self._miss(name, history, record, refused)

    def conclude(self, history: History) -> None:
        """Warn at the end of the run of metrics that are missing, unless the run was too short to report them."""
        had_time = history.finished_epochs or history.metric_names
        for name in self._missing:
            if not self._say_what_came(name, history, 1) and had_time:
                self._say_missing(name, history, "")

    def _miss(self, name: str, history: History, record: EpochRecord, refused: Collection[str]) -> None:
        if name in refused:
            self._say(name, "its values are no numbers", "Observe a number, or a tensor of one element.")
        elif self._say_what_came(name, history, _NOT_FINITE_EPOCHS) or not record.complete:
            return
        elif self._is_due(name, history, record):
            self._say_missing(name, history, f" in epoch {record.epoch}")

    def _say_what_came(self, name: str, history: History, most: int) -> bool:
        """Warn if at least ``most`` values came and none can be used. Return whether any came."""
        rows, values = history.metric(name)
        if not rows:
            return False
        if all(history.epoch_at(row) is None for row in rows[-_LAST:]):
            remedy = "Observe it inside the epoch, before it ends."
            self._say(name, "it comes between epochs, where no policy is asked", remedy)
        elif len(rows) >= most:
            self._say(name, f"all its values so far are {values[-1]}", "Look at the model, or watch another metric.")
        return True

    def _is_due(self, name: str, history: History, record: EpochRecord) -> bool:
        """Return whether a missing metric should have been reported by now."""
        has_validated = any(map(_is_of_validation, record.metrics))
        if not record.closes_epoch or not _is_of_validation(name):
            return record.closes_epoch or (has_validated and _is_of_validation(name))
        if has_validated or "validation" in record.phases:
            return True
        if self._every is not None:
            return ((record.epoch or 0) + 1) % self._every == 0
        return self._epochs >= _PATIENCE_EPOCHS or not history.metric_names

    def _say_missing(self, name: str, history: History, when: str) -> None:
        names = sorted(history.metric_names)
        if not names:
            what = f"no metric at all was observed{when}"
            self._say(name, what, f"Log it, or call observe({{{name!r}: …}}) inside the epoch.")
            return
        listed = ", ".join(names[:_LAST])
        nearest = _nearest(name, names)
        if nearest is not None:
            self._say(name, f"it has not appeared{when}", f"Did you mean {nearest!r}? There are: {listed}.")
        elif _is_of_validation(name) and not any(map(_is_of_validation, names)):
            remedy = f"Validate, and observe it inside the epoch, or watch another metric. There are: {listed}."
            self._say(name, f"no metric of a validation has appeared{when}", remedy)
        else:
            self._say(name, f"it has not appeared{when}", f"There are: {listed}.")

    def _say(self, name: str, why: str, remedy: str) -> None:
        message = "%s watches the metric %r and cannot act so far: %s. %s"
        self._notices.say(_key(name), message, self._missing[name], name, why, remedy)


def _key(name: str) -> str:
    return f"metric {name}"


def _is_of_validation(name: str) -> bool:
    return name.lower().startswith(_OF_VALIDATION)


def _has_come(history: History, name: str) -> bool:
    rows, values = history.metric(name)
    last = islice(zip(reversed(rows), reversed(values), strict=True), _LAST)
    return any(isfinite(value) and history.epoch_at(row) is not None for row, value in last)


def _nearest(name: str, names: Collection[str]) -> str | None:
    """Return the key that was probably meant, or None if no key is similar."""
    plain = {_plain(each): each for each in names}
    sought = _plain(name)
    found = difflib.get_close_matches(sought, plain, n=1)
    found = found or [each for each in plain if sought and each.startswith(sought)]  # one of several loaders, say
    return plain[found[0]] if found else None


def _plain(name: str) -> str:
    """Return a key without case, punctuation and suffixes, for comparison."""
    name, _, _ = name.lower().partition("/dataloader_idx_")
    return "".join(letter for letter in name if letter.isalnum()).removesuffix("epoch")
