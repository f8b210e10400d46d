"""What a policy may say about itself, and how it is asked."""

import pytest

from green_callbacks.metrics import Metric
from green_callbacks.policies import (
    CarbonBudget,
    Forecast,
    MarginalGain,
    as_policy,
    budget_values,
    counts_emissions,
    never_stops,
    reports_only,
    title_of,
    waits_for_schedule,
    watched_metric,
)
from green_callbacks.units import Amount


class Plain:
    """A policy that says nothing about itself."""

    def decide(self, history, plan):
        """Decide nothing."""


class Watching(Plain):
    """A policy that watches a metric."""

    def __init__(self, monitor, mode):
        self.monitor, self.mode = monitor, mode


class Speaking(Plain):
    """A policy with members of odd types."""

    title, report_only, never_stops, waits_for_schedule, counts_emissions = 3, "yes", 1, None, "maybe"


class WithoutMode(Plain):
    """A policy that leaves the direction to the name of its metric."""

    monitor = "val_loss"


def ours(history, plan):
    return None


@pytest.mark.parametrize(
    ("policy", "title"),
    [
        (CarbonBudget("0.5 kg"), "CarbonBudget('0.5 kg')"),
        (CarbonBudget(0.5), "CarbonBudget(0.5)"),
        (MarginalGain("val_acc"), "MarginalGain('val_acc')"),
        (as_policy(ours), "The policy ours"),
        (Forecast(), "The policy Forecast"),
        (Plain(), "The policy Plain"),
        (Watching("val_x", "min"), "Watching('val_x')"),
        (Speaking(), "The policy Speaking"),
    ],
)
def test_messages_call_a_policy_by_its_title(policy, title):
    assert title_of(policy) == title


@pytest.mark.parametrize(
    ("policy", "metric"),
    [
        (MarginalGain("val_loss"), Metric("val_loss", "min")),
        (Watching("val_x", "min"), Metric("val_x", "min")),
        (Watching("val_loss", "auto"), Metric("val_loss", "min")),
        (Watching("val_x", None), Metric("val_x", "max")),
        (Watching(None, "max"), None),
        (Watching("", "max"), None),
        (Watching(3, "max"), None),
        (WithoutMode(), Metric("val_loss", "min")),
        (Plain(), None),
        (CarbonBudget("500 g"), None),
    ],
)
def test_a_metric_is_watched_by_its_key(policy, metric):
    assert watched_metric(policy) == metric


def test_only_true_is_yes():
    for ask in (reports_only, never_stops, waits_for_schedule, counts_emissions):
        assert not ask(Plain())
        assert not ask(Speaking())
    assert reports_only(MarginalGain("val_acc", report_only=True))
    assert never_stops(Forecast())
    assert waits_for_schedule(MarginalGain("val_acc"))


def test_emissions_count_for_budgets_of_them_and_for_prices_per_kg():
    assert counts_emissions(CarbonBudget("500 g"))
    assert not counts_emissions(CarbonBudget("2 kWh"))
    assert counts_emissions(MarginalGain("val_acc", min_gain_per_kg=0.1))
    assert not counts_emissions(MarginalGain("val_acc", min_gain_per_kwh=0.1))


def test_the_values_of_a_budget_are_finite():
    assert budget_values(Amount(0.5, "emissions_kg"), 0.2) == {
        "green/budget_left_kg": 0.3,
        "green/budget_share": 0.4,
    }
    assert budget_values(Amount(0.0, "facility_kwh"), 0.0)["green/budget_share"] > 1e308
    assert budget_values(Amount(1e-300, "facility_kwh"), 1e300)["green/budget_share"] > 1e308
