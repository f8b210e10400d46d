"""How the account travels in the trainer's checkpoints."""

import json
import shutil
from dataclasses import replace

import pytest
from frameworks.contract.driver import BATCHES, EPOCH_JOULES, WATTS, LoopError
from frameworks.transformers.scripted import epochs_of, messages, monitor_of, rows_of, trainer_of

from green_callbacks import CarbonBudget, read_ledger
from green_callbacks._frameworks.transformers.fit import KEY

STEPS = {"save_strategy": "steps", "save_steps": 1, "eval_strategy": "no"}
BY_EVALUATION = {"save_strategy": "steps", "save_steps": 1, "eval_strategy": "steps", "eval_steps": 2}


def checkpoint(training, step):
    return str(training.folder / f"checkpoint-{step}")


def joules(monitor):
    return monitor.accountant.close().energy_joules


def all_joules(training):
    return pytest.approx(training.clock.monotonic() * WATTS, rel=1e-9)


@pytest.mark.parametrize("restores", [False, True])
def test_a_checkpoint_continues_the_totals(training, restores):
    first = monitor_of(training)
    trainer_of(training, first).train()
    monitor = monitor_of(training)

    trainer = trainer_of(training, monitor, num_train_epochs=4, restore_callback_states_from_checkpoint=restores)
    trainer.train(resume_from_checkpoint=True)

    assert monitor.accountant.run_id == first.accountant.run_id
    assert monitor in trainer.callback_handler.callbacks
    assert rows_of(monitor) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(4)]
    assert joules(monitor) == all_joules(training) == 4 * EPOCH_JOULES
    assert read_ledger(monitor.accountant.ledger).history.energy_joules == joules(monitor)


@pytest.mark.parametrize(("options", "ignores"), [(STEPS, False), (BY_EVALUATION, False), (BY_EVALUATION, True)])
def test_a_resume_at_any_checkpoint_counts_all_energy_once(training, options, ignores):
    training.epochs = 2
    trainer_of(training, monitor_of(training), **options).train()
    saved = sorted(int(path.name.split("-")[1]) for path in training.folder.glob("checkpoint-*"))
    state = {step: (training.folder / f"checkpoint-{step}/trainer_state.json").read_text() for step in saved}

    for step in saved:
        training.used.clear()
        (training.folder / f"checkpoint-{step}/trainer_state.json").write_text(state[step])
        monitor = monitor_of(training)
        trainer = trainer_of(training, monitor, **{**options, "save_strategy": "no"}, ignore_data_skip=ignores)
        trainer.train(resume_from_checkpoint=checkpoint(training, step))

        assert joules(monitor) == all_joules(training)
        done = [record for record in epochs_of(monitor) if record.closes_epoch and record.complete]
        assert len({record.epoch for record in done}) == len(done)
        assert trainer.state.global_step == 2 * BATCHES
        if not ignores:
            assert [record.epoch for record in done] == [0, 1]


def test_work_after_an_older_checkpoint_is_lost_but_counted(training):
    training.fails_at = (2, 1)
    with pytest.raises(LoopError):
        trainer_of(training, monitor_of(training)).train()
    training.fails_at = None
    monitor = monitor_of(training)

    trainer_of(training, monitor).train(resume_from_checkpoint=checkpoint(training, 4))

    assert rows_of(monitor) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(3)]
    run = monitor.accountant.close()
    assert run.energy_joules == all_joules(training)
    assert run.outside_joules == pytest.approx(EPOCH_JOULES + WATTS)


def test_a_checkpoint_without_an_account_begins_a_new_one_and_says_so(training, caplog):
    trainer_of(training).train()
    before = training.clock.monotonic()
    monitor = monitor_of(training)

    trainer_of(training, monitor, num_train_epochs=5).train(resume_from_checkpoint=True)

    assert [message for message in messages(caplog) if "holds no account" in message]
    assert [record.epoch for record in epochs_of(monitor)] == [3, 4]
    assert joules(monitor) == pytest.approx((training.clock.monotonic() - before) * WATTS)
    assert KEY in json.loads((training.folder / "checkpoint-20/trainer_state.json").read_text())["stateful_callbacks"]


@pytest.mark.parametrize("account", ["text", [1], 5])
def test_a_damaged_account_is_said_and_its_epoch_is_not_whole(training, caplog, account):
    trainer_of(training, **{**STEPS, "save_steps": 6}).train()
    path = training.folder / "checkpoint-6/trainer_state.json"
    state = json.loads(path.read_text())
    state["stateful_callbacks"][KEY] = account
    path.write_text(json.dumps(state))
    monitor = monitor_of(training)

    trainer_of(training, monitor, eval_strategy="no").train(resume_from_checkpoint=checkpoint(training, 6))

    assert [message for message in messages(caplog) if "is damaged" in message]
    assert rows_of(monitor) == [(1, 8, True, False), (2, 12, True, True)]


def test_a_checkpoint_is_resumed_without_the_monitor(training):
    trainer_of(training, monitor_of(training)).train()

    trainer = trainer_of(training, num_train_epochs=4)
    trainer.train(resume_from_checkpoint=True)

    assert trainer.state.global_step == 16


def test_a_run_is_resumed_twice(training):
    monitors = [monitor_of(training) for _ in range(3)]
    for epochs, monitor in enumerate(monitors, start=2):
        trainer_of(training, monitor, num_train_epochs=epochs).train(resume_from_checkpoint=epochs > 2)

    assert len({monitor.accountant.run_id for monitor in monitors}) == 1
    assert joules(monitors[-1]) == all_joules(training)
    assert rows_of(monitors[-1]) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(4)]


def test_a_monitor_takes_the_run_of_the_checkpoint(training, tmp_path):
    other = replace(training, folder=tmp_path / "other")
    first, second = monitor_of(training), monitor_of(training)
    trainer_of(training, first).train()
    trainer_of(other, second).train()

    trainer_of(training, second, num_train_epochs=4).train(resume_from_checkpoint=True)

    assert second.accountant.run_id == first.accountant.run_id
    assert joules(second) == 4 * EPOCH_JOULES


def test_the_same_monitor_resumes_in_the_same_process(training):
    monitor = monitor_of(training)
    training.fails_at = (1, 2)
    trainer = trainer_of(training, monitor)
    with pytest.raises(LoopError):
        trainer.train()
    training.fails_at = None

    trainer.train(resume_from_checkpoint=True)

    assert rows_of(monitor) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(3)]
    assert joules(monitor) == all_joules(training)


def test_a_run_that_was_done_stays_as_it_is(training):
    trainer_of(training, monitor_of(training)).train()
    monitor = monitor_of(training)

    trainer_of(training, monitor).train(resume_from_checkpoint=True)

    assert rows_of(monitor) == [(epoch, 4 * epoch + 4, True, True) for epoch in range(3)]
    assert joules(monitor) == 3 * EPOCH_JOULES
    assert not monitor.accountant.is_live


def test_without_its_ledger_a_run_goes_on_from_the_checkpoint(training, caplog):
    first = monitor_of(training)
    trainer_of(training, first).train()
    shutil.rmtree(first.accountant.ledger.parent)
    monitor = monitor_of(training)

    trainer_of(training, monitor, num_train_epochs=4).train(resume_from_checkpoint=True)

    assert joules(monitor) == 4 * EPOCH_JOULES
    assert [message for message in messages(caplog) if "goes on from the checkpoint" in message]


@pytest.mark.parametrize("options", [{}, {"save_strategy": "steps", "save_steps": 4, "eval_strategy": "no"}])
def test_without_any_ledger_each_checkpoint_of_an_epoch_holds_it(training, options):
    trainer_of(training, monitor_of(training, ledger=False), **options).train()

    for step in (4, 8):
        before = training.clock.monotonic()
        monitor = monitor_of(training, ledger=False)
        trainer_of(training, monitor, **options).train(resume_from_checkpoint=checkpoint(training, step))

        each = EPOCH_JOULES if not options else 4 * WATTS
        assert joules(monitor) == pytest.approx(each * step / 4 + (training.clock.monotonic() - before) * WATTS)


def test_a_budget_counts_what_the_checkpoint_has_spent(training):
    trainer_of(training, monitor_of(training)).train()
    monitor = monitor_of(training, policies=[CarbonBudget(f"{5.5 * EPOCH_JOULES} J")])

    trainer_of(training, monitor, num_train_epochs=9).train(resume_from_checkpoint=True)

    assert monitor.accountant.close().epochs == 5


def test_the_best_model_is_saved_with_its_own_epoch(training):
    training.scores = [0.1, 0.3, 0.2]
    monitor = monitor_of(training, ledger=False)
    options = {"save_strategy": "best", "metric_for_best_model": "val_acc", "load_best_model_at_end": True}
    trainer = trainer_of(training, monitor, **options, greater_is_better=True)
    trainer._determine_best_metric = lambda metrics, trial: type(trainer)._determine_best_metric(
        trainer, {**metrics, "eval_val_acc": metrics["val_acc"]}, trial
    )

    trainer.train()

    saved = json.loads((training.folder / "checkpoint-8/trainer_state.json").read_text())
    resumed = monitor_of(training, ledger=False)
    resumed.accountant.load_state_dict(saved["stateful_callbacks"][KEY])
    assert [record.metrics["val_acc"] for record in epochs_of(resumed)] == [0.1, 0.3]
