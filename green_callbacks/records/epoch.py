"""One record of the account, which is an epoch, a part of an epoch, or a time outside epochs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import fsum
from typing import Final, NamedTuple, Self

from green_callbacks.records.activity import DeviceActivity
from green_callbacks.records.coverage import is_whole
from green_callbacks.records.device import DeviceEnergy, PhaseEnergy
from green_callbacks.records.effort import Effort, EffortSum, TrainingUse, phase_of_training, training_use
from green_callbacks.records.intensity import Intensity
from green_callbacks.records.measurement_methods import Method
from green_callbacks.records.reference import WORLD
from green_callbacks.records.verdict import Verdict
from green_callbacks.units import GRAMS_PER_KG, JOULES_PER_KWH, joules_to_kwh, kwh_to_joules

_NO_PHASES: Final[Mapping[str, PhaseEnergy]] = {}
_NO_METRICS: Final[Mapping[str, float]] = {}
_NO_ACTIVITY: Final[Mapping[str, DeviceActivity]] = {}
_SCRIPTED_INTENSITY = Intensity(g_per_kwh=1000.0, source="scripted", found_by="scripted")


class EpochRecord(NamedTuple):
    """The measured, looked up and declared facts of one interval. Everything else is derived from them.

    A named tuple. Name the fields when you make one, and use ``_replace()`` to change a copy.

    Attributes:
        epoch: Index of the epoch, from 0. None outside epochs.
        started_at: Beginning of the interval, aware, in UTC.
        duration_seconds: Length, in s.
        devices: Energy by device.
        intensity: Carbon intensity, with its provenance.
        pue: Power usage effectiveness of the facility, at least 1. Defaults to 1.
        step: Optimizer steps so far, at the end of the interval. Defaults to None, if unknown.
        closes_epoch: False for a part of an epoch that is not its last part. Defaults to True.
        complete: False for an interval that was cut short by a stop, an exception or a kill. Defaults to True.
        phases: Energy and time by phase. They add up to the energy and time of the record. Defaults to none.
        metrics: Metrics that were fresh in this interval. Defaults to none.
        learning_rate: Learning rate at the end. Defaults to None, if unknown.
        samples: Training samples. Defaults to None, if unknown.
        tokens: Training tokens. Defaults to None, if unknown.
        flops: Floating-point operations of the training. Defaults to None, if unknown.
        verdicts: Verdict of each policy after this record, in the order of the policies. Defaults to none.
        data_wait_seconds: Time that training waited for its next batch, in s, estimated from the first 50 steps of a
            pass over the data and every 47th later step. It is that of the first process. Defaults to None, if the loop
            did not see it.
        activity: What devices did besides using energy, by device. Defaults to none, if no device was observed.
        steps: Optimizer steps done in this interval. Defaults to None, if unknown.

    Example:
        >>> record = EpochRecord.scripted(epoch=3, emissions_kg=0.2, metrics={"val_acc": 0.9})
        >>> record.epoch, record.facility_kwh, record.metrics["val_acc"]
        (3, 0.2, 0.9)
    """

    epoch: int | None
    started_at: datetime
    duration_seconds: float
    devices: Mapping[str, DeviceEnergy]
    intensity: Intensity
    pue: float = 1.0
    step: int | None = None
    closes_epoch: bool = True
    complete: bool = True
    phases: Mapping[str, PhaseEnergy] = _NO_PHASES
    metrics: Mapping[str, float] = _NO_METRICS
    learning_rate: float | None = None
    samples: int | None = None
    tokens: int | None = None
    flops: float | None = None
    verdicts: tuple[Verdict, ...] = ()
    data_wait_seconds: float | None = None
    activity: Mapping[str, DeviceActivity] = _NO_ACTIVITY
    steps: int | None = None

    @classmethod
    def scripted(
        cls,
        *,
        epoch: int | None = None,
        emissions_kg: float = 0.0,
        metrics: Mapping[str, float] | None = None,
        learning_rate: float | None = None,
        duration_seconds: float = 1.0,
        started_at: datetime = datetime(2025, 1, 1, tzinfo=UTC),
        step: int | None = None,
    ) -> Self:
        """Make a record by hand, for tests, simulations and replays.

        Args:
            epoch: Index of the epoch. Defaults to None, a record outside epochs.
            emissions_kg: Emissions in kgCO2e, at 1000 gCO2e/kWh and a PUE of 1. The energy is the same number of kWh.
                Defaults to 0.
            metrics: Fresh metrics. Defaults to none.
            learning_rate: Learning rate. Defaults to None.
            duration_seconds: Length, in s. Defaults to 1.
            started_at: Beginning, aware. Defaults to the beginning of 2025.
            step: Optimizer steps so far. Defaults to None.

        Returns:
            A record with one device named ``scripted``.
        """
        joules = kwh_to_joules(emissions_kg)
        device = DeviceEnergy(
            joules=joules,
            low_joules=joules,
            high_joules=joules,
            component="scripted",
            method="counter",
            duration_seconds=duration_seconds,
        )
        return cls(
            epoch=epoch,
            step=step,
            started_at=started_at,
            duration_seconds=duration_seconds,
            devices={"scripted": device},
            intensity=_SCRIPTED_INTENSITY,
            metrics=dict(metrics or {}),
            learning_rate=learning_rate,
        )

    @property
    def energy_joules(self) -> float | None:
        """Energy of all devices at the IT equipment, in J. None if no device was measured."""
        energy = total_energy(self.devices)
        return energy and energy[0]

    @property
    def energy_low_joules(self) -> float | None:
        """Lower bound of the energy, in J, with the tolerance of every sensor and model."""
        energy = total_energy(self.devices)
        return energy and energy[1]

    @property
    def energy_high_joules(self) -> float | None:
        """Upper bound of the energy, in J, with the tolerance of every sensor and model."""
        energy = total_energy(self.devices)
        return energy and energy[2]

    @property
    def energy_kwh(self) -> float | None:
        """Energy at the IT equipment, in kWh. None if no device was measured."""
        joules = self.energy_joules
        return None if joules is None else joules_to_kwh(joules)

    @property
    def facility_kwh(self) -> float | None:
        """Energy of the facility, in kWh, which is the energy times the PUE. None if no device was measured."""
        joules = self.energy_joules
        return None if joules is None else facility_kwh(joules, self.pue)

    @property
    def emissions_kg(self) -> float | None:
        """Emissions, in kgCO2e, by the facility energy and the carbon intensity. None if no device was measured."""
        return self._emissions_kg(self.energy_joules, self.intensity.g_per_kwh)

    @property
    def emissions_low_kg(self) -> float | None:
        """Lower bound of the emissions, in kgCO2e, by the lower bounds of energy and intensity."""
        return self._emissions_kg(self.energy_low_joules, self.intensity.lowest_g_per_kwh)

    @property
    def emissions_high_kg(self) -> float | None:
        """Upper bound of the emissions, in kgCO2e, by the upper bounds of energy and intensity."""
        return self._emissions_kg(self.energy_high_joules, self.intensity.highest_g_per_kwh)

    @property
    def reference_kg(self) -> float | None:
        """Emissions of the same facility energy at the world average of 2025 (458.3 g/kWh), in kgCO2e."""
        return self._emissions_kg(self.energy_joules, WORLD.g_per_kwh)

    @property
    def mean_watts(self) -> float | None:
        """Mean power of all devices over the record, in W."""
        joules = self.energy_joules
        return None if joules is None or self.duration_seconds <= 0 else joules / self.duration_seconds

    @property
    def training(self) -> TrainingUse | None:
        """Energy and emissions of the training in this record, without validation. None if unknown.

        The energy is that of the phase ``train``. A record inside an epoch that has no phases counts whole.
        """
        energy = total_energy(self.devices)
        is_training = self.epoch is not None or not self.complete  # or it was training that was repeated
        train = phase_of_training(self.phases, energy and energy[0], is_training=is_training)
        return training_use(energy, train, self.pue, self.intensity)

    @property
    def effort(self) -> Effort:
        """What the training in this record took per step, sample, token and operation, by its counts.

        A count of a whole epoch stands on its last part. :meth:`History.effort_at` adds the energy of the other parts.
        """
        sums = EffortSum()
        sums.add(self)
        return sums.effort

    @property
    def measured_share(self) -> float | None:
        """Share of the energy that comes from a counter or from sampled power, 0 to 1. The rest is modelled.

        None if there is no energy, or if a GPU was used and not measured, because nothing is known of its energy.
        """
        joules = self.energy_joules
        if not joules or not is_whole(self.devices):
            return None
        measured = sum(d.joules for d in self.devices.values() if d.joules is not None and d.method != "modelled")
        return measured / joules

    def component_joules(self) -> dict[str, float]:
        """Return the energy by component, in J, for the components that were measured."""
        totals: dict[str, float] = {}
        for device in self.devices.values():
            if device.joules is not None:
                totals[device.component] = totals.get(device.component, 0.0) + device.joules
        return totals

    def _emissions_kg(self, joules: float | None, g_per_kwh: float) -> float | None:
        return None if joules is None else energy_to_kg(joules, self.pue, g_per_kwh)


def facility_kwh(joules: float, pue: float) -> float:
    """Return the energy that a facility draws for energy at the IT equipment, in kWh.

    Args:
        joules: Energy at the IT equipment, in J.
        pue: Power usage effectiveness of the facility.
    """
    return joules / JOULES_PER_KWH * pue


def energy_to_kg(joules: float, pue: float, g_per_kwh: float) -> float:
    """Return the emissions of energy at the IT equipment, in kgCO2e.

    Args:
        joules: Energy at the IT equipment, in J.
        pue: Power usage effectiveness of the facility.
        g_per_kwh: Carbon intensity, in gCO2e/kWh.
    """
    return joules / JOULES_PER_KWH * pue * g_per_kwh / GRAMS_PER_KG


def total_energy(devices: Mapping[str, DeviceEnergy]) -> tuple[float, float, float] | None:
    """Return the energy of all devices, and its bounds with the tolerance of every sensor and model.

    Args:
        devices: Energy by device.

    Returns:
        Energy, lower bound and upper bound, in J. None if no device was measured.
    """
    all_joules, lows, highs = [], [], []
    for device in devices.values():
        joules, low, high = device.joules, device.low_joules, device.high_joules
        if joules is not None:
            gain = 0.0 if device.method == "modelled" else device.tolerance  # like sensor_gains()
            all_joules.append(joules)
            lows.append((joules if low is None else low) * (1 - gain))
            highs.append((joules if high is None else high) * (1 + gain))
    if not all_joules:
        return None
    # An exact sum does not depend on the order, and a file may change the order of devices.
    return fsum(all_joules), fsum(lows), fsum(highs)


def sensor_gains(methods: Sequence[Method], tolerances: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the factors by which the true energy of devices may be lower and higher than their sensors read.

    The bounds of a device do not contain the tolerance of its sensor. The bounds of a modelled device contain its
    tolerance.

    Args:
        methods: Method of each device.
        tolerances: Systematic relative error of each device.

    Returns:
        Lower factor and upper factor of each device, 1 for modelled devices.
    """
    gains = [0.0 if method == "modelled" else gain for method, gain in zip(methods, tolerances, strict=True)]
    return tuple(1 - gain for gain in gains), tuple(1 + gain for gain in gains)
