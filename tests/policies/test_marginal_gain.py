import math
import pickle
import random

import pytest

from green_callbacks.errors import ConfigurationError
from green_callbacks.policies import MarginalGain, replay
from green_callbacks.records import EpochRecord, History, Intensity, Plan

PLAN = Plan(epochs=100)


def run(values, *, metric="val_acc", kg=0.01, rates=None):
    """A history of one record per value, each of the same cost; None leaves the metric out."""
    return History(
        EpochRecord.scripted(
            epoch=at,
            emissions_kg=kg,
            metrics={} if value is None else {metric: value},
            learning_rate=rates[at] if rates else None,
        )
        for at, value in enumerate(values)
    )


def saturating(count, speed=10):
    return [1 - math.exp(-at / speed) for at in range(count)]


def stop_epoch(values, policy, plan=PLAN, **options):
    stop = replay(run(values, **options), policy, plan)
    return stop and stop.record.epoch


def test_a_run_that_levels_off_is_stopped_and_one_that_keeps_rising_is_not():
    assert 40 < stop_epoch(saturating(100), MarginalGain("val_acc")) < 80
    assert stop_epoch([at / 100 for at in range(100)], MarginalGain("val_acc")) is None


def test_the_default_means_the_same_for_every_scale_of_the_metric_and_of_the_energy():
    accuracy = stop_epoch(saturating(100), MarginalGain("val_acc"))
    loss = [40 - 7 * value for value in saturating(100)]
    assert stop_epoch(loss, MarginalGain("val_loss"), metric="val_loss") == accuracy
    assert stop_epoch(saturating(100), MarginalGain("val_acc"), kg=3e-6) == accuracy


def test_price_per_kg_and_per_kwh_agree_where_a_kwh_is_a_kg():
    per_kg = stop_epoch(saturating(100), MarginalGain("val_acc", min_gain_per_kg=0.5))
    assert per_kg == stop_epoch(saturating(100), MarginalGain("val_acc", min_gain_per_kwh=0.5))
    dearer = stop_epoch(saturating(100), MarginalGain("val_acc", min_gain_per_kg=2.0))
    assert dearer < per_kg


def test_a_run_validated_every_fourth_epoch_stops_at_about_the_same_place():
    dense = saturating(100)
    sparse = [value if at % 4 == 3 else None for at, value in enumerate(dense)]
    policy = MarginalGain("val_acc", min_gain_per_kg=0.5)
    assert abs(stop_epoch(sparse, policy) - stop_epoch(dense, policy)) <= 6


def test_nothing_is_decided_before_three_tenths_of_the_plan_and_the_first_message_names_the_epoch():
    flat = [0.5] * 100
    assert stop_epoch(flat, MarginalGain("val_acc")) == 29
    first = MarginalGain("val_acc").decide(History(), PLAN)
    assert first.code == "waiting"
    assert "from epoch 30 of 100" in first.reason


def test_without_a_plan_it_decides_after_ten_values():
    assert stop_epoch([0.5] * 30, MarginalGain("val_acc"), Plan()) == 9
    assert "ten values" in MarginalGain("val_acc").decide(History(), Plan()).reason.replace("10", "ten")


def test_steps_time_or_emissions_are_a_plan_as_well():
    verdict = MarginalGain("val_acc").decide(run([0.5] * 5), Plan(emissions_kg=1.0))
    assert "30 % of the plan" in verdict.reason
    assert stop_epoch([0.5] * 30, MarginalGain("val_acc"), Plan(emissions_kg=1.0)) == 29


def test_it_waits_until_a_quarter_of_the_way_to_an_acceptable_value_is_gone():
    low, high = ([level * value for value in saturating(100)] for level in (0.199, 0.201))
    policy = MarginalGain("val_acc", acceptable=0.8, min_gain_per_kg=0.5, not_learning_after=None)
    verdict = policy.decide(run(low), PLAN)
    assert verdict.code == "waiting"
    assert "0.8 would be acceptable. The rule decides after a quarter of the way" in verdict.reason
    assert stop_epoch(low, policy) is None
    assert stop_epoch(high, policy) == 54, "the first value above 0.2"


def test_a_run_that_does_not_learn_is_stopped_at_half_of_the_plan_with_its_own_message():
    stop = replay(run([0.1, 0.12] * 50), MarginalGain("val_acc", acceptable=0.8), PLAN)
    assert stop.record.epoch == 49
    assert "is not learning" in stop.verdict.reason
    assert stop_epoch([0.1] * 100, MarginalGain("val_acc", acceptable=0.8, not_learning_after=None)) is None


@pytest.mark.parametrize("direction", [1, -1])
def test_a_loss_is_judged_like_an_accuracy(direction):
    metric = "val_acc" if direction > 0 else "val_loss"
    values = [direction * value for value in saturating(100)]
    policy = MarginalGain(metric, acceptable=direction * 0.8)
    assert stop_epoch(values, policy, metric=metric) == stop_epoch(
        saturating(100), MarginalGain("val_acc", acceptable=0.8)
    )
    values = [direction * 0.1] * 60
    assert "not learning" in policy.decide(run(values, metric=metric), PLAN).reason


def test_nothing_is_stopped_while_a_learning_rate_drop_lies_ahead_and_the_rule_starts_afresh_after_it():
    levels = [0.6] * 50 + [0.75] * 25 + [0.8] * 25
    wobble = random.Random(0)
    values = [
        level - 0.6 * math.exp(-at / 8) - 0.1 * math.exp(-1.5 * (at % 25)) * (at >= 50) + wobble.gauss(0, 0.0005)
        for at, level in enumerate(levels)
    ]
    plan = Plan(epochs=100, learning_rate_drops=(50, 75))
    policy = MarginalGain("val_acc")
    held = policy.decide(run(values[:70]), plan)
    assert held.code == "waiting"
    assert "drops at epoch 75" in held.reason
    stop = stop_epoch(values, policy, plan)
    assert 75 < stop <= 85
    assert max(values) - max(values[: stop + 1]) < 0.003
    assert stop_epoch(values, policy) < 50


def test_a_drop_that_was_not_announced_starts_the_rule_afresh():
    values = saturating(40, 5) + [1.0 + 0.2 * value for value in saturating(60, 5)]
    rates = [0.1] * 40 + [0.01] * 60
    policy = MarginalGain("val_acc", min_gain_per_kg=0.1)
    just_after = policy.decide(run(values[:42], rates=rates), PLAN)
    assert just_after.code == "waiting"
    assert stop_epoch(values[40:], policy, rates=rates) is not None
    assert policy.decide(run(values, rates=rates), PLAN).stop


def test_a_warm_up_and_a_slow_decay_are_no_drops():
    rates = [0.01 * (1 + at) for at in range(10)] + [0.1 * 0.98**at for at in range(90)]
    assert stop_epoch(saturating(100), MarginalGain("val_acc"), rates=rates) == stop_epoch(
        saturating(100), MarginalGain("val_acc")
    )


def test_a_drop_is_found_in_a_long_run():
    rates = [0.1] * 700 + [0.01] * 300
    policy, plan = MarginalGain("val_acc"), Plan(epochs=1000)
    values = saturating(700, 50) + [1.0 + 0.2 * value for value in saturating(300, 5)]
    assert not policy.decide(run(values[:705], rates=rates), plan).stop
    assert policy.decide(run(values[:705], rates=[0.1] * 705), plan).stop
    assert policy.decide(run(values[:760], rates=rates), plan).stop


def test_on_a_grid_without_emissions_there_is_no_gain_per_kg_and_no_price_per_kg():
    history = on_grids([0.5 + 1e-6 * at for at in range(30)], [0.0] * 30)
    verdict = MarginalGain("val_acc", min_gain_per_kg=1.0).decide(history, PLAN)
    assert verdict.code == "active"
    assert verdict.values.keys() == {"green/gain_per_kwh", "green/gain_on_doubling"}


def test_a_rate_of_zero_is_survived():
    rates = [0.0] * 5 + [0.1] * 20 + [0.0] * 75
    assert MarginalGain("val_acc").decide(run(saturating(100), rates=rates), PLAN).reason


def test_annealing_holds_to_the_end_and_advises_a_shorter_schedule_unless_told_to_stop():
    plan = Plan(epochs=100, anneals=True)
    held = MarginalGain("val_acc").decide(run(saturating(90)), plan)
    assert held.code == "waiting"
    assert "plan fewer epochs" in held.reason
    early = MarginalGain("val_acc").decide(run(saturating(25)), plan)
    assert "plan fewer epochs" not in early.reason
    assert MarginalGain("val_acc", on_annealing="stop").decide(run(saturating(90)), plan).stop


def test_a_schedule_that_cannot_be_read_holds_nothing_and_is_said():
    verdict = MarginalGain("val_acc").decide(run(saturating(35)), Plan(epochs=100, schedule_unreadable=True))
    assert verdict.code == "active"
    assert "cannot be read" in verdict.reason


def test_a_threshold_of_zero_never_stops_while_there_are_new_bests_and_stops_when_there_are_none():
    creeping = [1 - 1 / (1 + at) for at in range(100)]
    for option in ("min_gain_per_kg", "min_gain_per_kwh", "min_gain_on_doubling"):
        policy = MarginalGain("val_acc", **{option: 0.0})
        assert stop_epoch(creeping, policy) is None
        stop = replay(run([*creeping[:50], *[0.5] * 50]), policy, PLAN)
        assert stop.record.epoch > 50
        assert "no new best" in stop.verdict.reason


def test_a_new_best_among_falling_values_is_improving_at_a_threshold_of_zero():
    values = [0.5] * 20 + [0.5 - 0.01 * at for at in range(15)] + [0.51]
    assert not MarginalGain("val_acc", min_gain_per_kg=0.0).decide(run(values), PLAN).stop


def test_noise_makes_it_wait():
    quiet = [min(at, 20) / 20 for at in range(45)]
    noisy = [value + (0.2 if at % 2 else -0.2) for at, value in enumerate(quiet)]
    policy = MarginalGain("val_acc", min_gain_per_kg=0.1)
    assert policy.decide(run(quiet), PLAN).stop
    assert not policy.decide(run(noisy), PLAN).stop


def records(values, kg=0.01, rates=None):
    return list(run(values, kg=kg, rates=rates))


@pytest.mark.parametrize("plan", [PLAN, Plan(), Plan(emissions_kg=1.0), Plan(epochs=100, learning_rate_drops=(30,))])
@pytest.mark.parametrize("first", [saturating(100), [0.99] * 37, saturating(5)])
def test_a_second_fit_is_judged_like_a_first_one(first, plan):
    policy = MarginalGain("val_acc", acceptable=0.5)
    between = [EpochRecord.scripted(emissions_kg=0.3, metrics={"test_acc": 0.9})]
    alone, after, learned = History(), History([*records(first, kg=0.02), *between]), saturating(100)
    for record in records([value if at % 3 != 1 else None for at, value in enumerate(learned)]):
        alone.append(record)
        after.append(record)
        one, two = policy.decide(alone, plan), policy.decide(after, plan)
        assert (one.stop, one.code, one.reason) == (two.stop, two.code, two.reason)
        assert one.values == pytest.approx(two.values)
    assert after.fit_row == len(first) + 1


def test_a_rewound_epoch_does_not_begin_a_fit():
    history = History(records(saturating(40)))
    history.rewind(20)
    for record in records(saturating(40))[20:]:
        history.append(record)
    assert history.fit_row == 0
    assert len(history.metric("val_acc").values) == 40


def test_parts_of_epochs_are_judged_like_epochs():
    policy = MarginalGain("val_acc", min_gain_per_kg=0.5)
    parts = History()
    for record in records(saturating(100)):
        parts.append(EpochRecord.scripted(epoch=record.epoch, emissions_kg=0.0)._replace(closes_epoch=False))
        assert policy.decide(parts, PLAN).code == "waiting"
        parts.append(record)
    assert parts.fit_row == 0
    found = replay(parts, policy, PLAN)
    assert found.record.epoch == stop_epoch(saturating(100), policy)


def test_an_epoch_without_the_metric_costs_energy_and_decides_nothing():
    verdict = MarginalGain("val_acc").decide(run([*saturating(90), None]), PLAN)
    assert verdict.code == "waiting"
    assert "not reported in the last record" in verdict.reason


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_no_number_decides_nothing_and_is_left_out_later(odd):
    values = [*saturating(50), odd, *saturating(100)[51:90]]
    policy = MarginalGain("val_acc")
    assert policy.decide(run(values[:51]), PLAN).code == "waiting"
    assert policy.decide(run(values), PLAN).stop


def test_a_monitor_that_does_not_appear_is_named_with_the_keys_that_do():
    verdict = MarginalGain("val_acc").decide(run([0.1], metric="valid/acc"), PLAN)
    assert "val_acc has not been reported yet. Reported metrics: valid/acc" in verdict.reason


def test_without_measured_energy_nothing_is_decided():
    verdict = MarginalGain("val_acc").decide(run([0.5] * 50, kg=0.0), PLAN)
    assert verdict.code == "waiting"
    assert "No energy was measured" in verdict.reason


def test_energy_that_stopped_being_measured_leaves_nothing_to_judge():
    history = run([0.5] * 5)
    for at in range(5, 40):
        history.append(EpochRecord.scripted(epoch=at, metrics={"val_acc": 0.5}))
    assert MarginalGain("val_acc").decide(history, PLAN).code == "waiting"


def on_grids(values, grams):
    history = History()
    for at, (value, g_per_kwh) in enumerate(zip(values, grams, strict=True)):
        record = EpochRecord.scripted(epoch=at, emissions_kg=1.0, metrics={"val_acc": value})
        intensity = Intensity(g_per_kwh=g_per_kwh, source="scripted", found_by="scripted")
        history.append(record._replace(intensity=intensity))
    return history


def test_a_run_does_not_stop_because_the_grid_turned_dirty_but_goes_on_where_it_turned_clean():
    rising = [0.01 * at for at in range(60)]
    policy = MarginalGain("val_acc", min_gain_per_kg=0.05)
    assert replay(on_grids(rising, [100.0] * 60), policy, PLAN) is None
    assert replay(on_grids(rising, [100.0] * 25 + [900.0] * 35), policy, PLAN) is None
    assert replay(on_grids(rising, [900.0] * 60), policy, PLAN) is not None
    assert not policy.decide(on_grids(rising, [900.0] * 59 + [100.0]), PLAN).stop


def test_report_only_says_where_it_would_stop_and_never_does():
    policy = MarginalGain("val_acc", report_only=True)
    verdict = policy.decide(run(saturating(90)), PLAN)
    assert (verdict.stop, verdict.code) == (False, "warning")
    assert "It would stop here" in verdict.reason
    assert replay(run(saturating(100)), policy, PLAN) is None


def test_values_hold_the_gain_per_kg_per_kwh_and_by_a_doubling():
    verdict = MarginalGain("val_acc").decide(run([0.02 * at for at in range(31)], kg=0.1), PLAN)
    assert verdict.values["green/gain_per_kg"] == pytest.approx(0.2, rel=0.01)
    assert verdict.values["green/gain_per_kwh"] == pytest.approx(0.2, rel=0.01)
    assert verdict.values["green/gain_on_doubling"] == pytest.approx(0.2 * 3.1 / 2 / 0.6, rel=0.01)


def test_what_a_doubling_brings_is_exact_where_every_doubling_brings_the_same():
    values = [math.log2(1 + at) for at in range(64)]
    verdict = MarginalGain("val_acc", min_gain_on_doubling=1.001 / 6).decide(run(values, kg=0.1), PLAN)
    assert verdict.values["green/gain_on_doubling"] == pytest.approx(1 / 6)
    assert verdict.stop
    assert not MarginalGain("val_acc", min_gain_on_doubling=0.999 / 6).decide(run(values, kg=0.1), PLAN).stop


def test_a_price_must_be_worth_half_as_much_energy_again():
    values = [math.log(1 + at) for at in range(64)]
    worth = math.log(1.5) / (0.5 * 6.4)
    assert MarginalGain("val_acc", min_gain_per_kwh=1.001 * worth).decide(run(values, kg=0.1), PLAN).stop
    assert not MarginalGain("val_acc", min_gain_per_kwh=0.999 * worth).decide(run(values, kg=0.1), PLAN).stop


def test_a_curve_that_has_begun_to_rise_again_is_not_stopped():
    values = [0.5] * 30 + [0.5 + 0.01 * at for at in range(8)]
    policy = MarginalGain("val_acc", min_gain_per_kwh=0.5)
    assert policy.decide(run(values[:30]), PLAN).stop
    assert not policy.decide(run(values), PLAN).stop


def test_a_run_of_few_validations_is_not_given_up():
    flat = [0.1 if at % 10 == 9 else None for at in range(100)]
    policy = MarginalGain("val_acc", acceptable=0.8)
    assert stop_epoch(flat, policy) == 99
    assert stop_epoch([0.1] * 100, policy) == 49


def test_the_price_is_said_in_words():
    said = MarginalGain("val_acc", min_gain_per_kg=0.005).describe()
    assert said == "1 kg of CO2e must gain at least 0.005 of val_acc."
    assert "1 kWh must gain at least 0.01 of val_acc" in MarginalGain("val_acc", min_gain_per_kwh=0.01).describe()
    assert "doubling of the energy" in MarginalGain("val_acc").describe()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"min_gain_per_kg": 0.1, "min_gain_per_kwh": 0.1}, "one threshold"),
        ({"min_gain_per_kg": -0.1}, "0 or more"),
        ({"min_gain_on_doubling": math.nan}, "0 or more"),
        ({"mode": "up"}, "'max', 'min' or 'auto'"),
        ({"acceptable": math.inf}, "can reach"),
        ({"not_learning_after": 0.0}, "share of the plan"),
        ({"on_annealing": "warn"}, "'hold' or 'stop'"),
        ({"min_gain_per_kg": "cheap"}, "Write a number"),
        ({"acceptable": [0.9]}, "Write a number"),
        ({"min_gain_per_kwh": 10**400}, "Write a number"),
    ],
)
def test_options_that_cannot_work_are_refused_at_construction(options, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        MarginalGain("val_acc", **options)


def test_it_pickles_compares_and_knows_its_mode():
    policy = MarginalGain("val_loss", acceptable=0.2)
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert policy.mode == "min"


def test_a_long_run_is_judged_like_its_thinned_self():
    policy = MarginalGain("val_acc", min_gain_per_kwh=1.0)
    dense = stop_epoch(saturating(2000, 200), policy, Plan(epochs=2000), kg=0.001)
    assert dense == pytest.approx(200 * math.log(1 / 0.2) + 150, rel=0.5)


def test_a_drop_within_a_long_run_is_found_though_the_rate_rose_again():
    rates = [0.1] * 700 + [0.01] * 3 + [0.1] * 297
    policy, plan = MarginalGain("val_acc"), Plan(epochs=1000)
    values = saturating(700, 50) + [1.0 + 0.2 * value for value in saturating(300, 5)]
    assert not policy.decide(run(values[:704], rates=rates[:704]), plan).stop
    assert policy.decide(run(values[:704], rates=[0.1] * 704), plan).stop


def test_a_metric_must_be_named():
    with pytest.raises(ConfigurationError, match="Name the metric"):
        MarginalGain(None)


def test_a_first_epoch_that_took_next_to_nothing_is_survived():
    history = History(
        EpochRecord.scripted(epoch=at, emissions_kg=kg, metrics={"val_acc": 0.1 * at})
        for at, kg in enumerate([1e-30, 0.5, 0.5])
    )
    verdict = MarginalGain("val_acc").decide(history, PLAN)
    assert verdict.values["green/gain_per_kg"] > 0


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1e300])
def test_a_metric_of_any_size_is_stopped_where_any_other_is(size):
    values = [size * value for value in saturating(100)]
    for policy in (MarginalGain("val_acc"), MarginalGain("val_acc", min_gain_on_doubling=0.2)):
        assert stop_epoch(values, policy) == stop_epoch(saturating(100), policy)


def test_values_too_far_apart_for_a_number_are_said_and_decide_nothing():
    verdict = MarginalGain("val_acc").decide(run([-1.7e308, 1.7e308] * 20), PLAN)
    assert verdict.code == "waiting"
    assert "is not finite" in verdict.reason


def test_a_price_too_high_for_a_number_is_a_price():
    history = run([1e-3 * value for value in saturating(60)], kg=1e3)
    verdict = MarginalGain("val_acc", min_gain_per_kwh=1e308).decide(history, PLAN)
    assert verdict.stop
    assert "the least that pays is" in verdict.reason
    assert verdict.reason.endswith("e+307.")
