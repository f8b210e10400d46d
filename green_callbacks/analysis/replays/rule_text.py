"""The text of policies on the command line and on the page that compares runs."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Self, get_args, get_type_hints

from green_callbacks.analysis.ledger_run import LedgerRun
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Metric
from green_callbacks.policies import CarbonBudget, MarginalGain, watched_metric

_BUDGET: Final = "budget"
_MARGINAL_GAIN: Final = "marginal-gain"
_KINDS: Final[Mapping[str, type[CarbonBudget] | type[MarginalGain]]] = {
    _BUDGET: CarbonBudget,
    _MARGINAL_GAIN: MarginalGain,
}
_NOT_REPLAYED: Final = frozenset({"budget", "monitor", "warn_at", "report_only"})
"""Options that have a place of their own in the text, or do not change where a run would stop."""
_WORDS: Final[Mapping[str, bool]] = {"true": True, "false": False}

Option = float | bool | str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy that may still lack its metric.

    Attributes:
        kind: ``budget`` or ``marginal-gain``.
        subject: Amount of the budget, or key of the metric. Empty for the metric of the run.
        options: Options of the policy.

    Example:
        >>> Rule.parse("budget=500 g,landing=0.1").options
        {'landing': 0.1}
    """

    kind: str
    subject: str
    options: Mapping[str, Option]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rule such as ``budget="500 g"`` or ``marginal-gain:val_acc,min_gain_per_kg=0.05``.

        Args:
            text: Name of the policy, ``:`` or ``=``, its subject, then options after commas.

        Returns:
            The rule.

        Raises:
            ConfigurationError: The policy or an option is unknown, or a value cannot be read.

        Example:
            >>> Rule.parse("marginal-gain:val_acc,min_gain_per_kg=0.05").subject
            'val_acc'
        """
        subject, *options = [part.strip() for part in text.split(",")]
        end = min((at for mark in ":=" if (at := subject.find(mark)) >= 0), default=len(subject))
        kind, subject = subject[:end].strip(), subject[end + 1 :].strip().strip("\"'")
        if kind not in _KINDS or (kind == _BUDGET and not subject):
            msg = (
                f"Cannot read {text!r} as a policy. Write budget='500 g', or marginal-gain:val_acc with options such "
                "as ,min_gain_per_kg=0.05 after it."
            )
            raise ConfigurationError(msg)
        rule = cls(kind, subject, dict(_option(kind, option) for option in options))
        if subject:
            rule.policy(subject)  # refuses an impossible rule before ledgers are read
        return rule

    def on(self, run: LedgerRun, metric: Metric | None) -> CarbonBudget | MarginalGain:
        """Return the policy for a run.

        Args:
            run: The run.
            metric: Metric of the run's quality, for a rule without a metric.

        Returns:
            The policy.

        Raises:
            ConfigurationError: The rule needs a metric, and there is none.
        """
        if self.subject:
            return self.policy(self.subject)
        if metric is None:
            seen = ", ".join(run.history.metric_names) or "no metric at all"
            msg = f"The run {run.run_id} has {seen}. Name its metric with marginal-gain:METRIC or --monitor."
            raise ConfigurationError(msg)
        return self.policy(metric.name, mode=metric.mode)

    def policy(self, subject: str, **defaults: Option) -> CarbonBudget | MarginalGain:
        """Make the policy.

        Args:
            subject: Amount of the budget, or key of the metric.
            **defaults: Options that the rule's own options override.

        Raises:
            ConfigurationError: An option cannot work.
        """
        return _KINDS[self.kind](subject, **{**defaults, **self.options})  # type: ignore[arg-type]  # checked by name and kind

    def describe(self, policy: CarbonBudget | MarginalGain) -> str:
        """Write the rule as on the command line, with the metric that it used.

        Args:
            policy: Result of :meth:`on`.
        """
        metric = watched_metric(policy)
        head = f"{self.kind}={self.subject}" if metric is None else f"{self.kind}:{metric.name}"
        return ",".join([head, *(f"{name}={_written(value)}" for name, value in self.options.items())])


def _option(kind: str, text: str) -> tuple[str, Option]:
    name, _, value = (part.strip() for part in text.partition("="))
    policy = _KINDS[kind]
    known = [field.name for field in fields(policy) if field.name not in _NOT_REPLAYED]
    if name not in known:
        msg = f"The policy {kind} has no option {name!r} here. Its options are {', '.join(known)}."
        raise ConfigurationError(msg)
    hint = get_type_hints(policy)[name]
    return name, _value(name, value, hint if hint in (bool, float) else next(iter(get_args(hint)), str))


def _value(name: str, text: str, kind: object) -> Option:
    """Read the value of an option, which is a number or none, true or false, or a word."""
    if kind is bool:
        value = _WORDS.get(text.lower())
        if value is None:
            msg = f"{name} must be true or false, not {text!r}."
            raise ConfigurationError(msg)
        return value
    if kind is not float:
        return text
    if text.lower() == "none":
        return None
    try:
        return float(text)
    except ValueError as error:
        msg = f"{name} must be a number, not {text!r}."
        raise ConfigurationError(msg) from error


def _written(value: Option) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
