"""Landings that the framework or the budget lets end at certain places only."""

import pytest

from green_callbacks import EpochRecord, History, Plan
from green_callbacks.policies.landing import landing_of

HISTORY = History([EpochRecord.scripted(epoch=epoch, step=10 * (epoch + 1)) for epoch in range(10)])


@pytest.mark.parametrize(
    ("plan", "end"),
    [
        (Plan(), 120),
        (Plan(min_steps=110), 120),
        (Plan(min_steps=137), 137),
        (Plan(min_epochs=14), 140),
        (Plan(min_steps=137, steps=130), 130),
    ],
)
def test_a_landing_ends_with_the_minimum_at_the_earliest(plan: Plan, end: int):
    landing = landing_of(HISTORY, plan, 0.2, "Enough.")
    assert landing is not None
    assert landing.end == end


@pytest.mark.parametrize(("share", "steps"), [(0.15, 10), (0.1, 10), (0.3, 30), (0.05, None)])
def test_a_budget_pays_for_whole_epochs_only_where_the_loop_cannot_be_left(share: float, steps: int | None):
    landing = landing_of(HISTORY, Plan(), share, "Spent.", rounds_up=False, whole_epochs=True)
    assert (landing and landing.steps) == steps
