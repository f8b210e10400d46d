"""The facts about a run that decide whether it can be compared with another run."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from green_callbacks.ledger import LedgerContents
from green_callbacks.records import History
from green_callbacks.records.activity import DeviceActivity
from green_callbacks.records.coverage import SHARED, missing
from green_callbacks.records.means import effective_intensity


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConditions:
    """The facts about a run that decide whether it can be compared with another run.

    Attributes:
        gpus: Product names of the GPUs, with the number of each. Defaults to none.
        components: Components whose energy was measured or modelled, such as ``gpu``. Defaults to none.
        unmeasured: Components of accelerators that the run used and nobody measured. Defaults to none.
        shared: Components of the devices that other processes used at the same time. Defaults to none.
        modelled_share: Share of the energy that comes from a model, 0 to 1. Defaults to None, if nothing is known.
        throttled_share: Share of the observed time in which a GPU was throttled, 0 to 1. Defaults to None, if no GPU
            was observed.
        limit_watts: Mean power limit of the GPUs at the end, in W. Defaults to None, if unknown.
        pue: Mean PUE. Defaults to None, if unknown.
        zone: Place of the carbon intensity. Defaults to None, if unknown.
        g_per_kwh: Mean carbon intensity, in gCO2e/kWh. Defaults to None, if unknown.
        hosts: Names of the machines. Defaults to none.
        versions: Versions of Python, of the frameworks and of this package, by name. Defaults to none.
        planned_epochs: Number of planned epochs. Defaults to None, if unknown.
        anneals: Whether the plan lets the learning rate fall. Defaults to False.
        epoch_samples: Training samples of the first whole epoch. Defaults to None, if unknown.
        repeated_kwh_share: Share of the energy that went to epochs which were repeated, 0 to 1. Defaults to 0.
        first_epoch: Index of the first recorded epoch. Defaults to None, if none began.
        fits: Whether the run trained several models, one after the other. Defaults to False.

    Example:
        >>> RunConditions(gpus={"NVIDIA A100": 2}).gpus
        {'NVIDIA A100': 2}
    """

    gpus: Mapping[str, int] = field(default_factory=dict)
    components: frozenset[str] = frozenset()
    unmeasured: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    modelled_share: float | None = None
    throttled_share: float | None = None
    limit_watts: float | None = None
    pue: float | None = None
    zone: str | None = None
    g_per_kwh: float | None = None
    hosts: frozenset[str] = frozenset()
    versions: Mapping[str, str] = field(default_factory=dict)
    planned_epochs: int | None = None
    anneals: bool = False
    epoch_samples: int | None = None
    repeated_kwh_share: float = 0.0
    first_epoch: int | None = None
    fits: bool = False

    @classmethod
    def of(cls, contents: LedgerContents) -> Self:
        """Read the facts from a ledger.

        Args:
            contents: Contents of the ledger.
        """
        history, head, devices = contents.history, contents.head, contents.history.device_totals()
        intensity, share, activity = effective_intensity(history), history.measured_share, history.activity()
        lost = set(missing(devices))
        gpus = [name for name, each in devices.items() if each.component == "gpu"]
        products = Counter(_product(contents, name) for name in gpus)
        versions = {**contents.versions, "green-callbacks": contents.version}
        return cls(
            gpus=dict(sorted(products.items())),
            components=frozenset(each.component for each in devices.values() if each.joules is not None),
            unmeasured=frozenset(each.component for name, each in devices.items() if name in lost),
            shared=frozenset(each.component for each in devices.values() if SHARED in each.flags),
            modelled_share=None if share is None else 1 - share,
            throttled_share=_throttled_share(activity),
            limit_watts=_limit_watts(activity),
            pue=history.mean_pue,
            zone=None if intensity is None else intensity.zone,
            g_per_kwh=None if intensity is None else intensity.g_per_kwh,
            hosts=frozenset(head.all_hosts),
            versions={name: version for name, version in versions.items() if version},
            planned_epochs=contents.plan.epochs,
            anneals=contents.plan.anneals or bool(contents.plan.learning_rate_drops),
            epoch_samples=_epoch_samples(history),
            repeated_kwh_share=_repeated_share(history),
            first_epoch=next(filter(lambda epoch: epoch is not None, map(history.epoch_at, range(len(history)))), None),
            fits=history.fit_row > 0,
        )


def _product(contents: LedgerContents, device: str) -> str:
    known = contents.devices.get(device)
    return (known and known.product) or "a GPU of unknown product"


def _throttled_share(activity: Mapping[str, DeviceActivity]) -> float | None:
    """Return the share of the observed time in which a GPU was throttled."""
    known = [(each.observed_seconds, each.throttled_share) for each in activity.values()]
    throttled = [(seconds, share) for seconds, share in known if share is not None]
    observed = sum(seconds for seconds, _ in throttled)
    return sum(seconds * share for seconds, share in throttled) / observed if observed > 0 else None


def _limit_watts(activity: Mapping[str, DeviceActivity]) -> float | None:
    limits = [each.limit_watts for each in activity.values() if each.limit_watts is not None]
    return sum(limits) / len(limits) if limits else None


def _epoch_samples(history: History) -> int | None:
    """Return the samples of the first whole epoch, which may be in several records."""
    closed = history.epoch_rows
    if not closed:
        return None
    epoch, samples = history.epoch_at(closed[0]), 0
    for row in range(closed[0] + 1):
        record = history[row]
        if record.epoch == epoch:
            if record.samples is None:
                return None
            samples += record.samples
    return samples


def _repeated_share(history: History) -> float:
    """Return the share of the energy of epochs that were repeated, or were cut short outside epochs."""
    whole = history.energy_joules
    lost = [history.energy_joules_at(row) or 0.0 for row in range(len(history)) if history.was_lost(row)]
    return sum(lost) / whole if whole else 0.0
