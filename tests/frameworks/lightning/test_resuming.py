import json
import logging
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.lightning.tiny import EPOCH_JOULES, TinyModule, epochs, monitor, trainer
from lightning.pytorch.callbacks import LearningRateFinder, ModelCheckpoint
from lightning.pytorch.strategies import SingleDeviceStrategy
from support.warm_python import run_script

from green_callbacks import CarbonBudget, RunRecord, read_ledger
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import BudgetSpentError
from green_callbacks.lightning import EmissionsMonitor

HERE = Path(__file__).parent


def exactly(joules: float) -> Any:
    return pytest.approx(joules, rel=1e-9)


def save(folder: Path, **options: Any) -> ModelCheckpoint:
    """Save every checkpoint; epoch by epoch unless told otherwise."""
    return ModelCheckpoint(folder, save_top_k=-1, **{"filename": "{epoch}-{step}", **options})


def fit(
    folder: Path,
    callback: EmissionsMonitor,
    module: TinyModule,
    checkpoint: ModelCheckpoint | None = None,
    resumed: str | None = None,
    **options: Any,
) -> RunRecord:
    """Train, with or without an exception, and return the totals."""
    callbacks = [callback] if checkpoint is None else [callback, checkpoint]
    saving = {"enable_checkpointing": checkpoint is not None, **options}
    with suppress(FloatingPointError):
        trainer(folder, *callbacks, **saving).fit(module, ckpt_path=resumed, weights_only=resumed is not None or None)
    return callback.accountant.close()


class Failing(TinyModule):
    """Raises at the beginning of a batch."""

    at = (1, 2)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        if (self.current_epoch, batch_idx) == self.at:
            raise FloatingPointError
        return super().training_step(batch, batch_idx)


def resume(folder: Path, checkpoint: str, **options: Any) -> tuple[EmissionsMonitor, RunRecord]:
    """Go on in what might be another process: nothing but the checkpoint and the ledger are left."""
    clock = ScriptedClock()
    callback = monitor(clock)
    return callback, fit(folder, callback, TinyModule(clock), resumed=checkpoint, **options)


def test_a_run_goes_on_as_if_it_had_not_been_interrupted(tmp_path: Path, clock: ScriptedClock):
    first = fit(tmp_path, monitor(clock), TinyModule(clock), save(tmp_path), max_epochs=2)

    callback, resumed = resume(tmp_path / "elsewhere", str(tmp_path / "epoch=1-step=8.ckpt"), max_epochs=4)

    assert resumed.energy_joules == exactly(4 * EPOCH_JOULES)
    assert (resumed.run_id, resumed.ledger, resumed.epochs) == (first.run_id, first.ledger, 4)
    assert [record.epoch for record in epochs(callback.accountant.history)] == [0, 1, 2, 3]
    assert list(read_ledger(resumed.ledger).history) == list(callback.accountant.history)


def test_work_that_is_done_again_stays_counted(tmp_path: Path, clock: ScriptedClock):
    fit(tmp_path, monitor(clock), Failing(clock), save(tmp_path))

    callback, resumed = resume(tmp_path, str(tmp_path / "epoch=0-step=4.ckpt"))

    assert resumed.energy_joules == exactly(3 * EPOCH_JOULES + 2 * 300.0)
    done = [(record.epoch, record.complete) for record in callback.accountant.history]
    assert done == [(0, True), (None, False), (1, True), (2, True)]


def test_epochs_that_are_done_again_become_lost_work(tmp_path: Path, clock: ScriptedClock):
    module = Failing(clock, [0.1, 0.2])
    module.at = (2, 0)
    fit(tmp_path, monitor(clock), module, save(tmp_path))

    callback, resumed = resume(tmp_path, str(tmp_path / "epoch=0-step=4.ckpt"))

    history = callback.accountant.history
    assert resumed.energy_joules == exactly(4 * EPOCH_JOULES)
    assert resumed.outside_joules == exactly(EPOCH_JOULES)
    assert [record.epoch for record in epochs(history)] == [0, 1, 2]
    assert list(history.metric("val_acc").values) == pytest.approx([0.1, 0.5, 0.5])  # what came of the lost is lost


def test_a_checkpoint_within_an_epoch_goes_on_within_it(tmp_path: Path, clock: ScriptedClock):
    fit(tmp_path, monitor(clock), Failing(clock), save(tmp_path, every_n_train_steps=2))

    callback, resumed = resume(tmp_path, str(tmp_path / "epoch=1-step=6.ckpt"))

    parts = [record for record in callback.accountant.history if record.epoch == 1]
    assert resumed.energy_joules == exactly(3 * EPOCH_JOULES)
    assert [(record.complete, record.samples) for record in parts] == [(False, 4), (True, 4)]
    assert resumed.epochs == 3


def test_a_checkpoint_of_the_validation_leaves_nothing_of_its_epoch_to_do(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
):
    fit(tmp_path, monitor(clock), Failing(clock), save(tmp_path, save_on_train_epoch_end=False))

    callback, resumed = resume(tmp_path, str(tmp_path / "epoch=0-step=4.ckpt"))

    assert [record.epoch for record in epochs(callback.accountant.history) if record.complete] == [0, 1, 2]
    assert resumed.energy_joules == exactly(3 * EPOCH_JOULES + 2 * 300.0)
    assert caplog.records == []


def test_a_larger_budget_lets_a_stopped_run_go_on(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock, policies=[CarbonBudget(f"{2.5 * EPOCH_JOULES} J")])
    fit(tmp_path, callback, TinyModule(clock), save(tmp_path), max_epochs=9)
    last = str(tmp_path / "epoch=1-step=8.ckpt")

    same = monitor(clock, policies=[CarbonBudget(f"{2.5 * EPOCH_JOULES} J")])
    with pytest.raises(BudgetSpentError):
        fit(tmp_path, same, TinyModule(clock), resumed=last, max_epochs=9)
    larger = monitor(clock, policies=[CarbonBudget(f"{4.5 * EPOCH_JOULES} J")])
    resumed = fit(tmp_path, larger, TinyModule(clock), resumed=last, max_epochs=9)

    assert resumed.epochs == 4
    assert resumed.energy_joules == exactly(4 * EPOCH_JOULES)


@pytest.mark.parametrize("stage", ["validate", "test", "predict"])
def test_looking_at_an_old_checkpoint_changes_nothing(tmp_path: Path, clock: ScriptedClock, stage: str):
    callback, module = monitor(clock), TinyModule(clock)
    run = fit(tmp_path, callback, module, save(tmp_path))
    old = str(tmp_path / "epoch=0-step=4.ckpt")

    getattr(trainer(tmp_path, callback), stage)(module, ckpt_path=old, weights_only=True)
    looked = callback.accountant.close()
    again = fit(tmp_path, callback, module, max_epochs=1)

    assert looked.energy_joules == exactly((run.energy_joules or 0) + 300.0)
    assert (looked.run_id, looked.epochs) == (run.run_id, 3)
    assert again.energy_joules == exactly((looked.energy_joules or 0) + EPOCH_JOULES)


def test_a_fit_after_a_look_at_a_strangers_checkpoint_is_a_run_of_its_own(tmp_path: Path, clock: ScriptedClock):
    stranger = fit(tmp_path, monitor(clock), TinyModule(clock), save(tmp_path))
    callback, module = monitor(clock), TinyModule(clock)

    trainer(tmp_path, callback).validate(module, ckpt_path=str(tmp_path / "epoch=0-step=4.ckpt"), weights_only=True)
    own = fit(tmp_path, callback, module, max_epochs=1)

    assert own.run_id != stranger.run_id
    assert own.energy_joules == exactly(EPOCH_JOULES + 300.0)


def test_a_ledger_that_is_gone_is_said_and_the_run_goes_on_from_the_checkpoint(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
):
    first = fit(tmp_path, monitor(clock), TinyModule(clock), save(tmp_path), max_epochs=2)
    first.ledger.unlink()

    _, resumed = resume(tmp_path, str(tmp_path / "epoch=1-step=8.ckpt"))

    assert resumed.energy_joules == exactly(3 * EPOCH_JOULES)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert str(first.ledger) in warning


def test_a_run_without_a_ledger_goes_on_from_its_checkpoint(tmp_path: Path, clock: ScriptedClock):
    fit(tmp_path, monitor(clock, ledger=False), TinyModule(clock), save(tmp_path), max_epochs=2)

    callback = monitor(clock, ledger=False)
    resumed = fit(tmp_path, callback, TinyModule(clock), resumed=str(tmp_path / "epoch=1-step=8.ckpt"))

    assert resumed.energy_joules == exactly(3 * EPOCH_JOULES)
    assert not (tmp_path / "green-callbacks").exists()


def test_the_state_is_plain_json(tmp_path: Path, clock: ScriptedClock):
    fit(tmp_path, monitor(clock), TinyModule(clock), save(tmp_path), max_epochs=1)

    saved = torch.load(tmp_path / "epoch=0-step=4.ckpt", weights_only=True)["callbacks"]

    state = saved["green_callbacks.EmissionsMonitor"]
    assert json.loads(json.dumps(state)) == state


class LoadsLate(SingleDeviceStrategy):
    """Loads checkpoints after its set-up, as strategies that shard the model do."""

    restore_checkpoint_after_setup = True


@pytest.mark.parametrize("sanity_steps", [0, 2])
def test_a_strategy_may_load_its_checkpoint_late(tmp_path: Path, clock: ScriptedClock, sanity_steps: int):
    fit(tmp_path, monitor(clock), TinyModule(clock), save(tmp_path), max_epochs=2)

    _, resumed = resume(
        tmp_path,
        str(tmp_path / "epoch=1-step=8.ckpt"),
        strategy=LoadsLate(device=torch.device("cpu")),
        num_sanity_val_steps=sanity_steps,
    )

    assert resumed.epochs == 3
    assert resumed.energy_joules == exactly(3 * EPOCH_JOULES + sanity_steps * 150.0)


def test_a_callback_that_saves_and_loads_before_the_fit_does_not_lose_the_run(tmp_path: Path, clock: ScriptedClock):
    class Tunable(TinyModule):
        lr = 0.01

    fit(tmp_path, monitor(clock), Tunable(clock), save(tmp_path), max_epochs=2)
    callback, module = monitor(clock), Tunable(clock)
    finder = LearningRateFinder(num_training_steps=5, attr_name="lr")

    tuned = trainer(tmp_path, callback, finder)
    tuned.fit(module, ckpt_path=str(tmp_path / "epoch=1-step=8.ckpt"), weights_only=True)

    assert [record.epoch for record in epochs(callback.accountant.history)] == [0, 1, 2]


def test_a_killed_run_leaves_its_epochs_and_goes_on(tmp_path: Path):
    killed = run_script([HERE / "killed_run.py", tmp_path], tmp_path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    (ledger,) = (tmp_path / "green-callbacks").glob("*.jsonl")
    assert [record.epoch for record in epochs(read_ledger(ledger).history)] == [0, 1]
    _, resumed = resume(tmp_path, str(tmp_path / "epoch=1.ckpt"), max_epochs=4)
    _, once_more = resume(tmp_path, str(tmp_path / "epoch=0.ckpt"), max_epochs=4)

    assert resumed.energy_joules == exactly(4 * EPOCH_JOULES)
    assert resumed.ledger == ledger
    assert once_more.energy_joules == exactly(7 * EPOCH_JOULES)  # three of them were done twice
    assert once_more.epochs == 4
