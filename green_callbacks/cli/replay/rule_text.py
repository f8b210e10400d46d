"""Policies as they are written on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Self, get_args, get_type_hints

from green_callbacks.cli.runs import LedgerRun
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
"""Options that are written before the others, or do not tell where a run would stop."""
_WORDS: Final[Mapping[str, bool]] = {"true": True, "false": False}

Option = float | bool | str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy that may still lack its metric.

    Attributes:
        kind: ``budget`` or ``marginal-gain``.
        subject: The amount of a budget, or the metric; empty for the metric of the run.
        options: The policy's options.
    """

    kind: str
    subject: str
    options: Mapping[str, Option]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rule such as ``budget="500 g"`` or ``marginal-gain:val_acc,min_gain_per_kg=0.05``.

        Args:
            text: The rule: its name, ``:`` or ``=``, its subject, then options after commas.

        Returns:
            The rule.

        Raises:
            ConfigurationError: There is no such rule or option, or a value cannot be read.
        """
        subject, *options = [part.strip() for part in text.split(",")]
        end = min((at for mark in ":=" if (at := subject.find(mark)) >= 0), default=len(subject))
        kind, subject = subject[:end].strip(), subject[end + 1 :].strip().strip("\"'")
        if kind not in _KINDS or (kind == _BUDGET and not subject):
            msg = (
                f"Cannot read {text!r} as a policy: write budget='500 g', or marginal-gain:val_acc with options such "
                "as ,min_gain_per_kg=0.05 after it."
            )
            raise ConfigurationError(msg)
        rule = cls(kind, subject, dict(_option(kind, option) for option in options))
        if subject:
            rule.policy(subject)  # a rule that cannot be is refused before ledgers are read
        return rule

    def on(self, run: LedgerRun, metric: Metric | None) -> CarbonBudget | MarginalGain:
        """Return the policy for a run.

        Args:
            run: The run.
            metric: The metric that stands for its quality, where the rule names none.

        Returns:
            The policy.

        Raises:
            ConfigurationError: The rule needs a metric, and there is none.
        """
        if self.subject:
            return self.policy(self.subject)
        if metric is None:
            seen = ", ".join(run.history.metric_names) or "no metric at all"
            msg = f"Name the metric of run {run.run_id}, with marginal-gain:METRIC or --monitor; it has {seen}."
            raise ConfigurationError(msg)
        return self.policy(metric.name, mode=metric.mode)

    def policy(self, subject: str, **defaults: Option) -> CarbonBudget | MarginalGain:
        """Make the policy.

        Args:
            subject: The amount of a budget, or the metric.
            **defaults: Options that those of the rule go before.

        Raises:
            ConfigurationError: An option that cannot work.
        """
        return _KINDS[self.kind](subject, **{**defaults, **self.options})  # type: ignore[arg-type]  # checked by name and kind

    def describe(self, policy: CarbonBudget | MarginalGain) -> str:
        """Write the rule as on the command line, with the metric that it was used with.

        Args:
            policy: What :meth:`on` returned.
        """
        metric = watched_metric(policy)
        head = f"{self.kind}={self.subject}" if metric is None else f"{self.kind}:{metric.name}"
        return ",".join([head, *(f"{name}={_written(value)}" for name, value in self.options.items())])


def _option(kind: str, text: str) -> tuple[str, Option]:
    name, _, value = (part.strip() for part in text.partition("="))
    policy = _KINDS[kind]
    known = [field.name for field in fields(policy) if field.name not in _NOT_REPLAYED]
    if name not in known:
        msg = f"The policy {kind} has no option {name!r} here; there are {', '.join(known)}."
        raise ConfigurationError(msg)
    hint = get_type_hints(policy)[name]
    return name, _value(name, value, hint if hint in (bool, float) else next(iter(get_args(hint)), str))


def _value(name: str, text: str, kind: object) -> Option:
    """Read the value of an option of a kind: a number (or none), true or false, or a word."""
    if kind is bool:
        value = _WORDS.get(text.lower())
        if value is None:
            msg = f"{name} is {text!r}: write true or false."
            raise ConfigurationError(msg)
        return value
    if kind is not float:
        return text
    if text.lower() == "none":
        return None
    try:
        return float(text)
    except ValueError as error:
        msg = f"{name} is {text!r}: write a number."
        raise ConfigurationError(msg) from error


def _written(value: Option) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
