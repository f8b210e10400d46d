import copy
import pickle
import random
from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction
from statistics import fmean

import pytest
from support.scripted_parts import part, spend_in_parts

from green_callbacks.errors import ConfigurationError, UnitError
from green_callbacks.policies import CarbonBudget, replay
from green_callbacks.records import EpochRecord, History, Plan, SharedSpending


def epochs(*costs_kg):
    return History(EpochRecord.scripted(epoch=at, emissions_kg=cost) for at, cost in enumerate(costs_kg))


def outside(cost_kg):
    return EpochRecord.scripted(epoch=None, emissions_kg=cost_kg)


@pytest.mark.parametrize("budget", ["500 g", 0.5, "500000mg"])
def test_a_run_is_stopped_before_the_epoch_that_would_overspend(budget):
    stop = replay(epochs(*[0.1] * 20), CarbonBudget(budget), Plan())
    assert stop.record.epoch == 4
    assert replay(epochs(*[0.09] * 20), CarbonBudget(budget), Plan()).record.epoch == 4
    assert (
        "the next epoch would take about 90.0 g"
        in replay(epochs(*[0.09] * 20), CarbonBudget(budget), Plan()).verdict.reason
    )


def test_a_soft_budget_stops_after_the_epoch_that_overspends():
    stop = replay(epochs(*[0.09] * 20), CarbonBudget("500 g", hard=False), Plan())
    assert stop.record.epoch == 5
    assert "540 g of the budget of 500 g" in stop.verdict.reason


@pytest.mark.parametrize("budget", ["2 kWh", "7.2 MJ"])
def test_an_energy_budget_counts_the_energy_of_the_facility(budget):
    verdict = CarbonBudget(budget).decide(epochs(0.5, 0.5), Plan())
    assert verdict.values == {"green/budget_left_kwh": pytest.approx(1.0), "green/budget_share": pytest.approx(0.5)}
    assert replay(epochs(*[0.5] * 9), CarbonBudget(budget), Plan()).record.epoch == 3


def test_values_say_what_is_left():
    verdict = CarbonBudget("1 kg").decide(epochs(0.1), Plan(spent_before_kg=0.3))
    assert verdict.values == {"green/budget_left_kg": pytest.approx(0.6), "green/budget_share": pytest.approx(0.4)}


def test_before_the_first_epoch_has_ended_it_says_that_it_cannot_be_projected():
    verdict = CarbonBudget("1 kg").decide(History([outside(0.4)]), Plan())
    assert verdict.code == "waiting"
    assert "epoch 0 cannot be projected" in verdict.reason


def test_a_budget_spent_by_other_runs_stops_before_the_first_batch():
    verdict = CarbonBudget("1 kg").decide(History(), Plan(spent_before_kg=1.0))
    assert (verdict.stop, verdict.code) == (True, "stopping")
    assert CarbonBudget("1 kWh").decide(History(), Plan(spent_before_kwh=1.5)).stop
    assert not CarbonBudget("1 kg").decide(History(), Plan(spent_before_kwh=5.0)).stop


def test_what_other_runs_spent_counts_in_the_projection():
    history = epochs(0.2)
    assert not CarbonBudget("1 kg").decide(history, Plan(spent_before_kg=0.5)).stop
    assert CarbonBudget("1 kg").decide(history, Plan(spent_before_kg=0.7)).stop


def test_set_up_is_spent_but_not_projected():
    history = History([outside(0.5), EpochRecord.scripted(epoch=0, emissions_kg=0.1)])
    verdict = CarbonBudget("800 g").decide(history, Plan())
    assert not verdict.stop
    assert verdict.values["green/budget_left_kg"] == pytest.approx(0.2)


def test_the_checkpoint_after_an_epoch_is_projected_with_it():
    history = epochs(0.1)
    history.append(outside(0.05))
    history.append(EpochRecord.scripted(epoch=1, emissions_kg=0.1))
    # Spent 250 g; to come are the checkpoint of this epoch, the next epoch, and its checkpoint.
    assert CarbonBudget("449 g").decide(history, Plan()).stop
    assert not CarbonBudget("451 g").decide(history, Plan()).stop


def test_the_dearest_of_the_last_epochs_is_expected_again():
    history = epochs(0.1, 0.3, 0.1)
    assert CarbonBudget("750 g").decide(history, Plan()).stop
    assert not CarbonBudget("810 g").decide(history, Plan()).stop
    long_ago = epochs(0.3, *[0.1] * 6)
    assert not CarbonBudget("1010 g").decide(long_ago, Plan()).stop


def test_after_the_last_planned_epoch_none_is_projected():
    assert not CarbonBudget("550 g").decide(epochs(*[0.1] * 5), Plan(epochs=5)).stop
    assert CarbonBudget("550 g").decide(epochs(*[0.1] * 5), Plan(epochs=6)).stop


def test_it_warns_once_at_each_share():
    policy, history, codes = CarbonBudget("1 kg"), History(), []
    for at in range(8):
        history.append(EpochRecord.scripted(epoch=at, emissions_kg=0.12))
        codes.append(policy.decide(history, Plan()).code)
    assert codes == ["active"] * 4 + ["warning", "active", "warning", "stopping"]
    assert "50 % of the budget is spent. 400 g" in policy.decide(epochs(*[0.12] * 5), Plan()).reason


def test_what_was_spent_before_is_warned_of_at_the_first_record():
    assert CarbonBudget("1 kg").decide(epochs(0.01), Plan(spent_before_kg=0.6)).code == "warning"


def test_min_epochs_wins_and_is_said():
    verdict = CarbonBudget("200 g").decide(epochs(0.1, 0.1), Plan(min_epochs=5))
    assert verdict.stop
    assert "min_epochs=5 wins until then" in verdict.reason
    assert "min_epochs" not in CarbonBudget("200 g").decide(epochs(0.1, 0.1), Plan(min_epochs=2)).reason


def test_energy_that_was_not_measured_is_said():
    history = epochs(0.1)
    last = EpochRecord.scripted(epoch=1)
    history.append(type(last)(epoch=1, started_at=last.started_at, duration_seconds=1.0, devices={},
                              intensity=last.intensity))  # fmt: skip
    verdict = CarbonBudget("1 kg").decide(history, Plan())
    assert "was not measured" in verdict.reason
    assert verdict.values["green/budget_left_kg"] == pytest.approx(0.9)


def test_it_says_what_it_will_do():
    assert "500 g" in CarbonBudget("500 g").describe()
    assert "before" in CarbonBudget("500 g").describe()
    assert "after" in CarbonBudget(0.5, hard=False).describe()


@pytest.mark.parametrize("budget", ["0 g", 0.0, -1.0, float("nan"), float("inf"), "-5 kg"])
def test_a_budget_that_cannot_be_kept_is_refused(budget):
    with pytest.raises(ConfigurationError, match="above 0"):
        CarbonBudget(budget)


def test_an_unknown_unit_is_refused():
    with pytest.raises(UnitError, match="500 pounds"):
        CarbonBudget("500 pounds")


def test_shares_outside_the_budget_are_refused():
    with pytest.raises(ConfigurationError, match="warn_at"):
        CarbonBudget("1 kg", warn_at=(0.5, 1.0))


def test_it_pickles_and_hashes_with_a_list_from_yaml():
    policy = CarbonBudget("1 kg", warn_at=[0.9, 0.5])
    assert policy.warn_at == (0.5, 0.9)
    assert hash(pickle.loads(pickle.dumps(policy))) == hash(policy)


def test_what_a_project_has_spent_counts():
    budget = CarbonBudget("1 kg", project="logs", spent_before=0.5)
    assert not budget.decide(epochs(0.2), Plan()).stop
    verdict = budget.decide(epochs(0.2, 0.2), Plan())
    assert verdict.stop
    assert "100 g of the budget of 1.00 kg for logs are left" in verdict.reason
    assert "The runs of logs may spend 1.00 kg together. This run is stopped before" in budget.describe()
    assert CarbonBudget("1 kWh", project="logs", spent_before=1.0).decide(History(), Plan()).stop


def shared(project="logs", quantity="emissions_kg", **amounts):
    return Plan(shared=(SharedSpending(project, quantity, **{"spent": 0.0, **amounts}),))


def test_what_others_spend_and_hold_counts_for_the_budget_of_their_project_alone():
    budget, history = CarbonBudget("1 kg", project="logs"), epochs(0.1)
    assert budget.decide(history, shared(spent=0.5, held=0.2)).values["green/budget_left_kg"] == pytest.approx(0.2)
    assert budget.decide(history, shared(spent=0.5, held=0.35)).stop
    for other in (shared("vit", spent=9.0), shared(quantity="facility_kwh", spent=9.0)):
        assert budget.decide(history, other).values["green/budget_left_kg"] == pytest.approx(0.9)
    assert not CarbonBudget("1 kg").decide(history, shared(spent=9.0)).stop


def test_a_spent_budget_tells_what_is_held_and_withheld():
    reason = CarbonBudget("1 kg", project="logs").decide(epochs(0.1), shared(spent=0.4, held=0.3, withheld=0.2)).reason
    assert reason == (
        "500 g of the budget of 1.00 kg for logs are spent. Other runs hold 300 g for their next epochs. The rest of "
        "200 g is not granted to this run. Its next epoch takes more, or others may need it."
    )


def test_a_limit_that_was_set_for_all_runs_counts():
    budget, history = CarbonBudget("1 kg", project="logs"), epochs(0.3, 0.3)
    plan = shared(spent=0.5, limit=3.0)
    assert budget.decide(history, plan).values["green/budget_left_kg"] == pytest.approx(1.9)
    assert budget.left_inside(history, plan, 0.1, 0.0).amount == pytest.approx(1.8)
    assert budget.decide(history, shared(limit=0.6)).stop
    assert (
        CarbonBudget("1 kWh", project="logs").in_force(shared(quantity="facility_kwh", limit=2.5)).amount.value == 2.5
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"registry": "sqlite:///b.db"}, "registry= needs project="),
        ({"registry": 3, "project": "logs"}, "registry takes the URL"),
        ({"on_outage": "stop"}, "Write 'share' or 'go_on'"),
    ],
)
def test_a_registry_that_cannot_work_is_refused(options, said):
    with pytest.raises(ConfigurationError, match=said):
        CarbonBudget("1 kg", **options)


def test_no_text_of_a_budget_holds_the_password_of_its_registry():
    budget = CarbonBudget("1 kg", project="logs", registry="postgresql+psycopg://ada:secret@db/budgets")
    assert "secret" not in repr(budget) + str(budget) + budget.title + budget.name + budget.describe()


@pytest.mark.parametrize("options", [{"spent_before": -1.0}, {"spent_before": float("nan")}, {"project": ""}])
def test_a_project_that_cannot_be_is_refused(options):
    with pytest.raises(ConfigurationError):
        CarbonBudget("1 kg", **options)


def test_inside_an_epoch_the_validation_after_a_stop_is_kept_in_reserve():
    first = [part(0, 0.1), part(0, 0.1), part(0, 0.0, 0.3, closes_epoch=True)]
    history = History([*first, part(1, 0.1)])
    assert not CarbonBudget(0.6 + 0.1 + 0.3 + 1e-6).decide(history, Plan()).stop
    verdict = CarbonBudget(0.6 + 0.1 + 0.3 - 1e-6).decide(history, Plan())
    assert verdict.stop
    assert (
        "the next part of an epoch, and the validation and checkpoint that follow a stop, would take about 400 g"
        in (verdict.reason)
    )


def test_inside_the_first_epoch_parts_are_projected_as_no_validation_is_known():
    history = History([part(0, 0.1), part(0, 0.12)])
    assert not CarbonBudget(0.341).decide(history, Plan()).stop
    assert CarbonBudget(0.339).decide(history, Plan()).stop
    assert CarbonBudget(10.0).decide(history, Plan()).code == "active"


def test_a_validation_within_a_part_is_not_taken_for_training():
    history = History([part(0, 0.1), part(0, 0.1, 0.5), part(0, 0.1)])
    assert not CarbonBudget(0.8 + 0.1 + 0.5 + 1e-6).decide(history, Plan()).stop
    assert CarbonBudget(0.8 + 0.1 + 0.5 - 1e-6).decide(history, Plan()).stop


def test_after_the_last_planned_epoch_nothing_is_to_come():
    history = History([part(0, 0.1), part(0, 0.0, 0.3, closes_epoch=True)])
    assert not CarbonBudget(0.41).decide(history, Plan(epochs=1)).stop


def test_a_budget_is_spent_although_a_sum_is_rounded():
    assert sum((0.7, 0.1, 0.1)) < 0.9
    verdict = CarbonBudget(0.9, hard=False).decide(epochs(0.7, 0.1, 0.1), Plan())
    assert (verdict.stop, verdict.reason) == (True, "900 g of the budget of 900 g are spent.")


@pytest.mark.no_cover
def test_deciding_inside_epochs_overspends_by_a_step_and_a_validation_at_most():
    chance = random.Random(1)
    runs = [spend_in_parts(chance) for _ in range(150)]
    assert all(run.excess <= run.dearest_step + max(run.dearest_seen, run.last) for run in runs)
    assert fmean(run.spent / run.budget for run in runs) >= 0.95


def test_a_second_fit_goes_on_with_what_is_spent_and_is_projected_by_its_own_epochs():
    history = History([*epochs(*[0.3] * 3), outside(0.02), *epochs(0.01)])
    assert CarbonBudget("1 kg").decide(history, Plan()).values["green/budget_share"] == pytest.approx(0.93)
    assert not CarbonBudget("1 kg").decide(history, Plan(epochs=3)).stop
    assert CarbonBudget("935 g").decide(history, Plan(epochs=3)).stop


def test_the_reserve_stays_where_the_last_part_was_not_measured():
    history = History([part(0, 0.1), part(0, 0.0, 0.3, closes_epoch=True), part(1, 0.1)])
    history.append(part(1, 0.1)._replace(devices={}, phases={}))
    assert CarbonBudget(0.5 + 0.1 + 0.3 - 1e-6).decide(history, Plan()).stop
    assert not CarbonBudget(0.5 + 0.1 + 0.3 + 1e-6).decide(history, Plan()).stop


def test_the_text_of_a_budget_is_read_once(monkeypatch):
    budget = CarbonBudget("500 g")
    monkeypatch.setattr("green_callbacks.policies.carbon_budget.parse_amount", pytest.fail)
    assert budget.amount.value == 0.5
    assert budget.decide(History([EpochRecord.scripted(epoch=0, emissions_kg=0.1)]), Plan()).code == "active"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each)), replace])
def test_a_copy_of_a_budget_is_the_same_budget(copied):
    budget = CarbonBudget("500 g", warn_at=(0.5,))
    twin = copied(budget)
    assert (twin, hash(twin), repr(twin), twin.amount, twin.name) == (
        budget,
        hash(budget),
        repr(budget),
        budget.amount,
        budget.name,
    )
    assert [each.name for each in fields(twin)] == [
        "budget", "project", "registry", "on_outage", "spent_before", "hard", "warn_at", "landing",
    ]  # fmt: skip


def test_a_budget_changed_in_a_copy_is_read_anew():
    assert replace(CarbonBudget("500 g"), budget="2 kWh").amount.value == 2
    assert replace(CarbonBudget("500 g", project="logs"), project=None).name == "the budget of 500 g"


@pytest.mark.parametrize(
    "options",
    [
        {"budget": None},
        {"budget": [1]},
        {"budget": 10**400},
        {"budget": 1, "warn_at": ("half",)},
        {"budget": 1, "warn_at": 2},
        {"budget": 1, "spent_before": "much"},
        {"budget": 1, "spent_before": None},
    ],
)
def test_an_option_that_is_no_number_is_refused_at_construction(options):
    with pytest.raises(ConfigurationError):
        CarbonBudget(**options)


def test_numbers_of_other_kinds_are_taken():
    budget = CarbonBudget(Decimal("0.5"), warn_at=[Fraction(1, 2)], spent_before=Decimal("0.1"))
    verdict = budget.decide(History([EpochRecord.scripted(epoch=0, emissions_kg=0.2)]), Plan())
    assert verdict.values["green/budget_left_kg"] == pytest.approx(0.2)
    assert verdict.code == "warning"


def test_rows_outside_epochs_after_an_epoch_are_counted_as_they_come():
    history, budget = epochs(0.1, 0.1), CarbonBudget("1 kg")
    for _ in range(4):
        assert not budget.decide(history, Plan()).stop
        history.append(outside(0.1))
    assert "the next epoch would take about 500 g" in budget.decide(history, Plan()).reason


def test_a_budget_near_the_ends_of_the_floats_is_decided_on():
    assert CarbonBudget(5e-324).decide(epochs(1.0), Plan()).values["green/budget_share"] > 1e308
    assert CarbonBudget(1.7e308).decide(epochs(1.0), Plan()).code == "active"


def test_epochs_that_are_done_again_after_a_resume_are_spent_but_not_expected_again():
    history = History(row for record in epochs(*[0.1] * 100) for row in (record, outside(0.01)))
    history.rewind(50)
    budget = CarbonBudget("12.05 kg")
    resumed = budget.decide(history, Plan(epochs=100))
    assert resumed.code == "active"
    assert resumed.values["green/budget_left_kg"] == pytest.approx(1.05)
    for at in range(50, 60):
        verdict = budget.decide(history, Plan(epochs=100))
        assert verdict.stop == (at >= 59)
        history.append(EpochRecord.scripted(epoch=at, emissions_kg=0.1))
        history.append(outside(0.01))
    assert "the next epoch would take about 120 g" in verdict.reason


def test_an_epoch_that_a_kill_cut_short_is_not_expected_again():
    cut_short = outside(0.5)._replace(complete=False)
    history = History([*epochs(0.1, 0.1), cut_short, *list(epochs(0.1, 0.1, 0.1))[2:]])
    assert CarbonBudget("1.2 kg").decide(history, Plan()).code == "active"


def test_inside_an_epoch_what_is_open_counts():
    left = CarbonBudget("500 g").left_inside(epochs(0.1), Plan(spent_before_kg=0.1), 0.25, 99.0)
    assert left.amount == pytest.approx(0.05)
    assert left.stops
    left = CarbonBudget("500 g").left_inside(epochs(0.1), Plan(), 0.4, 0.0)
    assert (left.amount, left.reason) == (0.0, "500 g of the budget of 500 g are spent.")


def test_inside_an_epoch_a_budget_of_energy_counts_energy():
    left = CarbonBudget("2 kWh", spent_before=0.5).left_inside(epochs(0.5), Plan(spent_before_kwh=0.25), 99.0, 0.5)
    assert left.amount == pytest.approx(0.25)


def test_inside_an_epoch_a_hard_budget_keeps_what_follows_a_stop_and_a_soft_one_does_not():
    history = epochs(0.1)
    history.append(outside(0.03))
    hard, soft = (CarbonBudget("500 g", hard=hard).left_inside(history, Plan(), 0.0, 0.0) for hard in (True, False))
    assert hard.amount == pytest.approx(0.34)
    assert soft.amount == pytest.approx(0.37)
    assert (hard.stops, soft.stops) == (True, False)


def test_inside_an_epoch_the_framework_may_win():
    left = CarbonBudget("500 g").left_inside(epochs(0.1), Plan(min_epochs=5), 0.6, 0.0)
    assert left.reason.endswith("The framework's min_epochs=5 wins until then.")
