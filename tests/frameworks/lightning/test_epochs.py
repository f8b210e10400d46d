from pathlib import Path
from typing import Any

import pytest
from frameworks.lightning.tiny import (
    EPOCH_JOULES,
    TRAIN_JOULES,
    VALIDATION_JOULES,
    TinyModule,
    epochs,
    monitor,
    outside,
    scripted,
    trainer,
)
from lightning.pytorch import Callback

from green_callbacks import EnergyAccountant, read_ledger
from green_callbacks.clock import ScriptedClock


def exactly(joules: float) -> Any:
    return pytest.approx(joules, rel=1e-9)


class Between(Callback):
    """Spends a second wherever the training loop is outside epochs."""

    def __init__(self, clock: ScriptedClock) -> None:
        self.clock = clock

    def on_train_start(self, *_: object) -> None:
        self.clock.advance(1.0)

    def on_train_epoch_end(self, *_: object) -> None:
        self.clock.advance(1.0)  # after the monitor's, that stands before it in the list


def test_an_epoch_holds_its_training_and_its_validation(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)

    trainer(tmp_path, callback).fit(TinyModule(clock))

    history = callback.accountant.history
    assert [record.epoch for record in epochs(history)] == [0, 1, 2]
    for record in epochs(history):
        assert record.energy_joules == exactly(EPOCH_JOULES)
        assert {name: phase.joules for name, phase in record.phases.items()} == {
            "train": exactly(TRAIN_JOULES),
            "validation": exactly(VALIDATION_JOULES),
        }
        assert record.samples == 8
        assert record.learning_rate == 0.01
    assert [record.step for record in epochs(history)] == [4, 8, 12]


def test_the_joules_are_those_of_a_plain_loop(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)
    trainer(tmp_path, callback).fit(TinyModule(clock))
    run = callback.accountant.close()

    with EnergyAccountant(**scripted(clock, ledger=False)) as plain:
        for _ in plain.epochs(3):
            clock.advance(4.0)
            with plain.phase("validation"):
                clock.advance(1.0)

    assert run.energy_joules == exactly(plain.close().energy_joules) == exactly(3 * EPOCH_JOULES)
    assert run.duration_seconds == exactly(15.0)


def test_epochs_and_what_lies_outside_are_the_run(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)

    trainer(tmp_path, callback, Between(clock)).fit(TinyModule(clock))

    run = callback.accountant.close()
    assert run.epochs_joules == exactly(3 * EPOCH_JOULES)
    assert run.outside_joules == exactly(4 * 300.0)
    assert run.energy_joules == exactly(run.epochs_joules + run.outside_joules)
    assert len(outside(callback.accountant.history)) == 4


def test_the_ledger_lies_in_the_log_folder_and_holds_every_record(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)

    trainer(tmp_path, callback).fit(TinyModule(clock))

    (ledger,) = (tmp_path / "green-callbacks").glob("*.jsonl")
    assert ledger == callback.accountant.close().ledger
    assert list(read_ledger(ledger).history) == list(callback.accountant.history)


def test_the_sanity_check_is_a_validation_outside_epochs(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)

    trainer(tmp_path, callback, num_sanity_val_steps=2, max_epochs=1).fit(TinyModule(clock, [0.9]))

    before, epoch = callback.accountant.history
    assert before.epoch is None
    assert before.phases["validation"].joules == exactly(VALIDATION_JOULES)
    assert not before.metrics
    assert epoch.energy_joules == exactly(EPOCH_JOULES)


def test_a_validation_every_second_epoch_is_fresh_only_there(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)

    trainer(tmp_path, callback, check_val_every_n_epoch=2, max_epochs=4).fit(TinyModule(clock, [0.1, 0.2, 0.3, 0.4]))

    history = callback.accountant.history
    assert list(history.metric("val_acc").rows) == [1, 3]
    assert list(history.metric("val_acc").values) == pytest.approx([0.2, 0.4])
    assert [record.energy_joules for record in history] == [
        exactly(TRAIN_JOULES),
        exactly(EPOCH_JOULES),
        exactly(TRAIN_JOULES),
        exactly(EPOCH_JOULES),
    ]


class Looks(Callback):
    """Looks at the metrics in every hook, as other callbacks do: that computes some of them anew."""

    def on_train_batch_end(self, trainer: Any, *_: object) -> None:
        dict(trainer.callback_metrics)

    def on_validation_epoch_end(self, trainer: Any, *_: object) -> None:
        dict(trainer.callback_metrics)

    def on_validation_end(self, trainer: Any, *_: object) -> None:
        dict(trainer.callback_metrics)

    def on_train_epoch_start(self, trainer: Any, *_: object) -> None:
        dict(trainer.callback_metrics)


@pytest.mark.parametrize("first", [True, False])
def test_freshness_does_not_depend_on_who_looks(tmp_path: Path, clock: ScriptedClock, *, first: bool):
    callback = monitor(clock)
    callbacks = [callback, Looks()] if first else [Looks(), callback]

    trainer(tmp_path, *callbacks, check_val_every_n_epoch=2, max_epochs=4).fit(TinyModule(clock))

    assert list(callback.accountant.history.metric("val_acc").rows) == [1, 3]


def test_of_two_validations_in_an_epoch_the_last_counts(tmp_path: Path, clock: ScriptedClock):
    class Improving(TinyModule):
        def score(self) -> float:
            return self.global_step / 100

    callback = monitor(clock)

    trainer(tmp_path, callback, val_check_interval=0.5, max_epochs=2).fit(Improving(clock))

    records = list(callback.accountant.history)
    assert [record.metrics["val_acc"] for record in records] == pytest.approx([0.04, 0.08])
    assert [record.phases["validation"].joules for record in records] == [exactly(2 * VALIDATION_JOULES)] * 2


def test_a_metric_that_the_module_logs_at_the_end_of_its_validation_is_fresh(tmp_path: Path, clock: ScriptedClock):
    class AtTheEnd(TinyModule):
        def on_validation_epoch_end(self) -> None:
            self.log("val_f1", self.score())

    callback = monitor(clock)

    trainer(tmp_path, callback).fit(AtTheEnd(clock, [0.1, 0.2, 0.3]))

    assert list(callback.accountant.history.metric("val_f1").values) == pytest.approx([0.1, 0.2, 0.3])


def test_a_metric_that_the_module_logs_at_the_end_of_its_epoch_is_seen_one_epoch_late(
    tmp_path: Path, clock: ScriptedClock
):
    class AtTheEnd(TinyModule):
        def on_train_epoch_end(self) -> None:
            self.log("late", float(self.current_epoch))

    callback = monitor(clock)

    trainer(tmp_path, callback).fit(AtTheEnd(clock))

    column = callback.accountant.history.metric("late")
    assert list(zip(column.rows, column.values, strict=True)) == [(1, 0.0), (2, 1.0)]


def test_metrics_of_the_training_count_too(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)

    trainer(tmp_path, callback).fit(TinyModule(clock))

    assert list(callback.accountant.history.metric("train_loss_epoch").rows) == [0, 1, 2]


def test_metrics_of_the_package_are_no_metrics_of_the_model(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)

    trainer(tmp_path, callback).fit(TinyModule(clock))

    assert not [name for name in callback.accountant.history.metric_names if name.startswith("green/")]


def test_fast_dev_run_leaves_nothing_behind(tmp_path: Path, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    callback = monitor(clock)
    dry = trainer(tmp_path, callback, fast_dev_run=True)

    dry.fit(TinyModule(clock))
    dry.test(TinyModule(clock))

    assert len(callback.accountant.history) == 0
    assert list(tmp_path.rglob("*.jsonl")) == []


@pytest.mark.parametrize(("stage", "phase"), [("validate", "validation"), ("test", "test"), ("predict", "predict")])
def test_what_runs_between_fits_has_a_row_of_its_own(tmp_path: Path, clock: ScriptedClock, stage: str, phase: str):
    callback = monitor(clock)
    both, module = trainer(tmp_path, callback), TinyModule(clock)

    both.fit(module)
    clock.advance(1000.0)  # nobody trains meanwhile: not ours
    getattr(both, stage)(module, **({"verbose": False} if stage != "predict" else {}))

    *_, last = callback.accountant.history
    run = callback.accountant.close()
    assert last.epoch is None
    assert last.phases[phase].joules == exactly(VALIDATION_JOULES)
    assert not last.metrics
    assert run.energy_joules == exactly(3 * EPOCH_JOULES + VALIDATION_JOULES)
    assert run.outside_joules == exactly(VALIDATION_JOULES)


def test_a_second_fit_goes_on_with_the_run(tmp_path: Path, clock: ScriptedClock):
    callback, module = monitor(clock), TinyModule(clock)

    trainer(tmp_path, callback, max_epochs=2).fit(module)
    first = callback.accountant.close()
    trainer(tmp_path, callback, max_epochs=1).fit(module)
    second = callback.accountant.close()

    assert second.run_id == first.run_id
    assert second.energy_joules == exactly(3 * EPOCH_JOULES)
    assert [record.epoch for record in epochs(callback.accountant.history)] == [0, 1, 0]


def test_an_accountant_of_ones_own_is_driven(tmp_path: Path, clock: ScriptedClock):
    from green_callbacks.lightning import EmissionsMonitor

    accountant = EnergyAccountant(**scripted(clock))

    trainer(tmp_path, EmissionsMonitor(accountant)).fit(TinyModule(clock))

    assert accountant.history.energy_joules == exactly(3 * EPOCH_JOULES)
