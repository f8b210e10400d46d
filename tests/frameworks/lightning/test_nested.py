"""Runs inside a fit: validations, second trainers, searches for a learning rate or a batch size, restored states."""

import copy
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.lightning.tiny import EPOCH_JOULES, VALIDATION_JOULES, TinyModule, epochs, monitor, trainer
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import BatchSizeFinder, LearningRateFinder, ModelCheckpoint
from lightning.pytorch.tuner import Tuner
from torch.utils.data import DataLoader

from green_callbacks import read_ledger
from green_callbacks.clock import ScriptedClock
from green_callbacks.lightning import EmissionsMonitor


def exactly(joules: float) -> Any:
    return pytest.approx(joules, rel=1e-9)


class Inside(Callback):
    """Does something once, at the end of the validation, epoch or training batch of epoch 1."""

    def __init__(self, hook: str, work: Any) -> None:
        self.work, self.hook, self.is_done = work, hook, False

    def _do(self, hook: str, trainer: Any) -> None:
        if hook == self.hook and trainer.fit_loop.epoch_progress.current.ready == 2 and not self.is_done:
            self.is_done = True
            self.work()

    def on_train_epoch_start(self, trainer: Any, *_: Any) -> None:
        self._do("epoch start", trainer)

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        self._do("batch", trainer)

    def on_train_epoch_end(self, trainer: Any, *_: Any) -> None:
        self._do("epoch end", trainer)


def state_of(callback: EmissionsMonitor) -> list[tuple[int, bool]]:
    return [(record.epoch or 0, record.complete) for record in epochs(callback.accountant.history)]


@pytest.mark.parametrize("hook", ["epoch start", "batch", "epoch end"])
@pytest.mark.parametrize("stage", ["validate", "test"])
def test_a_validation_by_another_trainer_inside_a_fit_is_a_phase_of_it(
    tmp_path: Path, clock: ScriptedClock, hook: str, stage: str
):
    callback = monitor(clock)

    def look() -> None:
        getattr(trainer(tmp_path / "inner", callback), stage)(TinyModule(clock), verbose=False)

    trainer(tmp_path, callback, Inside(hook, look)).fit(TinyModule(clock))

    run = callback.accountant.close()
    assert state_of(callback) == [(0, True), (1, True), (2, True)]
    assert run.energy_joules == exactly(3 * EPOCH_JOULES + VALIDATION_JOULES)
    assert [record.samples for record in epochs(callback.accountant.history)] == [8, 8, 8]
    held = list(read_ledger(run.ledger).history)
    assert held == list(callback.accountant.history)
    inner = sum(record.phases["test"].joules or 0 for record in held if "test" in record.phases)
    assert inner == exactly(VALIDATION_JOULES if stage == "test" else 0)


def test_a_fit_inside_a_fit_counts_for_the_outer_one_and_its_epochs_are_no_epochs(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
):
    callback = monitor(clock)

    def again() -> None:
        trainer(tmp_path / "inner", callback, max_epochs=2).fit(TinyModule(clock))

    trainer(tmp_path, callback, Inside("batch", again)).fit(TinyModule(clock))

    run = callback.accountant.close()
    assert state_of(callback) == [(0, True), (1, True), (2, True)]
    assert run.energy_joules == exactly(5 * EPOCH_JOULES)
    assert [record.samples for record in epochs(callback.accountant.history)] == [8, 8, 8]
    (notice,) = run.notices
    assert notice.startswith("A second fit has begun inside a fit")
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [notice]


def test_a_run_inside_a_fit_that_fails_ends_and_the_fit_goes_on(tmp_path: Path, clock: ScriptedClock):
    class Failing(TinyModule):
        def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
            raise FloatingPointError

    class Worse(Callback):
        def on_exception(self, *_: Any) -> None:
            raise LookupError

    callback = monitor(clock)

    def fails() -> None:
        with pytest.raises(LookupError):
            trainer(tmp_path / "inner", Worse(), callback).validate(Failing(clock))

    trainer(tmp_path, callback, Inside("batch", fails)).fit(TinyModule(clock))

    assert state_of(callback) == [(0, True), (1, True), (2, True)]
    assert callback.accountant.close().energy_joules == exactly(3 * EPOCH_JOULES)


def test_a_copy_inside_a_fit_is_a_run_of_its_own_and_the_outer_one_goes_on(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)
    copies: list[EmissionsMonitor] = []

    def apart() -> None:
        copies.append(copy.deepcopy(callback, {id(clock): clock}))
        trainer(tmp_path / "inner", copies[0], max_epochs=1).fit(TinyModule(clock))

    trainer(tmp_path, callback, Inside("epoch end", apart)).fit(TinyModule(clock))

    inner, outer = copies[0].accountant.close(), callback.accountant.close()
    assert outer.epochs == 3
    assert (inner.energy_joules or 0) + (outer.energy_joules or 0) == exactly(4 * EPOCH_JOULES)


class Tunable(TinyModule):
    def __init__(self, clock: ScriptedClock) -> None:
        super().__init__(clock)
        self.lr, self.batch_size = 0.01, 2

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(torch.ones(8, 2), batch_size=self.batch_size)


SEARCH_STEPS = 5


@pytest.mark.parametrize("first", [True, False])
def test_a_search_for_a_learning_rate_is_accounted_outside_epochs(tmp_path: Path, clock: ScriptedClock, *, first: bool):
    callback, finder = monitor(clock), LearningRateFinder(num_training_steps=SEARCH_STEPS, attr_name="lr")
    callbacks = [callback, finder] if first else [finder, callback]

    tuned = trainer(tmp_path, Callback(), *callbacks)
    tuned.fit(Tunable(clock))

    run = callback.accountant.close()
    assert state_of(callback) == [(0, True), (1, True), (2, True)]
    assert (run.outside_joules or 0) >= SEARCH_STEPS * 300.0
    assert run.epochs_joules == exactly(3 * EPOCH_JOULES)
    assert [type(each) for each in tuned.callbacks] == [LearningRateFinder, Callback, EmissionsMonitor]
    assert len(list((tmp_path / "green-callbacks").glob("*.jsonl"))) == 1


def test_a_search_for_a_batch_size_is_accounted_outside_epochs(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)

    trainer(tmp_path, callback, BatchSizeFinder(max_trials=2, steps_per_trial=3)).fit(Tunable(clock))

    run = callback.accountant.close()
    assert state_of(callback) == [(0, True), (1, True), (2, True)]
    assert (run.outside_joules or 0) >= 3 * 300.0
    assert [record.samples for record in epochs(callback.accountant.history)] == [8, 8, 8]


def test_a_tuner_before_the_fit_counts_for_the_run(tmp_path: Path, clock: ScriptedClock):
    callback, module = monitor(clock), Tunable(clock)
    tuned = trainer(tmp_path, callback)

    Tuner(tuned).lr_find(module, num_training=SEARCH_STEPS, attr_name="lr")
    searched = callback.accountant.close()
    tuned.fit(module)
    run = callback.accountant.close()

    assert (searched.energy_joules or 0) >= SEARCH_STEPS * 300.0
    assert searched.run_id == run.run_id
    assert state_of(callback) == [(0, True), (1, True), (2, True)]
    assert run.energy_joules == exactly((searched.energy_joules or 0) + 3 * EPOCH_JOULES)
    assert list(read_ledger(run.ledger).history) == list(callback.accountant.history)


def test_a_search_in_the_middle_of_a_fit_rolls_nothing_back(tmp_path: Path, clock: ScriptedClock):
    class Midway(LearningRateFinder):
        def on_fit_start(self, *_: Any) -> None:
            return

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            if trainer.current_epoch == 1:
                self.lr_find(trainer, pl_module)

    callback = monitor(clock)
    saving = ModelCheckpoint(tmp_path, save_top_k=-1, filename="{epoch}")
    tuned = trainer(
        tmp_path, callback, Midway(num_training_steps=SEARCH_STEPS, attr_name="lr"), saving, enable_checkpointing=True
    )
    tuned.fit(Tunable(clock))

    run = callback.accountant.close()
    assert state_of(callback) == [(0, True), (1, True), (2, True)]
    assert run.energy_joules == exactly(3 * EPOCH_JOULES)  # Lightning itself finds nothing to train on there
    last = torch.load(tmp_path / "epoch=2.ckpt", weights_only=True)["callbacks"]["green_callbacks.EmissionsMonitor"]
    fresh = monitor(ScriptedClock(), ledger=False)
    fresh.accountant.load_state_dict(last)
    assert fresh.accountant.history.emissions_kg == pytest.approx(run.emissions_kg, rel=0.01)


def test_a_checkpoint_that_is_restored_in_a_fit_makes_lost_work_of_what_is_done_again(
    tmp_path: Path, clock: ScriptedClock
):
    saved = tmp_path / "back.ckpt"

    class Back(Callback):
        is_done = False

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            if trainer.current_epoch == 0 and not saved.exists():
                trainer.save_checkpoint(saved)

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            if trainer.current_epoch == 2 and not self.is_done:
                self.is_done = True
                callbacks = torch.load(saved, weights_only=True)["callbacks"]
                watching.load_state_dict(callbacks[watching.state_key])

    watching = monitor(clock)
    trainer(tmp_path, Back(), watching).fit(TinyModule(clock))

    run = watching.accountant.close()
    assert run.energy_joules == exactly(3 * EPOCH_JOULES)
    assert [record.epoch for record in epochs(watching.accountant.history)] == [0, 1, 2]


@pytest.mark.parametrize("options", [{"limit_train_batches": 0}, {"max_epochs": 0}, {"fast_dev_run": True}])
def test_a_fit_without_an_epoch_has_none(tmp_path: Path, clock: ScriptedClock, options: dict[str, Any]):
    callback = monitor(clock)
    trainer(tmp_path, callback, **options).fit(TinyModule(clock))
    assert callback.accountant.close().epochs == 0
    assert not callback.accountant.is_live
