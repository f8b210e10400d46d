"""The options of an accountant, written and documented once for all adapters."""

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, TypedDict, TypeVar

from green_callbacks.accountant.parts import Interval
from green_callbacks.carbon import CarbonIntensity, ConstantIntensity, Pue, lookup, resolve_intensity, resolve_pue
from green_callbacks.clock import Clock, SystemClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.policies import Decision, Policy, as_policy
from green_callbacks.records import Plan
from green_callbacks.sinks import Sink
from green_callbacks.sources import EnergySource
from green_callbacks.text.log import get_logger

DISABLE_VARIABLE = "GREEN_CALLBACKS_DISABLE"
_NO = frozenset({"", "0", "false", "no", "off"})

_MOST_LABELS, _LONGEST_LABEL = 50, 200
"""What a head of a ledger holds without growing long: a number, and characters."""

logger = get_logger(__name__)

T = TypeVar("T")


class AccountantOptions(TypedDict, total=False):
    """What an accountant, and so every adapter, can be told.

    Args:
        sources: Where joules come from; what this machine can measure unless given.
        location: Zone whose yearly carbon intensity counts: ``"DE"``, ``"US-CA"``, ``"gcp:europe-west1"``, a name.
            Found without the network unless given.
        carbon_intensity: Carbon intensity in gCO2e/kWh, or a provider of it; goes before the location's.
        pue: Power usage effectiveness of the facility, 1 to 3.
        policies: When to stop: policies, or functions of history and plan.
        decide_every: How often to record and decide inside an epoch, after a number of optimiser steps such as 500 or
            ``"500 steps"``, or a time such as ``"10 min"``; at the end of epochs only unless given.
        sinks: Where records go besides the ledger; TensorBoard, if it is installed, unless given.
        ledger: File of the run's records; one in ``green_callbacks/`` of the log or working folder unless given.
            A file that exists is the run to go on with. False for none.
        plan: What is known ahead and the framework does not say.
        labels: What you say of the run, such as ``{"team": "vision"}``; stands in the ledger's head. None unless
            given.
        strict: Raise what is otherwise logged: sensors that fail, sinks that cannot write. For tests.
        clock: The time; the machine's unless given.
    """

    sources: Sequence[EnergySource] | None
    location: str | None
    carbon_intensity: float | CarbonIntensity | None
    pue: float | None
    policies: Sequence[Policy | Decision]
    decide_every: str | int | None
    sinks: Sequence[Sink] | None
    ledger: str | Path | Literal[False] | None
    plan: Plan | None
    labels: Mapping[str, str] | None
    strict: bool
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Options that have been checked, with their defaults."""

    sources: tuple[EnergySource, ...] | None
    location: str | None
    carbon_intensity: float | CarbonIntensity | None
    intensity: CarbonIntensity | None
    pue: Pue
    policies: tuple[Policy, ...]
    decide_every: Interval | None
    sinks: tuple[Sink, ...] | None
    ledger: Path | Literal[False] | None
    plan: Plan
    labels: Mapping[str, str]
    strict: bool
    clock: Clock

    @classmethod
    def check(cls, options: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Self:
        """Check options as a user gave them.

        Args:
            options: The options by name.
            environ: Environment variables.

        Returns:
            The settings.

        Raises:
            ConfigurationError: An option that cannot work.
            TypeError: An option that there is not.
        """
        _refuse_unknown(options)
        location, carbon_intensity = _one("location", str, options), options.get("carbon_intensity")
        is_placed = location is not None or carbon_intensity is not None
        settings = cls(
            sources=_objects("sources", EnergySource, options),  # type: ignore[type-abstract]  # to compare with
            location=location,
            carbon_intensity=carbon_intensity,
            # A guess comes with a warning, and only where the run takes place: at the start, on rank 0.
            intensity=resolve_intensity(location, carbon_intensity) if is_placed else None,
            pue=resolve_pue(options.get("pue"), location=location),
            policies=_policies(options.get("policies", ())),
            decide_every=None if options.get("decide_every") is None else Interval.parse(options["decide_every"]),
            sinks=_objects("sinks", Sink, options),  # type: ignore[type-abstract]  # likewise
            ledger=_ledger(options.get("ledger")),
            plan=_one("plan", Plan, options) or Plan(),
            labels=_labels(options.get("labels")),
            strict=options.get("strict", False),
            clock=options.get("clock") or SystemClock(),
        )
        if environ.get(DISABLE_VARIABLE, "").lower() not in _NO:
            logger.info("%s is set: nothing is measured, kept or stopped.", DISABLE_VARIABLE)
            world = ConstantIntensity(lookup("World"))  # rather than a guess, which comes with a warning
            return replace(settings, sources=(), policies=(), sinks=(), ledger=False, intensity=world)
        return settings


def _refuse_unknown(options: Mapping[str, Any]) -> None:
    known = AccountantOptions.__annotations__
    for name in options.keys() - known.keys():
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else f"; there are {', '.join(known)}."
        msg = f"There is no option {name!r}{hint}"
        raise TypeError(msg)


def _policies(policies: Sequence[Policy | Decision]) -> tuple[Policy, ...]:
    if isinstance(policies, str) or not isinstance(policies, Sequence):
        msg = f"policies= takes a list, not {policies!r}; write policies=[CarbonBudget('500 g')]."
        raise ConfigurationError(msg)
    return tuple(as_policy(policy) for policy in policies)


def _objects(name: str, kind: type[T], options: Mapping[str, Any]) -> tuple[T, ...] | None:
    objects = options.get(name)
    if objects is None:
        return None
    if not isinstance(objects, Sequence) or not all(isinstance(each, kind) for each in objects):
        msg = f"{name}= takes a list of {kind.__name__} objects, not {objects!r}."
        raise ConfigurationError(msg)
    return tuple(objects)


def _one(name: str, kind: type[T], options: Mapping[str, Any]) -> T | None:
    value = options.get(name)
    if value is not None and not isinstance(value, kind):
        msg = f"{name}= takes a {kind.__name__}, not {value!r}."
        raise ConfigurationError(msg)
    return value


def _labels(labels: object) -> dict[str, str]:
    if labels is None:
        return {}
    if not isinstance(labels, Mapping) or not all(isinstance(each, str) for pair in labels.items() for each in pair):
        msg = f"labels= takes texts by name such as {{'team': 'vision'}}, not {labels!r}."
        raise ConfigurationError(msg)
    if any(len(each) > _LONGEST_LABEL for pair in labels.items() for each in pair) or len(labels) > _MOST_LABELS:
        msg = f"labels= takes at most {_MOST_LABELS} texts of at most {_LONGEST_LABEL} characters each."
        raise ConfigurationError(msg)
    return dict(labels)


def _ledger(ledger: object) -> Path | Literal[False] | None:
    if ledger is None or ledger is False:
        return ledger
    if not isinstance(ledger, str | Path):
        msg = f"ledger= takes the path of a file, or False for none, not {ledger!r}."
        raise ConfigurationError(msg)
    return Path(ledger)
