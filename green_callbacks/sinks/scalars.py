"""The numbers of a record under the metric keys of the package, the same in every framework and sink.

Masses are masses of CO2e. A number that was not measured has no key. Policies of your own may add keys.

| key                                      | unit   | meaning                                                          |
|------------------------------------------|--------|------------------------------------------------------------------|
| ``green/emissions_total_g``              | g      | emissions of the run so far, records outside epochs included     |
| ``green/emissions_g``                    | g      | emissions of the record, which is an epoch or a part of an epoch |
| ``green/energy_wh``                      | Wh     | energy of the record at the computers, without the PUE           |
| ``green/watts``                          | W      | mean power of the record, all devices together                   |
| ``green/gpu_watts``                      | W      | mean power of the record, all GPUs together                      |
| ``green/measured_percent``               | %      | share of the energy that was measured, not modelled              |
| ``green/budget_left_g``                  | g      | rest of a budget in units of mass                                |
| ``green/budget_left_wh``                 | Wh     | rest of a budget in units of energy, with the PUE                |
| ``green/joules_per_sample``              | J      | energy of training per sample, without validation                |
| ``green/gain_per_kg``                    | 1/kg   | gain of the watched metric per kgCO2e                            |
| ``green/1_quality_by_mg_co2e``           | metric | watched metric, higher is better, over the emissions in mg       |
| ``green/1_loss_by_mg_co2e``              | metric | watched metric, lower is better, over the emissions in mg        |
| ``green/landing``                        | ratio  | factor of the learning rate in a landing, from 1 to 0            |
| ``green/provenance``                     | text   | page on the origin of all numbers                                |
| ``green_detail/<component>_watts``       | W      | mean power of a component, such as ``cpu``                       |
| ``green_detail/<component>_energy_wh``   | Wh     | energy of a component, without the PUE                           |
| ``green_detail/intensity_g_per_kwh``     | g/kWh  | carbon intensity of the electricity                              |
| ``green_detail/emissions_total_low_g``   | g      | lower bound of the emissions so far                              |
| ``green_detail/emissions_total_high_g``  | g      | upper bound of the emissions so far                              |
| ``green_detail/gpu_utilization_percent`` | %      | share of the time in which a kernel ran, mean of all GPUs        |
| ``green_detail/gpu_throttled_percent``   | %      | share of the time with lowered clocks, mean of all GPUs          |
| ``green_detail/gpu_sm_mhz``              | MHz    | clock of the multiprocessors, mean of all GPUs                   |
| ``green_detail/gpu_celsius``             | °C     | temperature of the chips, mean of all GPUs                       |
| ``green_detail/budget_share``            | ratio  | spent share of a budget, where 1 is all of it                    |
| ``green_detail/forecast_g``              | g      | predicted emissions of the whole run                             |
| ``green_detail/forecast_low_g``          | g      | lower bound of the prediction                                    |
| ``green_detail/forecast_high_g``         | g      | upper bound of the prediction                                    |
| ``green_detail/gain_per_kwh``            | 1/kWh  | gain of the watched metric per kWh, with the PUE                 |
| ``green_detail/gain_on_doubling``        | ratio  | gain by the last doubling of energy, of the whole gain so far    |
| ``green_detail/quality_by_ug_co2e``      | metric | as ``green/1_quality_by_mg_co2e``, over µg, up to 100 mg         |
| ``green_detail/loss_by_ug_co2e``         | metric | as ``green/1_loss_by_mg_co2e``, over µg, up to 100 mg            |
| ``green_detail/joules_per_step``         | J      | the same per optimizer step                                      |
| ``green_detail/joules_per_token``        | J      | the same per token                                               |
| ``green_detail/grams_per_exaflop``       | g      | emissions of training per 10^18 floating-point operations        |
| ``green_detail/<these four>_low``        |        | lower bound, such as ``green_detail/joules_per_step_low``        |
| ``green_detail/<these four>_high``       |        | upper bound of each                                              |

A landing has a key only once it has begun. Energy per sample, step or token has a key only where these were counted.
Gains come from ``MarginalGain``, and everything about a budget or a prediction comes from ``CarbonBudget``. Components
have keys of their own only if a record has several. What GPUs do has keys only where their driver told it, and clocks
are often lowered by a full load at the default power limit. The curves over the emissions and the page appear only in
TensorBoard.

A run of MLflow or W&B also gets facts and totals of the run, as tags or as its summary.

| key                                | unit  | meaning                                             |
|------------------------------------|-------|-----------------------------------------------------|
| ``green/run_id``                   |       | name of the run, which its ledger has, too          |
| ``green/ledger``                   |       | path of the ledger                                  |
| ``green/version``                  |       | version of this package                             |
| ``green/place``                    |       | place of the computers, in words                    |
| ``green/zone``                     |       | its code                                            |
| ``green/place_found_by``           |       | how the place was found                             |
| ``green/intensity_source``         |       | origin of the carbon intensity                      |
| ``green/pue``                      | ratio | power usage effectiveness                           |
| ``green/pue_source``               |       | its origin                                          |
| ``green/energy_total_wh``          | Wh    | energy of the run at the computers, without the PUE |
| ``green/facility_energy_total_wh`` | Wh    | the same with the PUE                               |
| ``green/measured_total_percent``   | %     | share of the energy that was measured, not modelled |
| ``green/duration_total_s``         | s     | duration of the run                                 |
| ``green/epochs_total``             |       | number of epochs                                    |
| ``green/stop_reason``              |       | why a policy ended the run                          |
| ``green/not_counted``              |       | what was not measured                               |
| ``green/shared_devices``           |       | who else used the devices                           |
| ``green/notices``                  |       | warnings of the run                                 |

Over the whole run, the keys of energy per sample, step and token and of emissions per exaFLOP end with ``_total``.
"""

from collections.abc import Iterable
from math import isfinite
from typing import Final

from green_callbacks.records import Effort, EpochRecord, Verdict
from green_callbacks.records.activity import mean_activity
from green_callbacks.text import for_terminal
from green_callbacks.units import joules_to_kwh

MAIN: Final = "green/"
"""Prefix of the keys that most people look for."""

DETAIL: Final = "green_detail/"
"""Prefix of all other keys, which TensorBoard shows as a group of their own."""

_SMALLER: Final = {"kg": "g", "kwh": "wh"}
"""Units of charts and bars by the unit of the ledger. Each is a thousandth."""

_DETAILS: Final = frozenset(
    MAIN + name
    for name in (
        "budget_share",
        "forecast_g",
        "forecast_low_g",
        "forecast_high_g",
        "gain_on_doubling",
        "gain_per_kwh",
    )
)
"""Values of verdicts that are shown as details."""

_MAIN_RATIO: Final = "joules_per_sample"
"""The ratio of an effort that most people look for."""

_LEFT_OUT: Final = frozenset({f"{MAIN}forecast_wh"})
"""Values of verdicts that only the ledger keeps, because they differ from another value by a constant factor."""


def is_ours(key: str) -> bool:
    """Return whether a metric key belongs to this package.

    Args:
        key: The key.

    Example:
        >>> is_ours("green/watts"), is_ours("val_acc")
        (True, False)
    """
    return key.startswith((MAIN, DETAIL))


def scalars(
    record: EpochRecord,
    emissions_total_kg: float | None,
    low_kg: float | None = None,
    high_kg: float | None = None,
    effort: Effort | None = None,
) -> dict[str, float]:
    """Return the numbers to show for a record.

    Args:
        record: The record, with its verdicts.
        emissions_total_kg: Emissions of the run up to the end of the record, in kgCO2e. None if nothing was measured.
        low_kg: Lower bound of these emissions, in kgCO2e. Defaults to None.
        high_kg: Upper bound of these emissions, in kgCO2e. Defaults to None.
        effort: What the record took per step, sample, token and operation, with the energy of earlier parts of its
            epoch. Defaults to the effort of the record alone.

    Returns:
        Finite numbers by key, in the units of the table above. The main keys come first.

    Example:
        >>> record = EpochRecord.scripted(epoch=0, emissions_kg=0.1, duration_seconds=3600.0)
        >>> shown = scalars(record, emissions_total_kg=0.3)
        >>> shown["green/emissions_total_g"], round(shown["green/watts"])
        (300.0, 100)
    """
    share = record.measured_share
    values: dict[str, float | None] = {
        "green/emissions_total_kg": emissions_total_kg,
        "green/emissions_kg": record.emissions_kg,
        "green/energy_kwh": record.energy_kwh,
        "green/watts": record.mean_watts,
        "green/measured_percent": _percent(share),
    }
    values |= _components(record) | _effort(record.effort if effort is None else effort)
    values |= {
        "green_detail/emissions_total_low_kg": low_kg,
        "green_detail/emissions_total_high_kg": high_kg,
        "green_detail/intensity_g_per_kwh": record.intensity.g_per_kwh,
        **_activity(record),
    }
    for verdict in record.verdicts:
        values |= _told(verdict)
    shown = dict(_shown(key, value) for key, value in values.items() if value is not None)
    # Frameworks print the keys, and names of components and verdicts may come from anybody.
    return {
        for_terminal(_grouped(key)): value for key, value in shown.items() if isfinite(value) and key not in _LEFT_OUT
    }


def _effort(effort: Effort) -> dict[str, float | None]:
    """Return what training took per unit of work, with its bounds."""
    values: dict[str, float | None] = {}
    for name, ratio in effort.ratios().items():
        values[(MAIN if name == _MAIN_RATIO else DETAIL) + name] = ratio.value
        values |= {f"{DETAIL}{name}_low": ratio.low, f"{DETAIL}{name}_high": ratio.high}
    return values


def _components(record: EpochRecord) -> dict[str, float | None]:
    """Return power and energy by component.

    A single component has no keys, because its values are the record's.
    """
    watts = _sums((device.component, device.mean_watts) for device in record.devices.values())
    values: dict[str, float | None] = {f"{MAIN}gpu_watts": watts.pop("gpu")} if "gpu" in watts else {}
    if len({device.component for device in record.devices.values()}) > 1:
        values |= {f"{DETAIL}{component}_watts": total for component, total in watts.items()}
        joules = record.component_joules()
        values |= {f"{DETAIL}{component}_energy_kwh": joules_to_kwh(total) for component, total in joules.items()}
    return values


def _activity(record: EpochRecord) -> dict[str, float | None]:
    """Return what the GPUs did, as means over all GPUs and their observed time."""
    whole = mean_activity(record.activity.values())
    if whole is None:
        return {}
    return {
        "green_detail/gpu_utilization_percent": _percent(whole.utilization),
        "green_detail/gpu_throttled_percent": _percent(whole.throttled_share),
        "green_detail/gpu_sm_mhz": whole.sm_mhz,
        "green_detail/gpu_celsius": whole.temperature_celsius,
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share


def _shown(key: str, value: float) -> tuple[str, float]:
    """Return an amount with the unit that people read.

    That is g for kg and Wh for kWh. Prices and rates stay as they are.
    """
    for unit, smaller in _SMALLER.items():
        if is_ours(key) and key.endswith(f"_{unit}") and not key.endswith(f"_per_{unit}"):
            return f"{key.removesuffix(unit)}{smaller}", 1000.0 * value
    return key, value


def _grouped(key: str) -> str:
    return DETAIL + key.removeprefix(MAIN) if key in _DETAILS else key


def _told(verdict: Verdict) -> dict[str, float | None]:
    """Return the numbers of a verdict. A user's policy may report anything."""
    told: dict[str, float | None] = {}
    for key, value in verdict.values.items():
        try:
            told[str(key)] = None if value is None else float(value)
        except (TypeError, ValueError, OverflowError):  # no number, so nothing to draw
            continue
    return told


def _sums(pairs: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for name, value in pairs:
        if value is not None:
            totals[name] = totals.get(name, 0.0) + value
    return totals
