"""What the records of a history add up to."""

from collections.abc import Sequence
from itertools import accumulate
from math import isnan

from green_callbacks.records.activity import DeviceActivity
from green_callbacks.records.coverage import is_missing, is_whole
from green_callbacks.records.device import DeviceEnergy
from green_callbacks.records.history.columns import known, total
from green_callbacks.records.history.devices.activity_columns import activity_where
from green_callbacks.records.history.devices.device_totals import device_methods, device_totals, measured_joules
from green_callbacks.records.history.row_reading import devices_of, joules_where
from green_callbacks.records.history.rows import Rows
from green_callbacks.records.intensity import Intensity
from green_callbacks.records.measurement_methods import Method
from green_callbacks.records.reference import reference_kg
from green_callbacks.units import JOULES_PER_KWH


class Cumulative:
    """Sums over all records of a history. Amounts that were not measured are not in them."""

    def __init__(self) -> None:
        self._rows = Rows()

    @property
    def emissions_kg(self) -> float:
        """Emissions of all records, in kgCO2e."""
        return self._last(self.cumulative_kg)

    @property
    def facility_kwh(self) -> float:
        """Facility energy of all records, in kWh."""
        return self._last(self.cumulative_kwh)

    @property
    def reference_kg(self) -> float:
        """Emissions of that energy at the world average of 2025 (458.3 g/kWh), in kgCO2e."""
        return reference_kg(self.facility_kwh)

    @property
    def duration_seconds(self) -> float:
        """Accounted time of all records, in s."""
        return self._last(self.cumulative_seconds)

    @property
    def cumulative_kg(self) -> Sequence[float]:
        """Emissions up to and including each record, in kgCO2e. Must not be changed."""
        kg: Sequence[float] = self._rows.dense("kg")
        return kg

    @property
    def cumulative_kwh(self) -> Sequence[float]:
        """Facility energy up to and including each record, in kWh. Must not be changed."""
        kwh: Sequence[float] = self._rows.dense("kwh")
        return kwh

    @property
    def cumulative_seconds(self) -> Sequence[float]:
        """Accounted time up to and including each record, in s. Must not be changed."""
        seconds: Sequence[float] = self._rows.dense("seconds")
        return seconds

    @property
    def energy_joules(self) -> float | None:
        """Energy of all records, in J. None if nothing was measured."""
        return total(self._rows.dense("joules"))

    @property
    def epochs_joules(self) -> float | None:
        """Energy of the records inside epochs, in J. None if nothing was measured."""
        return joules_where(self._rows, outside=False)

    @property
    def outside_joules(self) -> float | None:
        """Energy of the records outside epochs, in J. None if nothing was measured."""
        return joules_where(self._rows, outside=True)

    @property
    def emissions_low_kg(self) -> float | None:
        """Sum of the lower bounds of all emissions, in kgCO2e. None if nothing was measured."""
        return self._last(self._rows.dense("low_kg")) if self._has_energy else None

    @property
    def emissions_high_kg(self) -> float | None:
        """Sum of the upper bounds of all emissions, in kgCO2e. None if nothing was measured."""
        return self._last(self._rows.dense("high_kg")) if self._has_energy else None

    @property
    def cumulative_low_kg(self) -> Sequence[float]:
        """Lower bounds of the emissions up to and including each record, in kgCO2e. Must not be changed."""
        low_kg: Sequence[float] = self._rows.dense("low_kg")
        return low_kg

    @property
    def cumulative_high_kg(self) -> Sequence[float]:
        """Upper bounds of the emissions up to and including each record, in kgCO2e. Must not be changed."""
        high_kg: Sequence[float] = self._rows.dense("high_kg")
        return high_kg

    @property
    def _has_energy(self) -> bool:
        return any(not isnan(joules) for joules in self._rows.dense("joules"))

    @property
    def is_uniform(self) -> bool:
        """Whether all records have the same devices, the same carbon intensity and the same PUE."""
        rows = self._rows
        return len(rows.devices.used(rows.length)) <= 1 and self.has_one_intensity and self._has_one_pue

    @property
    def is_steady(self) -> bool:
        """Whether carbon intensity, its bounds and PUE are the same numbers in all records.

        Emissions are then proportional to energy.
        """
        used = self._rows.intensity.used(self._rows.length)
        bounds = {(each.g_per_kwh, each.lowest_g_per_kwh, each.highest_g_per_kwh) for each in used}
        return len(bounds) <= 1 and self._has_one_pue

    @property
    def has_one_intensity(self) -> bool:
        """Whether all records have the same carbon intensity, with the same source and flags."""
        return len(self._rows.intensity.used(self._rows.length)) <= 1

    @property
    def _has_one_pue(self) -> bool:
        pues = self._rows.dense("pue")
        return not pues or min(pues) == max(pues)

    @property
    def mean_pue(self) -> float | None:
        """Mean PUE, weighted by energy. None without a record. Without energy, the PUE of the last record."""
        pues, joules = self._rows.dense("pue"), self.energy_joules
        if not pues:
            return None
        return float(pues[-1]) if self._has_one_pue or not joules else self.facility_kwh / (joules / JOULES_PER_KWH)

    @property
    def cumulative_joules(self) -> Sequence[float]:
        """Energy at the IT equipment up to and including each record, in J. A new list each time."""
        return list(accumulate(0.0 if isnan(joules) else joules for joules in self._rows.dense("joules")))

    def facility_kwh_by_intensity(self) -> dict[Intensity, float]:
        """Return the facility energy in kWh by carbon intensity, in the order of first use."""
        rows, before_kwh = self._rows, 0.0
        distinct = rows.intensity.used(rows.length)
        energies = [0.0] * len(distinct)
        for index, kwh in zip(rows.intensity.index, rows.dense("kwh"), strict=False):
            energies[index] += kwh - before_kwh
            before_kwh = kwh
        return dict(zip(distinct, energies, strict=True))

    def device_totals(self) -> dict[str, DeviceEnergy]:
        """Return the energy of every device over the whole run, labeled with its least direct method."""
        return device_totals(self._rows, self.duration_seconds)

    def device_methods(self) -> dict[str, tuple[str, Method]]:
        """Return the component and the least direct method of every device. Faster than :meth:`device_totals`."""
        return device_methods(self._rows)

    @property
    def measured_share(self) -> float | None:
        """Share of the energy that comes from a counter or from sampled power, 0 to 1.

        None if there is no energy, or if a GPU was used and not measured, because nothing is known of its energy.
        """
        joules = self.energy_joules
        return measured_joules(self._rows) / joules if joules and is_whole(self.device_totals()) else None

    def measured_joules_at(self, row: int) -> float | None:
        """Return the energy of a record that is not modelled, in J.

        None if nothing was measured, or if a GPU was not measured, because nothing is known of its energy.

        Args:
            row: Position of the record.
        """
        rows = self._rows
        if isnan(rows.joules[row]):
            return None
        _, components, methods, _, flags = rows.devices.get(row)
        begin = rows.device_begins[row]
        joules = [known(each) for each in rows.device_numbers[begin : begin + len(components)]]
        if any(map(is_missing, joules, components, flags)):
            return None
        if rows.gaps and not is_whole(devices_of(rows, row, rows.duration[row])):  # slow, and most runs have no gap
            return None
        return sum(each or 0.0 for each, method in zip(joules, methods, strict=True) if method != "modelled")

    @property
    def misses_gpu(self) -> bool:
        """Whether an accelerator of the last record was not measured. Takes about 1 µs."""
        rows = self._rows
        last = rows.length - 1
        if last < 0:
            return False
        _, components, _, _, flags = rows.devices.get(last)
        begin = rows.device_begins[last]
        joules = map(known, rows.device_numbers[begin : begin + len(components)])
        return any(map(is_missing, joules, components, flags))

    @property
    def samples(self) -> int | None:
        """Training samples of all records. None if unknown."""
        rows = self._rows
        return _whole_sum(rows.samples.until(rows.length).values)

    @property
    def tokens(self) -> int | None:
        """Training tokens of all records. None if unknown."""
        rows = self._rows
        return _whole_sum(rows.tokens.until(rows.length).values)

    @property
    def flops(self) -> float | None:
        """Floating-point operations of all records. None if unknown."""
        rows = self._rows
        values = rows.flops.until(rows.length).values
        return sum(values) if values else None

    @property
    def data_wait_seconds(self) -> float | None:
        """Time that training waited for data, in s, in the records that know it. None if no record knows it."""
        rows = self._rows
        values = rows.waits.until(rows.length).values
        return sum(values) if values else None

    @property
    def has_activity(self) -> bool:
        """Whether any record may tell what devices did. Takes less than 1 µs."""
        return bool(self._rows.activity)

    def activity(self, *, outside: bool = False) -> dict[str, DeviceActivity]:
        """Return what devices did in all epochs, besides using energy. Means are weighted by the observed time.

        Args:
            outside: Whether to return what they did outside epochs instead. Epochs that were repeated lie outside.
                Defaults to False.

        Returns:
            The activity by device. A device that was not observed is absent.
        """
        rows = self._rows
        return activity_where(rows.activity, rows.epoch, rows.length, outside=outside)

    def _last(self, sums: Sequence[float]) -> float:
        return sums[-1] if sums else 0.0


def _whole_sum(values: Sequence[float]) -> int | None:
    return int(sum(values)) if values else None
