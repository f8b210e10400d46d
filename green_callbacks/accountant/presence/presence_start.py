"""Begins to show a run to the runs of other processes."""

from typing import Final

from green_callbacks.accountant.presence.live_file import budget_name
from green_callbacks.accountant.presence.presence import Presence
from green_callbacks.accountant.setup.opened_run import OpenedRun
from green_callbacks.accountant.shared_budgets.shared_budgets import registry_url
from green_callbacks.clock import SystemClock
from green_callbacks.policies import SharedBudget
from green_callbacks.records.coverage import UNMEASURED

_NOT_WHOLE: Final = frozenset({UNMEASURED, "latent", "share_unknown", "sm_share"})
"""Flags of devices that a run does not measure as a whole."""


def begin_presence(opened: OpenedRun) -> Presence | None:
    """Show a run to other processes until its end, and flag in its records what they measure, too.

    Args:
        opened: The parts of the run.

    Returns:
        The presence. None on other ranks than the first, for a provisional run, and for a run without devices. Also
        None on a clock of the user's own, whose time says nothing of what other processes do at the same time.
    """
    settings, measurement = opened.settings, opened.measurement
    devices = [slot.name for slot in measurement.slots.slots if _NOT_WHOLE.isdisjoint(slot.flags)]
    if opened.head is None or settings.is_off or not devices or not isinstance(settings.clock, SystemClock):
        return None
    shared = [each for each in settings.policies if isinstance(each, SharedBudget) and each.project]
    urls = [(registry_url(each, settings), str(each.project)) for each in shared]
    presence = Presence(
        opened.head,
        devices,
        measurement.timeline.interval.first.when.timestamp(),
        opened.state.notices,
        projects=[settings.absolute_project(project) for _, project in urls],
        ledger=opened.state.ledger,
        budgets=[budget_name(url, project) for url, project in urls if url is not None],
        recorded_at=lambda: measurement.timeline.opened.recorded_until.when.timestamp(),  # noqa: PLW0108  it moves on
    )
    measurement.pricing.flagged = presence.flagged
    opened.delivery.accompany(
        presence.look, lambda: presence.look_seconds, presence.leave, "the search for runs of other processes"
    )
    return presence
