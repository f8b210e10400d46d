"""What a source says of one device, and what a device used during one lap."""

from typing import NamedTuple

from green_callbacks.records.methods import Method

__all__ = ["DeviceEnergy", "DeviceInfo", "PhaseEnergy", "Reading"]


class Reading(NamedTuple):
    """The energy that one device has used since an arbitrary origin, as known at this instant.

    Final when returned: nothing is revised afterwards.

    Attributes:
        joules: Cumulative energy in J; while the device does not answer, the last that is known of it; None if it
            never answered.
        component: What it is a part of: ``gpu``, ``cpu``, ``dram``, ``platform``, …
        method: How it was obtained.
        below_joules: How much less the true value of this instant may be, in J: a counter read late or early.
        above_joules: How much more it may be, in J.
        tolerance: Systematic relative error of everything this device reports, e.g. 0.05 for ±5 %: a sensor's gain,
            or what a model may be off.
        gap_seconds: Seconds since the origin in which nothing was measured. May fall again where a counter that came
            back had gone on counting.
        flags: Short words about this device that a reader of its energy must know, e.g. ``shared``.
        reason: Why the device does not answer now; None while it does.
        lag_joules: What else it may be off, in J, by something that stays the same, such as how old a power is when it
            is read: the energy between two readings may be off by the difference.
        walk_square_joules: What has gone unseen between samples since the origin, in J²: a square that never falls. The
            energy between two readings may be off by the root of the difference.
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
    """What is known of a device besides its energy.

    Attributes:
        uuid: Its unique name, e.g. ``GPU-8932f937-d72c-4106-c12f-20bd9faed9f6``; None if it has none.
        product: Its product name, e.g. ``NVIDIA A100-SXM4-40GB``; None if it is not told.
        default_limit_watts: The power limit that the maker gave it, in W; None if it is not told.
    """

    uuid: str | None = None
    product: str | None = None
    default_limit_watts: float | None = None


class DeviceEnergy(NamedTuple):
    """The energy that one device used during one record.

    A device that other runs of the process had at the same time, for the record or for a part of it, is flagged
    ``shared`` and counts as ``modelled``: what it used meanwhile is divided in equal parts, of which nothing or all may
    be this run's, and so say the bounds. What it used while this run had it alone is within both.

    Attributes:
        joules: Energy in J; None if nothing was measured.
        low_joules: Lower bound in J, for the uncertainty of both edges and, where modelled, of the model.
        high_joules: Upper bound in J, likewise.
        component: What it is a part of: ``gpu``, ``cpu``, ``dram``, ``platform``, …
        method: How it was obtained.
        duration_seconds: Length of the record in s.
        gap_seconds: How many of these seconds were not measured.
        tolerance: Systematic relative error of the device, stated apart: a sensor's gain is the same in every record.
        flags: Short words that a reader of this energy must know, e.g. ``shared`` or ``reset``.
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
        """Mean power over the measured seconds, in W; None where there are none."""
        measured_seconds = self.duration_seconds - self.gap_seconds
        if self.joules is None or measured_seconds <= 0:
            return None
        return self.joules / measured_seconds


class PhaseEnergy(NamedTuple):
    """What one phase of an epoch (``train``, ``validation``, ``other``) took.

    Attributes:
        joules: Energy of all devices, in J; None if nothing was measured.
        seconds: Time, in s.
    """

    joules: float | None
    seconds: float
