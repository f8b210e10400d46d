from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.policies import CarbonBudget, Forecast, forecast
from green_callbacks.records import EpochRecord, History, Plan


def epochs(*costs_kg, seconds=10.0):
    return History(
        EpochRecord.scripted(epoch=at, emissions_kg=cost, duration_seconds=seconds, step=100 * (at + 1))
        for at, cost in enumerate(costs_kg)
    )


def outside(kg):
    return EpochRecord.scripted(emissions_kg=kg, duration_seconds=1.0)


def test_the_rest_of_the_plan_costs_what_the_epochs_after_the_first_did():
    made = forecast(epochs(0.5, 0.1, 0.1, 0.1), Plan(epochs=10))
    assert made.epochs == 10
    assert made.kg.expected == pytest.approx(0.5 + 9 * 0.1)
    assert made.kwh.expected == pytest.approx(made.kg.expected)
    assert made.seconds.expected == pytest.approx(100)
    assert made.kg.low < made.kg.expected < made.kg.high


@pytest.mark.parametrize(
    ("history", "plan"),
    [
        (History(), Plan(epochs=10)),
        (epochs(0.1, 0.1), Plan(epochs=10)),
        (epochs(0.1, 0.1, 0.1), Plan()),
        (epochs(0.0, 0.0, 0.0), Plan(epochs=10)),
        (History(record._replace(step=None) for record in epochs(0.1, 0.1, 0.1)), Plan(steps=1000)),
    ],
    ids=["empty", "two epochs", "no plan", "nothing measured", "steps unknown"],
)
def test_without_a_plan_three_epochs_and_energy_there_is_none(history, plan):
    assert forecast(history, plan) is None
    verdict = Forecast().decide(history, plan)
    assert (verdict.stop, verdict.code, verdict.values) == (False, "waiting", {})


@pytest.mark.parametrize("plan", [Plan(epochs=20), Plan(steps=2000), Plan(seconds=200.0), Plan(emissions_kg=2.0)])
def test_the_plan_may_be_in_epochs_steps_time_or_emissions(plan):
    made = forecast(epochs(*[0.1] * 5), plan)
    assert made.epochs == pytest.approx(20)
    assert made.kg.expected == pytest.approx(2.0)


def test_what_recurs_between_epochs_is_counted():
    history = History([outside(0.7)])
    for record in epochs(*[0.1] * 4):
        history.append(record)
        history.append(outside(0.05))
    made = forecast(history, Plan(epochs=10))
    assert made.kg.expected == pytest.approx(0.7 + 10 * 0.1 + 9 * 0.05)


def test_at_the_end_of_the_plan_it_is_what_was_spent():
    made = forecast(epochs(*[0.1] * 10), Plan(epochs=10))
    assert made.kg == pytest.approx((1.0, 1.0, 1.0))


def test_parts_of_an_epoch_are_not_counted_twice():
    history = epochs(*[0.1] * 4)
    history.append(EpochRecord.scripted(epoch=4, emissions_kg=0.04)._replace(closes_epoch=False))
    assert forecast(history, Plan(epochs=10)).kg.expected == pytest.approx(1.0)


@given(st.lists(st.floats(0, 10, allow_subnormal=False), min_size=3, max_size=50), st.integers(1, 100))
def test_no_end_of_the_range_lies_below_what_is_spent(costs, planned):
    history = epochs(*costs)
    made = forecast(history, Plan(epochs=planned))
    if made is not None:
        for spent, span in ((history.facility_kwh, made.kwh), (history.duration_seconds, made.seconds)):
            assert spent <= span.low <= span.expected <= span.high


def test_the_end_of_a_budget_is_foretold():
    made = forecast(epochs(*[0.1] * 5), Plan(epochs=20), [CarbonBudget("9 kWh"), CarbonBudget("1.05 kg")])
    assert made.budget == CarbonBudget("1.05 kg")
    assert made.budget_end.low <= made.budget_end.expected == 10 <= made.budget_end.high < 20


def test_what_others_have_spent_brings_the_end_of_a_budget_nearer():
    made = forecast(epochs(*[0.1] * 5), Plan(epochs=20), [CarbonBudget("2.05 kg", spent_before=1.0)])
    assert made.budget_end.expected == 10


def test_a_budget_that_lasts_is_not_mentioned():
    made = forecast(epochs(*[0.1] * 5), Plan(epochs=20), [CarbonBudget("9 kg")])
    assert made.budget is made.budget_end is None


def test_a_budget_of_emissions_lasts_where_nothing_is_emitted():
    clean = History(
        record._replace(intensity=replace(record.intensity, g_per_kwh=0.0)) for record in epochs(*[0.1] * 5)
    )
    made = forecast(clean, Plan(epochs=20), [CarbonBudget("1 g")])
    assert made.kg == (0, 0, 0)
    assert made.budget is None


def test_emissions_follow_the_intensity_of_each_epoch():
    greener = [
        record._replace(intensity=replace(record.intensity, g_per_kwh=100.0 * (10 - at)))
        for at, record in enumerate(epochs(*[0.1] * 5))
    ]
    made = forecast(History(greener), Plan(epochs=10))
    assert made.kwh.expected == pytest.approx(1.0)
    assert made.kg.expected == pytest.approx(0.4 + 5 * 0.075)  # 60 to 90 g an epoch after the first
    assert made.kg.low < 0.4 + 5 * 0.03 < made.kg.expected


def test_it_is_said_in_words_and_values():
    verdict = Forecast((CarbonBudget("1.05 kg"),)).decide(epochs(*[0.1] * 5, seconds=120.0), Plan(epochs=20))
    assert verdict.code == "waiting"
    assert verdict.reason.startswith("The 20 planned epochs will likely take 2.00 kWh (")
    assert "2.00 kg CO2e (" in verdict.reason
    assert "40 min 0 s (" in verdict.reason
    assert "The budget of 1.05 kg would be spent after 10 epochs" in verdict.reason
    assert verdict.values["green/forecast_kg"] == pytest.approx(2.0)
    assert verdict.values["green/forecast_kwh"] == pytest.approx(2.0)
    assert verdict.values["green/forecast_low_kg"] < 2.0 < verdict.values["green/forecast_high_kg"]


def test_a_budget_that_may_or_may_not_last_is_told_as_such():
    verdict = Forecast((CarbonBudget("2.05 kg"),)).decide(epochs(*[0.1] * 5), Plan(epochs=20))
    assert "would be spent after more than 20 epochs (after 19 to more than 20)" in verdict.reason


def test_a_jump_is_warned_of_once():
    history, codes = History(), []
    for record in epochs(*[0.1] * 10, *[0.3] * 6):
        history.append(record)
        codes.append(Forecast().decide(history, Plan(epochs=100)).code)
    assert codes.count("warning") == 1
    assert codes.index("warning") >= 10
    assert "more energy" in Forecast().decide(History(history[: codes.index("warning") + 1]), Plan(epochs=100)).reason


def test_noise_is_no_jump():
    costs = [0.1 + 0.02 * (-1) ** at for at in range(40)]
    history = History()
    for record in epochs(*costs):
        history.append(record)
        assert Forecast().decide(history, Plan(epochs=100)).code == "waiting"


def test_a_fall_is_warned_of_too():
    history, reasons = History(), []
    for record in epochs(*[0.3] * 10, *[0.1] * 6):
        history.append(record)
        verdict = Forecast().decide(history, Plan(epochs=100))
        reasons += [verdict.reason] if verdict.code == "warning" else []
    assert len(reasons) == 1
    assert "less energy" in reasons[0]


def warnings(records, plan):
    """The rows after which a jump was warned of."""
    history, rows = History(), []
    for row, record in enumerate(records):
        history.append(record)
        rows += [row] if Forecast().decide(history, plan).code == "warning" else []
    return rows


def test_each_new_level_is_warned_of_once_however_often_it_comes_back():
    to_and_fro = epochs(*([0.1] * 8 + [0.3] * 4) * 6)
    assert warnings(to_and_fro, Plan(epochs=200)) == [10]
    assert warnings(epochs(*[0.1] * 10, *[0.2] * 25, *[0.4] * 25), Plan(epochs=200)) == [12, 37]


@pytest.mark.parametrize(
    ("seconds", "planned"), [(0.02, 10_000), (0.9, 1000), (3.0, 30)], ids=["no sensor", "short", "nearly over"]
)
def test_a_jump_that_no_sensor_resolves_or_that_is_soon_over_is_not_warned_of(seconds, planned):
    costs = [0.1] * 10 + [0.3] * 6
    assert warnings(epochs(*costs, seconds=seconds), Plan(epochs=planned)) == []
    assert warnings(epochs(*costs, seconds=30.0), Plan(epochs=planned)) == [12]


@given(st.lists(st.floats(0.5, 2.0), min_size=30, max_size=30))
def test_scatter_that_goes_both_ways_is_hardly_ever_a_jump(costs):
    assert len(warnings(epochs(*costs), Plan(epochs=100))) <= 3


def test_parts_of_an_epoch_do_not_repeat_a_warning():
    parts = []
    for record in epochs(*[0.1] * 10, *[0.3] * 6):
        half = EpochRecord.scripted(epoch=record.epoch, emissions_kg=record.emissions_kg / 2, duration_seconds=5.0)
        parts += [half._replace(closes_epoch=False)] * 2 + [half._replace(devices={}, duration_seconds=0.0)]
    assert warnings(parts, Plan(epochs=100)) == [3 * 12 + 2]


def test_a_second_fit_is_forecast_by_its_own_epochs_on_top_of_what_was_spent():
    history = History([*epochs(*[5.0] * 10), outside(1.0), *epochs(0.5, 0.1)])
    assert forecast(history, Plan(epochs=10)) is None
    history.append(EpochRecord.scripted(epoch=2, emissions_kg=0.1, duration_seconds=10.0))
    made = forecast(history, Plan(epochs=10), [CarbonBudget("51.85 kg")])
    assert made.epochs == 10
    assert made.kg.expected == pytest.approx(51 + 0.5 + 9 * 0.1)
    assert made.budget_end.expected == 4
    assert "The run with its 10 planned epochs" in Forecast().decide(history, Plan(epochs=10)).reason


def parts_of_one_epoch(count, kg=0.1):
    records = (EpochRecord.scripted(epoch=0, step=10 * at, emissions_kg=kg) for at in range(1, count + 1))
    return History(record._replace(closes_epoch=False) for record in records)


def test_a_run_of_one_epoch_is_forecast_by_its_parts():
    history, plan = parts_of_one_epoch(5), Plan(epochs=1, steps=200)
    made = forecast(history, plan, [CarbonBudget("1.05 kg")])
    assert made.epochs is None
    assert made.kg.low < made.kg.expected < made.kg.high
    assert made.kg.expected == pytest.approx(2.0)
    assert made.seconds.expected == pytest.approx(20.0)
    assert made.budget_end_share == pytest.approx(0.5)
    reason = Forecast((CarbonBudget("1.05 kg"),)).decide(history, plan).reason
    assert reason.startswith("The planned run will likely take 2.00 kWh")
    assert reason.endswith("The budget of 1.05 kg would be spent after 50 % of it.")
    assert forecast(parts_of_one_epoch(2), plan) is None
    assert forecast(history, Plan(epochs=1)) is None, "how far it is inside the epoch is not known"


def test_inside_an_epoch_the_forecast_stays_that_of_the_epochs_that_have_ended():
    plan = Plan(epochs=10, steps=100)
    history = History(EpochRecord.scripted(epoch=at, step=10 * (at + 1), emissions_kg=0.1) for at in range(4))
    before = forecast(history, plan)
    history.append(EpochRecord.scripted(epoch=4, step=45, emissions_kg=0.05)._replace(closes_epoch=False))
    assert forecast(history, plan) == before


def test_a_forecast_of_any_size_is_that_of_another_size():
    costs = [1.0, 1.0, 1.1, 0.9, 1.0, 1.2]
    usual = forecast(epochs(*costs), Plan(epochs=10))
    for size in (2.0**-900, 2.0**900):
        sized = forecast(epochs(*(size * cost for cost in costs)), Plan(epochs=10))
        assert [end / size for end in sized.kwh] == pytest.approx(usual.kwh)


def test_a_forecast_too_large_for_a_number_is_none():
    verdict = Forecast().decide(epochs(*[1e290] * 6), Plan(epochs=2**900))
    assert (verdict.code, dict(verdict.values)) == ("waiting", {})


def test_a_budget_that_lasts_for_ever_is_not_said_to_end():
    history = epochs(*[1e-300] * 6)
    assert forecast(history, Plan(epochs=10), (CarbonBudget(1.7e308),)).budget_end is None


def test_epochs_that_are_done_again_are_in_the_total_and_not_in_the_cost_of_others():
    history = epochs(*[0.1] * 100)
    history.rewind(50)
    for at in range(50, 53):
        found = forecast(history, Plan(epochs=100))
        assert found.kwh == pytest.approx((15.0, 15.0, 15.0), rel=0.03)
        history.append(EpochRecord.scripted(epoch=at, emissions_kg=0.1, duration_seconds=10.0))
