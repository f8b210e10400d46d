"""The shares of a budget at which ``CarbonBudget`` warns unless it is told others."""

import pytest

from green_callbacks.policies import CarbonBudget
from green_callbacks.records import EpochRecord, History, Plan

STEP_KG = 0.01


def warnings_of(policy, steps):
    """Return what is spent, in hundredths of a kilogram, where the policy warns."""
    history, warned = History(), []
    for at in range(steps):
        history.append(EpochRecord.scripted(epoch=at, emissions_kg=STEP_KG))
        verdict = policy.decide(history, Plan())
        assert not verdict.stop
        if verdict.code == "warning":
            warned.append((at + 1, verdict.reason.partition(".")[0]))
    return warned


@pytest.mark.parametrize("hard", [True, False])
def test_a_budget_warns_at_half_at_four_fifths_and_at_95_percent(hard):
    assert CarbonBudget("1 kg").warn_at == (0.5, 0.8, 0.95)
    warned = warnings_of(CarbonBudget("1.001 kg", hard=hard), 98)
    assert warned == [
        (51, "50 % of the budget is spent"),
        (81, "80 % of the budget is spent"),
        (96, "95 % of the budget is spent"),
    ]


def test_an_epoch_that_crosses_several_shares_warns_of_the_highest():
    history = History(EpochRecord.scripted(epoch=at, emissions_kg=cost) for at, cost in enumerate([0.01, 0.95]))
    verdict = CarbonBudget("1 kg", hard=False).decide(history, Plan())
    assert (verdict.code, verdict.stop) == ("warning", False)
    assert verdict.reason.startswith("95 % of the budget is spent.")
