"""All findings about a run."""

from collections.abc import Callable, Mapping
from typing import Final

from green_callbacks.analysis.findings.data_wait import data_wait
from green_callbacks.analysis.findings.finding import Finding
from green_callbacks.analysis.findings.idle_outside import idle_outside
from green_callbacks.analysis.findings.power_cap import power_cap
from green_callbacks.analysis.findings.run_facts import RunFacts
from green_callbacks.analysis.findings.small_batches import small_batches
from green_callbacks.analysis.findings.throttling import braked, overheated
from green_callbacks.analysis.findings.validation import validation
from green_callbacks.records import DeviceInfo, History

_ALL: Final[tuple[Callable[[RunFacts], Finding | None], ...]] = (
    data_wait,
    idle_outside,
    validation,
    small_batches,
    overheated,
    braked,
    power_cap,
)


def findings(history: History, infos: Mapping[str, DeviceInfo] | None = None) -> tuple[Finding, ...]:
    """Return what made a run dearer than it had to be, as far as that is sure.

    A history from a checkpoint with merged records gives no findings. The ledger of the run does.

    Args:
        history: All records of the run.
        infos: Properties of devices, by device, with the default of their power limits. Defaults to none.

    Returns:
        The findings, the largest possible savings first. Empty for most runs.

    Example:
        >>> from green_callbacks import EpochRecord
        >>> findings(History([EpochRecord.scripted(epoch=0, emissions_kg=0.5)]))
        ()
    """
    if history.is_thinned or not _may_have_any(history):
        return ()
    facts = RunFacts.of(history, infos or {})
    found = [finding for find in _ALL if (finding := find(facts)) is not None]
    return tuple(sorted(found, key=_savings, reverse=True))


def _may_have_any(history: History) -> bool:
    """Return whether the columns of a history hold what findings need. To read all records takes much longer."""
    return bool(
        history.has_activity
        or history.most_phase_joules("validation")
        or (history.samples is not None and history.steps_at(len(history) - 1) is not None)
    )


def _savings(finding: Finding) -> float:
    return finding.facility_kwh or 0.0 if finding.is_saving else 0.0
