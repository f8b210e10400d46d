"""What a ledger begins with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from green_callbacks.records import DeviceInfo, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is known of a run when a process begins it, or goes on with it.

    Attributes:
        run_id: Name of the run, fit for a file name.
        version: Version of the package.
        plan: What is known ahead. Defaults to nothing.
        monitor: Key of the metric that is watched. Defaults to None: none is.
        mode: ``max`` or ``min``: which way that metric improves. Defaults to ``max``.
        pue_source: Where the PUE comes from, in words. Defaults to ``not known``.
        host: Name of the machine. Defaults to an empty text: not known.
        devices: What is known of the devices besides their energy, by name. Defaults to nothing.
        labels: What the user says of the run, such as its project. Defaults to nothing.
        versions: Versions of Python and of the frameworks. Defaults to nothing.
    """

    run_id: str
    version: str
    plan: Plan = field(default_factory=Plan)
    monitor: str | None = None
    mode: str = "max"
    pue_source: str = "not known"
    host: str = ""
    devices: Mapping[str, DeviceInfo] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
