"""The options of an accountant, documented once for all adapters."""

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self, TypedDict

from green_callbacks.accountant.decisions.decision_interval import DecisionInterval
from green_callbacks.accountant.decisions.rank_rhythm import in_rhythm
from green_callbacks.accountant.ranks import Ranks
from green_callbacks.accountant.setup import option_checks as checks
from green_callbacks.accountant.setup.configured_budget import (
    ConfiguredBudget,
    agreed,
    beside_own,
    configured_budget,
)
from green_callbacks.accountant.setup.counts_per_sample import CountsPerSample
from green_callbacks.carbon import CarbonIntensity, ConstantIntensity, Pue, resolve_pue, said_intensity
from green_callbacks.carbon.tables import tables
from green_callbacks.clock import Clock, SystemClock
from green_callbacks.configuration import DISABLE_VARIABLE, Configuration, is_set, read_configuration, unknown_variables
from green_callbacks.errors import ConfigurationError
from green_callbacks.policies import Decision, Policy, as_policy
from green_callbacks.records import WORLD, Intensity, Plan
from green_callbacks.registry.opening import check_registry_url
from green_callbacks.sinks import Sink
from green_callbacks.sources import EnergySource
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


class AccountantOptions(TypedDict, total=False):
    """Options of an accountant, and so of every adapter.

    Args:
        sources: The energy sources. Defaults to every sensor of this machine.
        location: Zone whose mean carbon intensity of the last year counts, such as ``"DE"``, ``"US-CA"``,
            ``"gcp:europe-west1"`` or a name. Defaults to a location that is found without the network.
        carbon_intensity: Carbon intensity in gCO2e/kWh, a result of ``lookup()``, or a provider. It overrides the
            intensity of the location. Defaults to the intensity of the location.
        pue: Power usage effectiveness of the facility, 1 to 3. Defaults to the PUE of the
            cloud region, of the configuration, or of this kind of machine.
        policies: When to stop, as policies or as functions of history and plan. A budget of the configuration is added,
            unless one of them is a budget for the same project. An empty list means none at all. Defaults to the budget
            of the configuration, if there is one.
        decide_every: Interval of records and decisions inside an epoch. It is a number of steps such as 500 or
            ``"500 steps"``, or a time such as ``"10 min"``. Budgets are checked inside epochs anyway. Defaults to
            decisions at the end of epochs only.
        sinks: Where records go besides the ledger. Defaults to TensorBoard, the summary, and the
            run that is open in MLflow or W&B.
        ledger: File of the run's records, or False for none. A file that exists is the run to continue. Defaults to a
            new file in ``green-callbacks/`` of the log folder or working folder, or in the ledger folder of the
            configuration.
        plan: The plan of the run, as far as the framework does not know it. Defaults to no plan.
        samples_per_epoch: Number of training samples in an epoch. It overrides the counted number. Defaults to the
            counted number.
        tokens_per_sample: Number of tokens in a training sample, or their mean. It gives the energy of a token, and
            overrides the counted number. Defaults to the counted number.
        flops_per_sample: Floating-point operations of training on one sample, forward and backward. They give the
            emissions of an exaFLOP, and override the counted number. Defaults to the counted number.
        labels: Your labels of the run, such as ``{"team": "vision", "seed": 3}``. The ledger holds them as texts, with
            the labels of the configuration. Defaults to none.
        strict: Whether to raise failures of sensors and sinks, which are otherwise logged. Meant for tests. Defaults
            to False.
        clock: The clock. Defaults to the clock of the machine.

    >>> options: AccountantOptions = {"location": "FR", "decide_every": "10 min", "sinks": []}
    >>> sorted(options)
    ['decide_every', 'location', 'sinks']
    """

    sources: Sequence[EnergySource] | None
    location: str | None
    carbon_intensity: float | Intensity | CarbonIntensity | None
    pue: float | None
    policies: Sequence[Policy | Decision]
    decide_every: str | int | None
    sinks: Sequence[Sink] | None
    ledger: str | Path | Literal[False] | None
    plan: Plan | None
    samples_per_epoch: int | None
    tokens_per_sample: float | None
    flops_per_sample: float | None
    labels: Mapping[str, str | int] | None
    strict: bool
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options that have been checked, with their defaults."""

    sources: tuple[EnergySource, ...] | None
    intensity: CarbonIntensity | None
    pue: Pue
    policies: tuple[Policy, ...]
    decide_every: DecisionInterval | None
    sinks: tuple[Sink, ...] | None
    ledger: Path | Literal[False] | None
    plan: Plan
    samples_per_epoch: int | None
    counts_per_sample: CountsPerSample
    labels: Mapping[str, str]
    strict: bool
    clock: Clock
    configured: ConfiguredBudget | None = None
    ledger_folder: Path | None = None
    registry: str | None = field(default=None, repr=False)  # it may hold a password
    faults: tuple[str, ...] = ()
    is_off: bool = False
    working_folder: str = field(default_factory=checks.working_folder)

    def absolute_project(self, project: str) -> str:
        """Return the folder or pattern of a project from the root on, because the working folder may change.

        Args:
            project: Folder or pattern, as a budget names it.
        """
        return project if "://" in project else os.path.join(self.working_folder, project)  # noqa: PTH118  a pattern

    @classmethod
    def check(cls, options: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Self:
        """Check options as a user gave them.

        Args:
            options: The options by name.
            environ: Environment variables.

        Returns:
            The settings.

        Raises:
            ConfigurationError: An option cannot work.
            TypeError: An option does not exist.
        """
        _refuse_unknown(options)
        get = options.get
        is_disabled = is_set(DISABLE_VARIABLE, environ)
        said = Configuration() if is_disabled else read_configuration(environ)
        location = checks.one("location", str, "'DE'", get("location"))
        settings = cls(
            sources=checks.objects("sources", EnergySource, "NvmlSource()", get("sources")),  # type: ignore[type-abstract]  # to compare with
            # A guess comes with a warning, and only where the run takes place: at the start, on rank 0.
            intensity=said_intensity(location, get("carbon_intensity"), environ, configuration=said),
            pue=resolve_pue(get("pue"), location, environ, configuration=said),
            policies=_policies(get("policies")),
            decide_every=None if get("decide_every") is None else DecisionInterval.parse(options["decide_every"]),
            sinks=checks.objects("sinks", Sink, "TensorBoardSink()", get("sinks")),  # type: ignore[type-abstract]  # likewise
            ledger=checks.ledger(get("ledger")),
            plan=checks.one("plan", Plan, "Plan(epochs=100)", get("plan")) or Plan(),
            samples_per_epoch=checks.samples(get("samples_per_epoch")),
            counts_per_sample=checks.counts_per_sample(get("tokens_per_sample"), get("flops_per_sample")),
            labels=checks.labels({**said.labels, **checks.labels(get("labels"))}),
            strict=checks.flag("strict", get("strict")),
            clock=checks.clock(get("clock"), SystemClock),
            faults=tuple(unknown_variables(environ).values()),
        )
        if is_disabled:
            logger.info("%s is set, so nothing is measured, kept or stopped.", DISABLE_VARIABLE)
            world = ConstantIntensity(WORLD)  # rather than a guess, which comes with a warning
            return replace(settings, sources=(), policies=(), sinks=(), ledger=False, intensity=world, is_off=True)
        if settings.intensity is None:
            tables()  # a guess takes them; where a bundle lacks them, it is said here and not at the start
        is_without_policies = get("policies") is not None and not settings.policies
        return settings._with(said, is_without_policies=is_without_policies)

    def _with(self, said: Configuration, *, is_without_policies: bool) -> Self:
        """Return the settings with what variables and files say beside the options."""
        configured = None if is_without_policies else beside_own(configured_budget(said), self.policies)
        folder = said.first("ledger_folder")
        settings = self._with_budget(configured)
        return replace(
            settings,
            ledger_folder=Path(folder.value) if folder and folder.value else None,
            registry=_registry(said),
            faults=(*self.faults, *said.unsaid_faults()),
        )

    def _with_budget(self, configured: ConfiguredBudget | None) -> Self:
        own = self.policies if self.configured is None else self.policies[:-1]
        policies = own if configured is None else (*own, configured.policy)
        return replace(self, configured=configured, policies=policies)

    def agreed(self, ranks: Ranks) -> Self:
        """Return the settings with the configured budget and the rhythm of rank 0. Every rank calls this.

        Args:
            ranks: The processes of the run.
        """
        settings = self._with_budget(agreed(self.configured, ranks))
        policies, interval = in_rhythm(settings.policies, settings.decide_every, ranks)
        return replace(settings, policies=policies, decide_every=interval)


def _refuse_unknown(options: Mapping[str, Any]) -> None:
    known = AccountantOptions.__annotations__
    for name in options.keys() - known.keys():
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else f"; there are {', '.join(known)}."
        msg = f"There is no option {name!r}{hint}"
        raise TypeError(msg)


def _registry(said: Configuration) -> str | None:
    """Return the registry that variables and files name, or None for files in the project's folder."""
    setting = said.first("registry")
    if setting is None or not setting.value:
        return None
    try:
        return check_registry_url(setting.value)
    except ConfigurationError as fault:
        said.refuse(setting, ConfigurationError(f"{fault} The URL comes from {setting.where}."))
        return None


def _policies(policies: object) -> tuple[Policy, ...]:
    given = () if policies is None else checks.listed("policies", "CarbonBudget('500 g')", policies)
    policies = tuple(map(as_policy, given))
    for policy in policies:
        if getattr(policy, "registry", None):
            check_registry_url(policy.registry)  # type: ignore[attr-defined]  # just asked
    return policies
