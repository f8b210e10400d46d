"""Readings of a device, and its energy during one record."""

from typing import NamedTuple

from green_callbacks.records.measurement_methods import Method

__all__ = ["DeviceEnergy", "DeviceInfo", "PhaseEnergy", "Reading"]


class Reading(NamedTuple):
    """The cumulative energy of one device since an arbitrary origin, as known at this instant.

    A reading is final. Nothing is revised afterwards.

    Attributes:
        joules: Cumulative energy, in J. While the device does not answer, the last known value. None if it never
            answered.
        component: Component of the device, e.g. ``gpu``, ``cpu``, ``dram`` or ``platform``.
        method: Method by which the energy was obtained.
        below_joules: How much lower the true value of this instant may be, in J, because a counter is read late or
            early. Defaults to 0.
        above_joules: How much higher it may be, in J. Defaults to 0.
        tolerance: Systematic relative error of the device, e.g. 0.05 for ±5 %. It covers the gain of a sensor or the
            error of a model. Defaults to 0.
        gap_seconds: Time since the origin without any measurement, in s. It may fall again if a counter comes back and
            had counted meanwhile. Defaults to 0.
        flags: Short words about the device that a reader of its energy must know, e.g. ``shared``. Defaults to none.
        reason: Why the device does not answer now. Defaults to None, if it answers.
        lag_joules: Offset of the reading, in J, that changes slowly, for example by the latency of a sensor. Only its
            change between two readings is an error of their difference. Defaults to 0.
        walk_square_joules: Square of the unseen energy between samples since the origin, in J². It never falls. The
            root of its increase is an error of the energy between two readings. Defaults to 0.

    Example:
        >>> Reading(joules=3600.0, component="gpu", method="counter").joules
        3600.0
    """

    joules: float | None
    component: str
    method: Method
    below_joules: float = 0.0
    above_joules: float = 0.0
    tolerance: float = 0.0
    gap_seconds: float = 0.0
    flags: tuple[str, ...] = ()
    reason: str | None = None
    lag_joules: float = 0.0
    walk_square_joules: float = 0.0


class DeviceInfo(NamedTuple):
    """Facts about a device besides its energy.

    Attributes:
        uuid: Unique name, e.g. ``GPU-8932f937-d72c-4106-c12f-20bd9faed9f6``. Defaults to None, if unknown.
        product: Product name, e.g. ``NVIDIA A100-SXM4-40GB``. Defaults to None, if unknown.
        default_limit_watts: Power limit set by the maker, in W. Defaults to None, if unknown.

    Example:
        >>> DeviceInfo(product="NVIDIA A100-SXM4-40GB").uuid is None
        True
    """

    uuid: str | None = None
    product: str | None = None
    default_limit_watts: float | None = None


class DeviceEnergy(NamedTuple):
    """The energy of one device during one record.

    A device that other runs of the process used at the same time is flagged ``shared`` and counts as ``modelled``. Its
    energy is divided in equal parts. A part may really be all or nothing, and the bounds cover both. Energy that the
    device used for this run alone lies within both bounds.

    A device that other processes used is flagged ``shared`` too. Its energy is all that the device used, and only a sum
    over several runs divides it.

    Attributes:
        joules: Energy, in J. None if nothing was measured.
        component: Component of the device, e.g. ``gpu``, ``cpu``, ``dram`` or ``platform``.
        method: Method by which the energy was obtained.
        duration_seconds: Length of the record, in s.
        low_joules: Lower bound, in J. It covers the uncertainty at both ends of the record and, for a model, the error
            of the model. Defaults to None.
        high_joules: Upper bound, in J. It covers the same errors. Defaults to None.
        gap_seconds: Time without any measurement, in s. Defaults to 0.
        tolerance: Systematic relative error of the device. It is not part of the bounds of a sensor, because the gain
            of a sensor is the same in every record. Defaults to 0.
        flags: Short words that a reader of this energy must know, e.g. ``shared`` or ``reset``. Defaults to none.

    Example:
        >>> DeviceEnergy(joules=600.0, component="gpu", method="counter", duration_seconds=2.0).mean_watts
        300.0
    """

    joules: float | None
    component: str
    method: Method
    duration_seconds: float
    low_joules: float | None = None
    high_joules: float | None = None
    gap_seconds: float = 0.0
    tolerance: float = 0.0
    flags: tuple[str, ...] = ()

    @property
    def mean_watts(self) -> float | None:
        """Mean power over the measured time, in W. None if no time was measured."""
        measured_seconds = self.duration_seconds - self.gap_seconds
        if self.joules is None or measured_seconds <= 0:
            return None
        return self.joules / measured_seconds


class PhaseEnergy(NamedTuple):
    """Energy and time of one phase of an epoch (``train``, ``validation``, ``other``).

    Attributes:
        joules: Energy of all devices, in J. None if nothing was measured.
        seconds: Time, in s.

    Example:
        >>> PhaseEnergy(joules=500.0, seconds=2.0).joules
        500.0
    """

    joules: float | None
    seconds: float
