import threading
from math import nan

import pytest
import torch
from frameworks.ignite.tiny import BATCHES, EPOCH_JOULES, UserError, loader, rows
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, DiskSaver

from green_callbacks import CarbonBudget, MarginalGain, read_ledger
from green_callbacks.errors import BudgetSpentError, ConfigurationError

WHOLE = [(0, True, 4, 8, 0.1), (1, True, 8, 8, 0.2), (2, True, 12, 8, 0.3)]


def settle(monitor):
    """Wait until the run of a training that has failed is closed."""
    for thread in threading.enumerate():
        if thread.name.startswith("green_callbacks"):
            thread.join(60)
    assert not monitor.accountant.is_live


@pytest.mark.parametrize("is_first", [True, False])
def test_the_order_of_handlers_does_not_matter_for_the_records(script, is_first):
    monitor = script.monitor()
    if is_first:
        monitor.attach(script.trainer, script.evaluator)
    script.validate()
    if not is_first:
        monitor.attach(script.trainer, script.evaluator)

    script.run()

    assert rows(monitor) == WHOLE
    assert monitor.accountant.history.energy_joules == pytest.approx(3 * EPOCH_JOULES)
    assert all(each.phases["validation"].joules == 150.0 for each in monitor.accountant.history)


def test_handlers_after_the_monitor_see_the_numbers_of_their_epoch(script):
    script.validate()
    script.monitor().attach(script.trainer, script.evaluator)
    seen = []
    metrics = script.trainer.state.metrics
    script.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: seen.append(metrics["green/emissions_total_g"]))

    script.run()

    assert seen == pytest.approx([EPOCH_JOULES / 3600 * count for count in (1, 2, 3)])


def test_handlers_before_the_monitor_see_no_numbers_of_another_epoch(script):
    seen = []
    metrics = script.trainer.state.metrics
    script.trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: seen.append(metrics.get("green/energy_wh")))
    script.monitor().attach(script.trainer)

    script.run()

    assert seen == [None, None, None]
    assert metrics["green/energy_wh"] == pytest.approx(1200 / 3600)


def test_a_stop_inside_an_epoch_validates_and_saves_as_after_any_epoch(script):
    monitor = script.monitor(policies=[CarbonBudget(f"{0.5 * EPOCH_JOULES} J")])
    monitor.attach(script.trainer, script.evaluator)
    script.validate()
    save = Checkpoint({"trainer": script.trainer}, DiskSaver(script.folder / "saved"), n_saved=None)
    script.trainer.add_event_handler(Events.EPOCH_COMPLETED, save)
    ended = []
    script.trainer.add_event_handler(Events.COMPLETED, lambda: ended.append(script.trainer.state.iteration))

    script.run()

    ((epoch, is_complete, steps, samples, score),) = rows(monitor)
    assert (epoch, is_complete, score) == (0, False, 0.1)
    assert ended == [steps] == [samples / 2]
    assert steps < BATCHES
    assert len(list((script.folder / "saved").iterdir())) == 1
    assert "budget" in monitor.accountant.stop_reason


def test_a_rule_stops_after_an_epoch(script):
    script.scores = [1 - 0.5**epoch for epoch in range(20)]
    monitor = script.monitor(policies=[MarginalGain("val_acc")])
    monitor.attach(script.trainer, script.evaluator)
    script.validate()

    script.run(20)

    assert script.trainer.state.epoch == len(rows(monitor)) < 20
    assert " gained " in monitor.accountant.stop_reason


def test_an_exception_reaches_the_caller_and_ends_the_run(script):
    monitor = script.monitor().attach(script.trainer)

    @script.trainer.on(Events.ITERATION_STARTED(once=6))
    def fail():
        raise UserError

    with pytest.raises(UserError):
        script.run()
    settle(monitor)

    assert [row[:2] for row in rows(monitor)] == [(0, True), (1, False)]


def test_an_epoch_whose_exception_the_user_swallows_is_incomplete(script):
    monitor = script.monitor().attach(script.trainer)
    script.trainer.add_event_handler(Events.EXCEPTION_RAISED, lambda engine, exception: None)

    @script.trainer.on(Events.ITERATION_STARTED(once=6))
    def fail():
        raise UserError

    script.run()

    assert [row[:2] for row in rows(monitor)][:2] == [(0, True), (1, False)]
    assert not monitor.accountant.is_live


@pytest.mark.parametrize("step", [6, 8])
@pytest.mark.parametrize("is_first", [True, False])
def test_an_interrupted_trainer_goes_on_with_its_epoch_and_its_pause_is_not_measured(script, step, is_first):
    monitor = script.monitor()
    if is_first:
        monitor.attach(script.trainer, script.evaluator)
    script.validate()
    if not is_first:
        monitor.attach(script.trainer, script.evaluator)
    script.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=step), script.trainer.interrupt)
    data = loader()

    script.trainer.run(data, max_epochs=3)
    assert not monitor.accountant.is_live
    script.clock.advance(1000.0)
    script.trainer.run(data, max_epochs=3)

    assert [row[:2] for row in rows(monitor)] == [(0, True), (1, False), (1, True), (2, True)]
    assert rows(monitor)[2][4] == 0.2
    assert sum(row[3] or 0 for row in rows(monitor)) == 24
    steps = [each.steps for each in monitor.accountant.history if each.epoch is not None]
    assert steps == [4, step - 4, 8 - step, 4]
    assert monitor.accountant.close().energy_joules == pytest.approx(3 * EPOCH_JOULES)


def test_an_evaluation_in_a_pause_takes_no_rest_of_the_epoch(script):
    monitor = script.monitor().attach(script.trainer, script.evaluator)
    script.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=6), script.trainer.interrupt)
    data = loader()

    script.trainer.run(data, max_epochs=3)
    script.evaluator.run([0])
    script.trainer.run(data, max_epochs=3)

    assert [row[:2] for row in rows(monitor)] == [(0, True), (1, False), (1, True), (2, True)]
    assert monitor.accountant.close().energy_joules == 300.0 * 12.5


def test_an_interrupt_between_epochs_leaves_whole_epochs(script):
    monitor = script.monitor().attach(script.trainer, script.evaluator)
    script.validate()
    script.trainer.add_event_handler(Events.EPOCH_STARTED(once=2), script.trainer.interrupt)
    data = loader()

    script.trainer.run(data, max_epochs=3)
    script.trainer.run(data, max_epochs=3)

    assert [row for row in rows(monitor) if row[1]] == WHOLE


def test_an_epoch_that_the_user_ends_early_is_a_short_one(script):
    monitor = script.monitor().attach(script.trainer, script.evaluator)
    script.validate()

    @script.trainer.on(Events.ITERATION_COMPLETED(once=6))
    def end_early():
        script.trainer.terminate_epoch()

    script.run()

    assert rows(monitor) == [WHOLE[0], (1, True, 6, 4, 0.2), (2, True, 10, 8, 0.3)]


def test_an_epoch_whose_end_the_user_skips_is_incomplete(script):
    monitor = script.monitor().attach(script.trainer)
    skip = {"skip_epoch_completed": True}
    script.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=6), lambda: script.trainer.terminate_epoch(**skip))

    script.run()

    assert [row[:2] for row in rows(monitor)] == [(0, True), (1, False), (2, True)]


@pytest.mark.parametrize("skips", [True, False])
def test_a_training_that_the_user_terminates_is_recorded_up_to_that_moment(script, skips):
    monitor = script.monitor().attach(script.trainer)
    script.trainer.add_event_handler(
        Events.ITERATION_COMPLETED(once=6), lambda: script.trainer.terminate(skip_completed=skips)
    )

    script.run()

    assert [row[:4] for row in rows(monitor)] == [(0, True, 4, 8), (1, False, 6, 4)]
    assert not monitor.accountant.is_live


def test_a_trainer_may_count_iterations(script):
    monitor = script.monitor().attach(script.trainer)

    script.trainer.run(loader(), max_iters=6)

    assert [row[:3] for row in rows(monitor)] == [(0, True, 4), (1, False, 6)]
    assert read_ledger(monitor.accountant.ledger).plan.steps == 6


def test_data_without_a_length_have_epochs_too(script):
    monitor = script.monitor().attach(script.trainer)

    script.trainer.run(iter(range(BATCHES)), max_epochs=1)

    assert rows(monitor) == [(0, True, 4, None, None)]


def test_a_loader_is_counted_where_an_epoch_is_several_passes(script):
    monitor = script.monitor().attach(script.trainer)

    script.trainer.run(loader(), max_epochs=2, epoch_length=10)

    assert [row[:4] for row in rows(monitor)] == [(0, True, 10, 20), (1, True, 20, 20)]


def test_a_monitor_that_is_attached_twice_counts_once(script):
    monitor = script.monitor()
    monitor.attach(script.trainer)
    monitor.attach(script.trainer, script.evaluator)
    monitor.attach(script.trainer, script.evaluator)
    script.validate()

    script.run()

    assert rows(monitor) == WHOLE
    assert len(monitor.accountant.history) == 3


def test_a_trainer_inside_a_trainer_counts_for_the_outer_one_and_is_said(script, caplog):
    inner = script.engine(1.0)
    monitor = script.monitor().attach(script.trainer)
    monitor.attach(inner)
    script.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=6), lambda: inner.run([0, 0], max_epochs=2))

    script.run()

    assert [row[:3] for row in rows(monitor)] == [(0, True, 4), (1, True, 8), (2, True, 12)]
    assert monitor.accountant.close().energy_joules == pytest.approx(300.0 * 16)
    assert "inside another training" in caplog.text


def test_an_evaluator_of_two_monitors_counts_for_the_training_that_runs(script, caplog):
    script.monitor(ledger=False).attach(script.engine(1.0), script.evaluator)  # a cell of a notebook that ran before
    monitor = script.monitor().attach(script.trainer, script.evaluator)
    script.validate()

    script.run()

    assert rows(monitor) == WHOLE
    assert monitor.accountant.history.energy_joules == pytest.approx(3 * EPOCH_JOULES)
    assert caplog.text == ""


def test_two_monitors_on_a_trainer_are_said_and_one_measures(script, caplog):
    first = script.monitor(ledger=False).attach(script.trainer, script.evaluator)
    second = script.monitor().attach(script.trainer, script.evaluator)
    script.validate()

    script.run()

    assert "One monitor per training is enough" in caplog.text
    assert rows(second) == WHOLE
    assert rows(first) == []


def test_a_monitor_that_is_attached_during_a_run_begins_with_the_next_epoch(script):
    monitor = script.monitor()
    script.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=2), lambda: monitor.attach(script.trainer))

    script.run()

    assert [row[:3] for row in rows(monitor)] == [(1, True, 8), (2, True, 12)]


def test_nan_and_other_values_end_no_training(script, caplog):
    script.scores = [nan, "text", [1, 2], None, 0.5]
    monitor = script.monitor(policies=[MarginalGain("val_acc")])
    monitor.attach(script.trainer, script.evaluator)
    script.validate()

    script.run(5)

    assert len(rows(monitor)) == 5
    assert rows(monitor)[4][4] == 0.5
    assert "no number" in caplog.text


@pytest.mark.parametrize("metrics", [{3: 0.5}, {("a", "b"): 0.5}, None])
def test_metrics_of_any_kind_end_no_training(script, metrics):
    monitor = script.monitor().attach(script.trainer, script.evaluator)
    script.validate()
    script.trainer.add_event_handler(Events.STARTED, lambda: setattr(script.trainer.state, "metrics", metrics))
    script.trainer.state.metrics = metrics

    script.run()

    assert [row[:2] for row in rows(monitor)] == [(0, True), (1, True), (2, True)]
    assert "green/emissions_total_g" in script.trainer.state.metrics


def test_metrics_that_a_later_handler_computes_count_for_their_own_evaluation(script):
    monitor = script.monitor().attach(script.trainer, script.evaluator)
    script.validate()

    @script.evaluator.on(Events.COMPLETED)
    def late():
        script.evaluator.state.metrics["f1"] = 0.1 * script.trainer.state.epoch

    script.run()

    found = [each.metrics["f1"] for each in monitor.accountant.history if each.epoch is not None]
    assert found == pytest.approx([0.1, 0.2, 0.3])


def test_metrics_of_the_trainer_count_where_they_are_fresh(script):
    monitor = script.monitor()
    monitor.attach(script.trainer, script.evaluator)
    script.validate()
    metrics = script.trainer.state.metrics

    @script.trainer.on(Events.EPOCH_COMPLETED(every=2))
    def every_other():
        metrics["train_acc"] = 0.01 * script.trainer.state.iteration
        metrics["val_acc"] = -1.0  # the metrics of the evaluator go before
        metrics["parts"] = {"a": 1.0}

    script.run(4)

    told = [each.metrics for each in monitor.accountant.history]
    assert [each.get("train_acc") for each in told] == [None, 0.08, None, 0.16]
    assert [each["val_acc"] for each in told] == [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize("has_schedule", [True, False])
def test_a_schedule_that_a_rule_cannot_read_is_said(script, caplog, has_schedule):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    if has_schedule:
        torch.optim.lr_scheduler.StepLR(optimizer, 30)
    monitor = script.monitor(policies=[MarginalGain("val_acc")]).attach(script.trainer, script.evaluator, [optimizer])
    script.validate()

    script.run()

    assert ("cannot be read ahead" in caplog.text) == has_schedule
    assert [each.learning_rate for each in monitor.accountant.history] == [0.1, 0.1, 0.1]


@pytest.mark.parametrize("step", [6, 8])
def test_a_checkpoint_inside_an_epoch_resumes(script, step):
    monitor = script.monitor(ledger=None)
    monitor.attach(script.trainer)
    states = {}

    @script.trainer.on(Events.ITERATION_COMPLETED(once=step))
    def save_and_fail():
        states.update(trainer=script.trainer.state_dict(), green=monitor.state_dict())
        raise UserError

    with pytest.raises(UserError):
        script.run()
    monitor.accountant.close()

    script.trainer = script.engine(1.0)
    resumed = script.monitor(ledger=None).attach(script.trainer)
    Checkpoint.load_objects({"trainer": script.trainer, "green": resumed}, states)
    script.run()

    run = resumed.accountant.close()
    assert run.run_id == monitor.accountant.run_id
    assert run.energy_joules == pytest.approx(300.0 * 12)
    assert [row[:2] for row in rows(resumed)][-1] == (2, True)


def test_a_stopped_trainer_that_runs_again_is_refused(script):
    monitor = script.monitor(policies=[CarbonBudget(f"{1.7 * EPOCH_JOULES} J")])
    monitor.attach(script.trainer, script.evaluator)
    script.validate()
    script.run()
    iterations = script.trainer.state.iteration

    with pytest.raises(BudgetSpentError):
        script.run()

    assert script.trainer.state.iteration == iterations


def test_an_evaluation_that_fails_leaves_the_training_right(script):
    monitor = script.monitor().attach(script.trainer, script.evaluator)
    failing = iter([True, False, False])

    @script.evaluator.on(Events.ITERATION_STARTED)
    def fail():
        if next(failing):
            raise UserError

    @script.trainer.on(Events.EPOCH_COMPLETED)
    def validate():
        try:
            script.evaluator.run([0])
        except UserError:
            return

    script.run()

    assert [row[:2] for row in rows(monitor)] == [(0, True), (1, True), (2, True)]
    assert all("train" in each.phases for each in monitor.accountant.history)


def test_an_evaluation_outside_a_training_is_a_row_outside_epochs(script):
    monitor = script.monitor().attach(script.trainer, script.evaluator)

    script.evaluator.run([0])
    script.run(1)
    script.evaluator.run([0])

    outside = [each for each in monitor.accountant.history if each.epoch is None]
    assert [each.phases["test"].joules for each in outside] == [150.0, 150.0]
    assert not monitor.accountant.is_live


@pytest.mark.parametrize("engines", [(None,), (object(),), (Engine(lambda engine, batch: None), object())])
def test_what_is_no_engine_is_refused(script, engines):
    with pytest.raises(ConfigurationError, match="engine that trains"):
        script.monitor().attach(*engines)
