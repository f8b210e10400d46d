"""What cannot act says so once, as early as it can be known, and the summary repeats it."""

import logging
import time

import pytest
from support import runs
from support.runs import WATTS, ListSink, train

from green_callbacks import CarbonBudget, MarginalGain, Plan, Summary, read_ledger
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import BudgetSpentError
from green_callbacks.policies import Forecast
from green_callbacks.records import Verdict
from green_callbacks.sources import ScriptedSource

QUIET = {"min_gain_on_doubling": 0.0}


@pytest.fixture
def scripted():
    """Accountants that are closed at the end, whatever comes."""
    made = []

    def make(*arguments, **options):
        accountant, clock = runs.scripted(*arguments, **options)
        made.append(accountant)
        return accountant, clock

    yield make
    for each in made:
        each.close()


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def said_once(caplog, accountant, beginning):
    """Return what was warned of, once, and is repeated by the run."""
    (said,) = [message for message in warnings(caplog) if message.startswith(beginning)]
    assert said in accountant.close().notices
    return said


def wait_until(is_so, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert is_so()


def test_where_nothing_is_measured_budgets_and_rules_say_so_at_the_start(scripted, caplog):
    accountant, _ = scripted(sources=[], policies=[CarbonBudget("1 kg"), MarginalGain("val_acc"), lambda *_: False])
    accountant.start()
    said = said_once(caplog, accountant, "Nothing is measured")
    assert "CarbonBudget('1 kg') and MarginalGain('val_acc') cannot act." in said
    assert "green-callbacks doctor" in said


def test_where_nothing_is_measured_that_is_the_only_sentence(scripted, caplog):
    accountant, clock = scripted(sources=[], policies=[CarbonBudget("1 kg"), MarginalGain("loss")])
    train(accountant, clock, range(3), seconds=40.0, metrics=lambda _: {"loss": 1.0})
    (said,) = accountant.close().notices
    assert said.startswith("Nothing is measured in this run")


def test_where_nothing_is_measured_and_nothing_needs_it_nothing_is_said(scripted, caplog):
    accountant, clock = scripted(sources=[], policies=[lambda *_: False])
    train(accountant, clock, range(3))
    assert not accountant.close().notices


def broken(clock, since):
    """A source that tells nothing any more from some time on."""
    return ScriptedSource(WATTS, name="broken", lost_seconds=[(since, 1e9)], clock=clock)


def test_an_epoch_whose_energy_was_not_measured_is_said(scripted, caplog):
    clock = ScriptedClock()
    accountant, _ = scripted(clock, sources=[broken(clock, since=15.0)], policies=[CarbonBudget("1 kg")])
    train(accountant, clock, range(4), seconds=10.0)
    said = said_once(caplog, accountant, "The energy of epoch 2 was not measured")
    assert "CarbonBudget('1 kg') cannot count it" in said


def test_a_device_that_was_not_measured_is_named(scripted, caplog):
    clock = ScriptedClock()
    sources = [broken(clock, since=15.0), ScriptedSource(WATTS, name="scripted:0", clock=clock)]
    accountant, _ = scripted(clock, sources=sources, policies=[CarbonBudget("1 kg")])
    train(accountant, clock, range(4), seconds=40.0)
    said = said_once(caplog, accountant, "broken was not measured for most of epoch")
    assert "counts less than was used" in said


def test_a_meter_that_shows_nothing_but_zero_is_said(scripted, caplog):
    accountant, clock = scripted(watts=0.0, policies=[CarbonBudget("1 kg")])
    train(accountant, clock, range(3), seconds=60.0)
    said = said_once(caplog, accountant, "No energy at all was measured in epoch 0")
    assert "CarbonBudget('1 kg') cannot act" in said


def test_an_endless_epoch_that_is_not_measured_is_said_inside_it(scripted, caplog):
    clock = ScriptedClock()
    accountant, _ = scripted(clock, sources=[broken(clock, since=0.5)], policies=[CarbonBudget("1 kg")])
    accountant.begin_epoch(0)
    for _ in range(200):
        clock.advance(1.0)
        assert not accountant.look()
    said_once(caplog, accountant, "Nothing was measured in the last ")


def test_a_budget_of_emissions_where_there_are_none_is_said_at_the_start(scripted, caplog):
    accountant, _ = scripted(carbon_intensity=0.0, policies=[CarbonBudget("1 kg"), CarbonBudget("1 kWh")])
    accountant.start()
    said = said_once(caplog, accountant, "The carbon intensity is 0 gCO2e/kWh")
    assert "CarbonBudget('1 kg') cannot act, whatever is used" in said
    assert "kWh" in said


def test_a_rule_of_a_run_without_metrics_is_said_after_its_first_epoch(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    accountant.start()
    train(accountant, clock, [0])
    said = said_once(caplog, accountant, "MarginalGain watches the metric 'val_acc'")
    assert "no metric at all was observed in epoch 0. Log it, or call observe({'val_acc': …}) inside" in said


@pytest.mark.parametrize(
    ("there", "meant"),
    [
        ("val_accuracy", "val_accuracy"),
        ("val/acc", "val/acc"),
        ("Val_Acc", "Val_Acc"),
        ("val_acc_epoch",) * 2,
        ("val_acc/dataloader_idx_0",) * 2,
    ],
)
def test_the_nearest_key_is_named(there, meant, scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    train(accountant, clock, range(3), metrics=lambda _: {"loss": 1.0, there: 0.5})
    assert f"Did you mean {meant!r}? There are: " in said_once(caplog, accountant, "MarginalGain watches")


def test_a_metric_of_training_is_missed_after_the_first_epoch_that_has_others(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("recall")])
    accountant.start()
    train(accountant, clock, [0], metrics=lambda _: {"loss": 1.0})
    assert "it has not appeared in epoch 0. There are: loss." in said_once(caplog, accountant, "MarginalGain watches")


def test_a_metric_of_validations_is_not_missed_before_there_may_have_been_one(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    train(accountant, clock, range(2), metrics=lambda _: {"loss": 1.0})
    assert not warnings(caplog)
    train(accountant, clock, range(2, 4), metrics=lambda _: {"loss": 1.0})
    assert "no metric of a validation has appeared in epoch 2" in said_once(caplog, accountant, "MarginalGain watches")


def test_a_validation_that_tells_nothing_is_said_at_once(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    accountant.begin_epoch(0)
    clock.advance(1.0)
    with accountant.phase("validation"):
        clock.advance(1.0)
    accountant.observe({"loss": 1.0})
    accountant.end_epoch()
    said_once(caplog, accountant, "MarginalGain watches")


@pytest.mark.parametrize(
    ("every", "plan", "why"),
    [(None, Plan(), "no validation takes place in this run"), (20, Plan(epochs=10), "within the 10 planned epochs")],
)
def test_what_the_framework_will_not_validate_is_said_at_the_start(every, plan, why, scripted, caplog):
    accountant, _ = scripted(policies=[MarginalGain("val_acc"), MarginalGain("acc")])
    accountant.start(plan=plan)
    accountant.expect_validation(every)
    assert why in said_once(caplog, accountant, "MarginalGain watches the metric 'val_acc'")


def test_what_will_not_be_validated_is_said_of_whoever_watches_later_too(scripted, caplog):
    accountant, _ = scripted()
    accountant.start()
    accountant.expect_validation(None)
    assert not warnings(caplog)
    accountant.watch("val_loss", "min")
    assert "no validation takes place" in said_once(caplog, accountant, "FrontCheckpoint watches the metric 'val_loss'")


def test_a_framework_that_validates_seldom_and_logs_nothing_else_is_waited_for(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    accountant.start()
    accountant.expect_validation(3)
    train(accountant, clock, range(2))
    assert not warnings(caplog)
    train(accountant, clock, [2])
    assert "no metric at all was observed in epoch 2" in said_once(caplog, accountant, "MarginalGain watches")


def test_where_the_framework_validates_seldom_its_metric_is_waited_for(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    accountant.start(plan=Plan(epochs=30))
    accountant.expect_validation(5)
    train(accountant, clock, range(4), metrics=lambda _: {"loss": 1.0})
    assert not warnings(caplog)
    train(accountant, clock, [4], metrics=lambda _: {"loss": 1.0})
    said_once(caplog, accountant, "MarginalGain watches")


def test_a_metric_that_comes_after_all_is_no_longer_complained_of(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc", **QUIET)], ledger="run.jsonl")
    train(accountant, clock, range(4), metrics=lambda _: {"loss": 1.0})
    assert warnings(caplog)
    train(accountant, clock, range(4, 30), metrics=lambda epoch: {"val_acc": epoch / 10})
    run = accountant.close()
    assert not run.notices
    assert not read_ledger(run.ledger).notices


def test_a_metric_that_comes_between_epochs_is_said(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    accountant.start()
    for epoch in range(3):
        accountant.begin_epoch(epoch)
        clock.advance(10.0)
        accountant.end_epoch()
        accountant.observe({"val_acc": 0.5})
        clock.advance(1.0)
    said = [message for message in warnings(caplog) if "between epochs" in message or "no metric at all" in message]
    assert len(said) == 1
    assert said[0] in accountant.close().notices


def test_a_metric_that_is_never_finite_is_said(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    train(accountant, clock, range(4), metrics=lambda _: {"val_acc": float("nan")})
    assert "all its values so far are nan" in said_once(caplog, accountant, "MarginalGain watches")


def test_a_metric_that_is_no_number_is_said(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    train(accountant, clock, range(2), metrics=lambda _: {"val_acc": "0.93 %", "loss": 1.0})
    assert "its values are no numbers" in said_once(caplog, accountant, "MarginalGain watches")


def test_a_rule_that_had_too_few_points_to_the_end_is_said(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    train(accountant, clock, range(3), metrics=lambda epoch: {"val_acc": epoch / 10})
    run = accountant.close()
    (said,) = run.notices
    assert said.startswith("MarginalGain('val_acc') has decided nothing so far. ")
    assert said in warnings(caplog)


def test_a_rule_that_could_decide_is_not_complained_of(scripted):
    accountant, clock = scripted(policies=[MarginalGain("val_acc", **QUIET), CarbonBudget("1 t"), Forecast()])
    train(accountant, clock, range(30), metrics=lambda epoch: {"val_acc": epoch / 10})
    assert not accountant.close().notices


def test_a_rule_that_is_only_asked_after_the_one_planned_epoch_is_said_at_the_start(scripted, caplog):
    accountant, _ = scripted(policies=[MarginalGain("loss"), CarbonBudget("1 kg")])
    next(accountant.epochs(1))
    said = said_once(
        caplog, accountant, "No more than one epoch is planned, and MarginalGain('loss') can only be asked"
    )
    assert "decide_every" in said


@pytest.mark.parametrize("options", [{"decide_every": "10 min"}, {"policies": [CarbonBudget("1 kg")]}])
def test_one_planned_epoch_is_no_matter_where_all_are_asked_inside_it(options, scripted, caplog):
    accountant, _ = scripted(**{"policies": [MarginalGain("loss")], **options})
    next(accountant.epochs(1))
    assert "one epoch is planned" not in caplog.text


def test_a_rule_that_waits_for_a_long_first_epoch_is_said_while_it_goes_on(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("loss")])
    accountant.start(plan=Plan(steps=10**6))
    accountant.begin_epoch(0)
    clock.advance(31 * 60.0)
    wait_until(lambda: "Epoch 0 has taken 31 min" in caplog.text)
    assert "decide_every" in said_once(caplog, accountant, "Epoch 0 has taken")


def test_a_rule_that_waited_for_an_epoch_that_never_ended_is_said_at_the_end(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("loss")])
    accountant.begin_epoch(0)
    accountant.observe({"loss": 1.0})
    clock.advance(3600.0)
    accountant.close()
    said = said_once(caplog, accountant, "Epoch 0 has taken 1 h")
    assert "decide_every" in said


def test_a_price_in_kg_where_nothing_is_emitted_is_said_at_the_start(scripted, caplog):
    accountant, _ = scripted(carbon_intensity=0.0, policies=[MarginalGain("loss", min_gain_per_kg=1.0)])
    accountant.start()
    assert "MarginalGain('loss') cannot act" in said_once(caplog, accountant, "The carbon intensity is 0")


def test_a_budget_that_was_overspent_in_an_epoch_of_a_loop_that_does_not_ask_is_said(scripted, caplog):
    accountant, clock = scripted(policies=[CarbonBudget(f"{10 * WATTS} J")])
    for _ in accountant.epochs(3):
        for _ in range(100):
            clock.advance(1.0)
    said = said_once(caplog, accountant, "In epoch 0: ")
    assert "are spent. The loop does not ask inside an epoch" in said
    assert "accountant.steps(batches)" in said


def test_a_budget_that_is_kept_by_whole_epochs_is_not_complained_of(scripted):
    accountant, clock = scripted(policies=[CarbonBudget(f"{101 * WATTS} J")])
    for _ in accountant.epochs(30):
        clock.advance(20.0)
    assert accountant.history.finished_epochs == 5
    assert not accountant.close().notices


def test_metrics_without_any_epoch_are_said_when_they_come_again(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc"), CarbonBudget("1 t")])
    accountant.start()
    accountant.observe({"val_acc": 0.1})  # before training
    clock.advance(10.0)
    assert not warnings(caplog)
    accountant.observe({"val_acc": 0.2})
    said = said_once(caplog, accountant, "No epoch has begun in this run")
    assert "MarginalGain('val_acc') and CarbonBudget('1 t') cannot act" in said
    assert "accountant.epochs(n)" in said


def test_metrics_before_and_between_epochs_are_no_run_without_epochs(scripted, caplog):
    accountant, clock = scripted(policies=[CarbonBudget("1 t")])
    accountant.start()
    accountant.observe({"val_acc": 0.1})
    for _ in range(3):
        train(accountant, clock, [accountant.history.finished_epochs])
        accountant.observe({"test_acc": 0.1})
        accountant.observe({"test_acc": 0.2})
    accountant.close()
    assert not warnings(caplog)


def test_a_budget_that_is_overspent_without_any_epoch_is_said_at_the_end(scripted, caplog):
    accountant, clock = scripted(policies=[CarbonBudget("1 g")])
    accountant.start()
    clock.advance(3600.0)
    accountant.close()
    said = said_once(caplog, accountant, "300 g of the budget of 1.00 g are spent.")
    assert "No epoch has begun in this run, so CarbonBudget('1 g') cannot act." in said


def test_a_budget_that_is_overspent_without_any_epoch_is_said_with_the_next_heartbeat(scripted, caplog, monkeypatch):
    monkeypatch.setattr("green_callbacks.accountant.run.run.HEARTBEAT_SECONDS", 0.05)
    accountant, clock = scripted(policies=[CarbonBudget("1 g")])
    accountant.start()
    clock.advance(3600.0)
    wait_until(lambda: any("No epoch has begun" in each for each in warnings(caplog)))


def test_a_run_that_is_refused_since_its_budget_is_spent_is_not_told_of_epochs(scripted, caplog):
    accountant, _ = scripted(policies=[CarbonBudget("1 g", spent_before=0.002)])
    accountant.start()
    with pytest.raises(BudgetSpentError):
        accountant.begin_epoch(0)
    assert not warnings(caplog)


def test_a_ledger_to_which_another_run_writes_is_repeated_at_the_end(scripted, tmp_path):
    path = tmp_path / "run.jsonl"
    (one, clock), (other, _) = (scripted(name=f"scripted:{at}", ledger=path) for at in range(2))
    one.start()
    other.start()
    for epoch in range(2):
        train(one, clock, [epoch])
        train(other, clock, [epoch])
    assert any(f"Another run has written to the ledger {path}" in each for each in one.close().notices)


@pytest.mark.parametrize("has_started", [True, False])
def test_steps_outside_of_an_epoch_are_said(has_started, scripted, caplog):
    accountant, _ = scripted()
    if has_started:
        accountant.start()
    assert list(accountant.steps(range(3))) == [0, 1, 2]
    assert "no policy is asked" in said_once(caplog, accountant, "accountant.steps() goes through batches outside")


def test_epochs_that_nobody_ends_are_said(scripted, caplog):
    accountant, clock = scripted()
    for epoch in range(3):
        accountant.begin_epoch(epoch)
        clock.advance(10.0)
    said = said_once(caplog, accountant, "Epoch 0 had not been ended when epoch 1 began")
    assert "Call end_epoch() after each" in said


def test_an_epoch_that_was_interrupted_and_is_begun_again_is_not_complained_of(scripted):
    accountant, clock = scripted()
    accountant.begin_epoch(0)
    clock.advance(10.0)
    train(accountant, clock, range(2))
    assert not accountant.close().notices


def test_a_loop_of_its_own_epochs_that_trains_again_after_the_close_is_measured(scripted, tmp_path):
    accountant, clock = scripted(policies=[CarbonBudget("1 kg")], ledger=tmp_path / "run.jsonl")
    for first in (0, 2):
        train(accountant, clock, range(first, first + 2))
        accountant.close()
    contents = read_ledger(tmp_path / "run.jsonl")
    assert contents.history.finished_epochs == accountant.history.finished_epochs == 4
    assert contents.history.energy_joules == 4 * 10.0 * WATTS
    assert contents.is_closed


def test_of_two_loops_that_take_turns_on_one_thread_the_later_is_measured(scripted, caplog):
    clock = ScriptedClock()
    one, other = (scripted(clock)[0] for _ in range(2))
    loops = [each.epochs(3) for each in (one, other)]
    for _ in range(3):
        for loop in loops:
            next(loop)
            clock.advance(10.0)
    other.close()
    assert other.history.finished_epochs == 2  # and the third is still open
    assert sum("is closed, because" in each for each in warnings(caplog)) == 1


def test_a_loop_that_does_not_ask_whether_to_stop_is_told(scripted, caplog):
    accountant, clock = scripted(policies=[lambda *_: "It is enough."])
    train(accountant, clock, range(3))
    said = said_once(caplog, accountant, "Epoch 1 begins although the run was to stop. It is enough.")
    assert "accountant.stop_reason" in said


def test_a_framework_whose_epochs_go_on_after_a_stop_is_not_told(scripted, caplog):
    accountant, clock = scripted(policies=[lambda *_: "It is enough."])
    accountant.start(gpu_name="")
    train(accountant, clock, range(3))
    assert not accountant.close().notices


def test_an_interval_without_steps_is_said(scripted, caplog):
    accountant, clock = scripted(decide_every=10, policies=[CarbonBudget("1 kg")])
    train(accountant, clock, range(3))
    said = said_once(caplog, accountant, "No step was counted in epoch 0")
    assert "accountant.steps(batches)" in said


def test_an_interval_without_steps_is_said_while_a_long_epoch_goes_on(scripted, caplog):
    accountant, clock = scripted(decide_every="1 min")
    accountant.begin_epoch(0)
    clock.advance(150.0)
    wait_until(lambda: "No step was counted in the first 2 min 30 s of epoch 0" in caplog.text)


def test_an_interval_with_steps_is_not_complained_of(scripted):
    accountant, clock = scripted(decide_every=10)
    for _ in accountant.epochs(2):
        for _ in accountant.steps(range(5)):
            clock.advance(1.0)
    assert not accountant.close().notices


def test_a_policy_that_fails_is_repeated_by_the_summary(scripted, caplog):
    lines = []

    def divide(history, plan):
        return 1 / 0

    accountant, clock = scripted(policies=[divide], sinks=[Summary(lines.append)])
    train(accountant, clock, range(2))
    said = said_once(caplog, accountant, "The policy divide failed. Training goes on without it.")
    assert "ZeroDivisionError" in said
    assert "Note" in lines[0]
    assert "The policy divide failed" in lines[0]


def test_a_rule_that_only_reports_is_repeated_where_it_would_have_stopped(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc", report_only=True)])
    train(accountant, clock, range(40), metrics=lambda epoch: {"val_acc": min(epoch, 5) / 10 + 0.0001 * epoch})
    said = said_once(caplog, accountant, "MarginalGain('val_acc') in epoch ")
    assert "It would stop here, but only reports." in said


def test_a_sink_that_fails_is_repeated_by_the_summary(scripted):
    class Failing(ListSink):
        def write(self, record):
            raise OSError(28)

    accountant, clock = scripted(sinks=[Failing()])
    train(accountant, clock, range(2))
    accountant._run._delivery.worker.drain(5.0)
    (said,) = accountant.close().notices
    assert (
        said == "The sink Failing failed (OSError: 28). The ledger holds the records that it misses. Training goes on."
    )


def test_the_ledger_keeps_what_was_said_and_the_next_process_says_it_again(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")], ledger="run.jsonl")
    train(accountant, clock, range(1))
    accountant.warn("ours", "Something of ours cannot %s. Do this.", "be")
    run = accountant.close()
    first = read_ledger(run.ledger)
    assert tuple(first.notices.values()) == run.notices
    assert len(run.notices) == 2
    caplog.clear()
    again, _ = scripted(clock, policies=[MarginalGain("val_acc")], ledger="run.jsonl")
    train(again, clock, range(1, 2))
    assert len(warnings(caplog)) == 1, "what still holds is said again"
    assert len(again.close().notices) == 2


def test_ranks_say_it_once(caplog):
    from support.thread_ranks import on_ranks

    def body(ranks):
        clock = ScriptedClock()
        accountant, _ = runs.scripted(
            clock, name=f"gpu:{ranks.rank}", sources=[], policies=[CarbonBudget("1 kg"), MarginalGain("val_acc")]
        )
        accountant.start(ranks=ranks)
        for epoch in range(3):
            accountant.begin_epoch(epoch)
            for _ in range(3):
                clock.advance(1.0)
                accountant.look()
            accountant.end_epoch()
        return accountant.close()

    on_ranks(2, body)
    said = [message for message in warnings(caplog) if "cannot act" in message]
    assert len(said) == len(set(said)) == 2


def test_a_policy_with_a_verdict_of_its_own_that_always_waits_is_left_alone(scripted):
    accountant, clock = scripted(policies=[lambda *_: Verdict(stop=False, code="waiting", reason="Looking on.")])
    train(accountant, clock, range(3))
    assert not accountant.close().notices


def test_the_command_line_repeats_what_the_ledger_keeps(scripted, capsys):
    from green_callbacks.cli import main

    accountant, clock = scripted(policies=[MarginalGain("val_acc")], ledger="run.jsonl")
    train(accountant, clock, range(3), metrics=lambda _: {"val_accuracy": 0.5})
    accountant.close()
    main(["summary", "run.jsonl"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "Note MarginalGain watches the metric 'val_acc' and cannot act so far" in shown


def test_a_disk_that_takes_nothing_is_repeated_at_the_end(scripted):
    accountant, clock = scripted(ledger="/proc/no-such-folder/run.jsonl")
    train(accountant, clock, range(2))
    (said,) = accountant.close().notices
    assert "could not be written" in said


def test_a_source_that_cannot_be_opened_is_repeated_at_the_end(scripted):
    from green_callbacks.errors import SourceUnavailableError

    class Closed(ScriptedSource):
        def open(self):
            raise SourceUnavailableError("The sensor is not there.")  # noqa: EM101, TRY003

    clock = ScriptedClock()
    accountant, _ = scripted(clock, sources=[Closed(), ScriptedSource(WATTS, clock=clock)])
    train(accountant, clock, range(2))
    (said,) = accountant.close().notices
    assert said.startswith("Closed could not be opened, so its devices are missing.")


def test_a_metric_is_not_missed_where_a_budget_stops_the_first_epoch(scripted):
    accountant, clock = scripted(policies=[MarginalGain("val_acc"), CarbonBudget(f"{10 * WATTS} J")])
    for _ in accountant.epochs(3):
        for _ in accountant.steps(range(100)):
            clock.advance(1.0)
    assert not accountant.close().notices


def test_a_run_with_nothing_amiss_has_nothing_to_note(scripted):
    accountant, clock = scripted(
        policies=[CarbonBudget("1 t"), CarbonBudget("1 MWh", hard=False), lambda *_: False], ledger="run.jsonl"
    )
    with accountant:
        for _ in accountant.epochs(3):
            for _ in accountant.steps(range(5)):
                clock.advance(60.0)
            accountant.observe({"loss": 1.0})
    assert not accountant.close().notices
    assert not read_ledger("run.jsonl").notices


def test_a_metric_of_one_of_several_loaders_is_proposed(scripted, caplog):
    accountant, clock = scripted(policies=[MarginalGain("val_acc")])
    train(accountant, clock, [0], metrics=lambda _: {"loss": 1.0, "val_acc/dataloader_idx_0": 0.5})
    said = said_once(caplog, accountant, "MarginalGain watches the metric 'val_acc'")
    assert "Did you mean 'val_acc/dataloader_idx_0'?" in said
