"""The head of a ledger, which describes the run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from green_callbacks.records import DeviceInfo, Plan
from green_callbacks.units import Amount


@dataclass(frozen=True, slots=True)
class RunBudget:
    """A budget that a run keeps to.

    Example:
        >>> from green_callbacks.units import parse_amount
        >>> RunBudget(parse_amount("500 g"), project="logs").limit.value
        0.5

    Attributes:
        limit: The limit, in kgCO2e or in kWh of facility energy.
        project: Folder or glob pattern of the runs that share the budget, as the user named it. Defaults to None, for
            a budget of this run alone.
    """

    limit: Amount
    project: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Describes a run at the time when a process begins or resumes it.

    Example:
        >>> Head(run_id="digits", version="0.1.0").pue_source
        'not known'

    Attributes:
        run_id: Name of the run, which is also a valid file name.
        version: Version of the package.
        plan: The plan of the run. Defaults to an empty plan.
        monitor: Key of the watched metric. Defaults to None, for no metric.
        mode: Direction in which that metric improves, ``max`` or ``min``. Defaults to ``max``.
        pue_source: Where the PUE comes from, in words. Defaults to ``not known``.
        host: Name of the machine. Defaults to an empty text, for an unknown name.
        devices: Properties of the devices, such as their product names, by device. Defaults to empty.
        labels: Labels that the user gave the run, such as its project. Defaults to empty.
        versions: Versions of Python and of the frameworks, by name. Defaults to empty.
        budgets: The budgets that the run keeps to. Defaults to none.
        parent: Name of the run of ``green-callbacks run`` inside which this process runs. Defaults to None, for no such
            run.
        ancestors: Names of the runs inside which that run runs, the nearest first. Defaults to none.
        earlier: For each earlier process of this run, the runs inside which it ran. Defaults to none.
        hosts: Identity of each machine by its name in the run, and of the machines of earlier processes. It is empty
            where the system tells none. Defaults to no machine.
        process: Identity of the process that writes. Defaults to an empty text, if unknown.
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
    budgets: tuple[RunBudget, ...] = ()
    parent: str | None = None
    ancestors: tuple[str, ...] = ()
    earlier: tuple[tuple[str, ...], ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)
    process: str = ""

    @property
    def sessions(self) -> tuple[tuple[str, ...], ...]:
        """For each process that wrote the run, the runs inside which it ran, the nearest first."""
        present = () if self.parent is None else (self.parent, *self.ancestors)
        return tuple(dict.fromkeys((*self.earlier, present)))

    @property
    def all_hosts(self) -> Mapping[str, str]:
        """Identity of each machine of the run, by its name. An earlier version told the name of one machine alone."""
        return self.hosts or ({self.host: ""} if self.host else {})
