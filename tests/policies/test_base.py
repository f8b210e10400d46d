"""The protocols of policies and budgets, which :mod:`tests.contracts.test_policies` runs on real runs."""

from green_callbacks.policies import Budget, CarbonBudget, Left, MarginalGain, Policy, SharedBudget


def test_a_protocol_asks_for_all_its_members():
    class Half:
        amount, name = None, ""

        def decide(self, history, plan):
            """Decide nothing."""

        def left_inside(self, history, plan, open_kg, open_kwh):
            """Leave nothing."""

    assert isinstance(Half(), Policy)
    assert not isinstance(Half(), Budget)


def test_what_is_a_budget():
    assert isinstance(CarbonBudget("500 g"), SharedBudget)
    assert not isinstance(MarginalGain("val_acc"), Budget)


def test_the_rest_of_a_budget_is_a_tuple():
    assert Left(0.2, stops=True, reason="200 g are left.") == (0.2, True, "200 g are left.", 0.0)
