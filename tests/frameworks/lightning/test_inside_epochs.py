"""Records and decisions inside an epoch, in real fits."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.lightning.tiny import WATTS, TinyModule, epochs, grams, monitor, quiet, trainer
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from support.tensorboard_events import read_events
from torch.utils.data import DataLoader, IterableDataset

from green_callbacks import CarbonBudget, MarginalGain, read_ledger
from green_callbacks.clock import ScriptedClock

BATCHES = 40
STEP_JOULES = 300.0
VALIDATION_JOULES = 2 * 0.5 * 300.0


class OneLongEpoch(TinyModule):
    """A second of 300 W each step, 40 of them."""

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(torch.ones(2 * BATCHES, 2), batch_size=2)


def fit(
    folder: Path, clock: ScriptedClock, module: TinyModule | None = None, *, callbacks=(), ckpt_path=None, **options
):
    trainer_options = {name: options.pop(name) for name in list(options) if name in TRAINER_OPTIONS}
    callback = monitor(clock, **options)
    fitted = trainer(folder, callback, *callbacks, **{"max_epochs": 1, **trainer_options})
    fitted.fit(module or OneLongEpoch(clock), ckpt_path=ckpt_path)
    return callback, fitted


TRAINER_OPTIONS = {
    "max_epochs", "logger", "enable_checkpointing", "accumulate_grad_batches", "val_check_interval", "min_epochs",
    "limit_val_batches", "log_every_n_steps",
}  # fmt: skip


@pytest.mark.parametrize("every", [10, "10 steps", "10 s"])
def test_the_records_of_an_epoch_partition_it(tmp_path: Path, clock: ScriptedClock, every: int | str):
    callback, _ = fit(tmp_path, clock, decide_every=every)

    parts = epochs(callback.accountant.history)
    assert [(part.epoch, part.step, part.closes_epoch) for part in parts] == [
        (0, 10, False),
        (0, 20, False),
        (0, 30, False),
        (0, 40, False),
        (0, 40, True),
    ]
    assert [part.energy_joules for part in parts] == pytest.approx([3000.0] * 4 + [VALIDATION_JOULES], rel=1e-9)
    assert [sorted(part.phases) for part in parts] == [["train"]] * 4 + [["train", "validation"]]
    assert parts[0].metrics.keys() >= {"train_loss_step"}
    assert [part for part in parts if "val_acc" in part.metrics] == [parts[-1]]
    assert callback.accountant.history.finished_epochs == 1


def test_a_budget_stops_a_run_of_one_epoch_with_room_for_its_last_validation(tmp_path: Path, clock: ScriptedClock):
    budget = 25.5 * STEP_JOULES
    callback, fitted = fit(tmp_path, clock, decide_every=1, policies=[CarbonBudget(f"{budget} J")])

    run = callback.accountant.close()
    assert fitted.global_step == 25
    # Nothing was known of the validation when the run was stopped: it is what overspends the budget.
    assert run.energy_joules == pytest.approx(25 * STEP_JOULES + VALIDATION_JOULES, rel=1e-9)
    assert run.epochs == 0
    assert "next part of an epoch" in (run.stop_reason or "")


def test_a_validation_that_was_seen_is_kept_in_reserve(tmp_path: Path, clock: ScriptedClock):
    budget = BATCHES * STEP_JOULES + VALIDATION_JOULES + 20.5 * STEP_JOULES
    callback, fitted = fit(tmp_path, clock, decide_every=1, max_epochs=5, policies=[CarbonBudget(f"{budget} J")])

    run = callback.accountant.close()
    assert fitted.global_step == BATCHES + 19
    assert run.energy_joules == pytest.approx(budget - 0.5 * STEP_JOULES, rel=1e-9)
    assert [record.complete for record in epochs(callback.accountant.history)][-1] is False
    assert run.epochs == 1


def test_the_last_checkpoint_of_a_run_stopped_inside_an_epoch_can_be_gone_on_with(tmp_path: Path, clock: ScriptedClock):
    saved = ModelCheckpoint(tmp_path / "checkpoints", save_last=True)
    first, stopped = fit(
        tmp_path,
        clock,
        decide_every=5,
        max_epochs=3,
        policies=[CarbonBudget(f"{50 * STEP_JOULES} J")],
        callbacks=[saved],
        enable_checkpointing=True,
    )
    spent = first.accountant.close()
    assert BATCHES < stopped.global_step < 2 * BATCHES

    more, resumed = fit(
        tmp_path,
        clock,
        decide_every=5,
        max_epochs=3,
        policies=[CarbonBudget("1 MWh")],
        ckpt_path=saved.last_model_path,
    )

    history = more.accountant.history
    run = more.accountant.close()
    assert run.run_id == spent.run_id
    assert run.energy_joules is not None
    assert spent.energy_joules is not None
    assert run.energy_joules > spent.energy_joules
    assert resumed.global_step > stopped.global_step
    assert resumed.current_epoch == 3
    assert history.steps == resumed.global_step
    assert run.ledger is not None
    assert read_ledger(run.ledger).history.energy_joules == pytest.approx(run.energy_joules)


def test_a_run_goes_on_inside_an_epoch_where_its_checkpoint_was_saved(tmp_path: Path, clock: ScriptedClock):
    saved = ModelCheckpoint(tmp_path / "steps", every_n_train_steps=20, save_top_k=-1)
    fit(tmp_path, clock, decide_every=5, callbacks=[saved], enable_checkpointing=True)
    [inside] = [path for path in (tmp_path / "steps").iterdir() if "step=20" in path.name]

    callback, _ = fit(tmp_path, clock, decide_every=5, ckpt_path=inside)

    history = callback.accountant.history
    done = [record.step for record in epochs(history)]
    assert done == [5, 10, 15, 20, 25, 30, 35, 40, 40]
    lost = [record for record in history if record.epoch is None and not record.complete]
    assert sum(record.energy_joules or 0.0 for record in lost) == pytest.approx(20 * STEP_JOULES + VALIDATION_JOULES)
    run = callback.accountant.close()
    assert run.energy_joules == pytest.approx(60 * STEP_JOULES + 2 * VALIDATION_JOULES, rel=1e-9)
    assert run.ledger is not None
    assert [r.epoch for r in read_ledger(run.ledger).history] == [r.epoch for r in history]


def test_a_gain_is_judged_at_validations_inside_an_epoch(tmp_path: Path, clock: ScriptedClock):
    class Leveling(OneLongEpoch):
        def score(self) -> float:
            return 1 - 0.5 ** (self.global_step / 2)

    policy = MarginalGain("val_acc")
    callback, fitted = fit(
        tmp_path, clock, Leveling(clock), decide_every=2, val_check_interval=2, policies=[policy], max_epochs=1
    )

    assert 8 <= fitted.global_step < BATCHES
    assert "val_acc" in (callback.accountant.stop_reason or "")


def test_steps_are_those_of_the_optimizer(tmp_path: Path, clock: ScriptedClock):
    callback, _ = fit(tmp_path, clock, decide_every=5, accumulate_grad_batches=4)
    parts = epochs(callback.accountant.history)
    assert [(part.step, part.energy_joules) for part in parts] == [
        (5, pytest.approx(20 * STEP_JOULES)),
        (10, pytest.approx(20 * STEP_JOULES)),
        (10, pytest.approx(VALIDATION_JOULES)),
    ]


def test_an_epoch_that_the_trainers_minimum_keeps_going_is_whole(tmp_path: Path, clock: ScriptedClock):
    callback, fitted = fit(
        tmp_path, clock, decide_every=5, min_epochs=1, max_epochs=3, policies=[CarbonBudget(f"{10 * STEP_JOULES} J")]
    )
    assert fitted.global_step == BATCHES
    assert callback.accountant.history.finished_epochs == 1


def test_parts_appear_in_the_loggers_of_the_trainer(tmp_path: Path, clock: ScriptedClock):
    loggers = [TensorBoardLogger(tmp_path, name="board"), CSVLogger(tmp_path, name="csv")]
    fit(tmp_path, clock, decide_every=10, logger=loggers, sinks=None, log_every_n_steps=7)

    points = read_events(Path(loggers[0].log_dir)).points("green/emissions_total_g")
    expected = [grams(10 * STEP_JOULES * n) for n in (1, 2, 3, 4)] + [grams(40 * STEP_JOULES + VALIDATION_JOULES)]
    assert [value for _, value in points] == pytest.approx(expected, rel=1e-5)
    assert [step for step, _ in points] == [9, 19, 29, 39, 39]
    assert "green/emissions_total_g" in (Path(loggers[1].log_dir) / "metrics.csv").read_text()


def test_epochs_shorter_than_the_interval_are_records_of_their_own(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock, decide_every="1 h")
    Trainer(**quiet(tmp_path), callbacks=[callback]).fit(TinyModule(clock))
    assert [record.closes_epoch for record in epochs(callback.accountant.history)] == [True] * 3


class Endless(IterableDataset[torch.Tensor]):
    def __iter__(self) -> Iterator[torch.Tensor]:
        yield from itertools.repeat(torch.ones(2))


def test_a_training_that_goes_by_steps_is_told_that_its_rule_waits_for_an_epoch(tmp_path: Path, clock: ScriptedClock):
    class Stream(TinyModule):
        def train_dataloader(self) -> DataLoader[torch.Tensor]:
            return DataLoader(Endless(), batch_size=2)

    notices: list[tuple[str, ...]] = []
    for options in ({}, {"decide_every": 10}):
        callback = monitor(clock, policies=[MarginalGain("val_acc")], **options)
        by_steps = {"max_epochs": -1, "max_steps": 40, "val_check_interval": 10, "check_val_every_n_epoch": None}
        trainer(tmp_path, callback, **by_steps).fit(Stream(clock, [0.5]))
        notices.append(callback.accountant.close().notices)

    by_epochs, by_parts = notices
    assert by_epochs[0].startswith("This training goes by steps")
    assert "decide_every" in by_epochs[1]
    assert not any("by steps" in each for each in by_parts)


@pytest.mark.parametrize(("steps", "is_said"), [(BATCHES - 1, True), (2 * BATCHES, False)])
def test_steps_that_end_within_the_first_epoch_are_one_epoch_at_most(
    tmp_path: Path, clock: ScriptedClock, *, steps: int, is_said: bool
):
    callback = monitor(clock, policies=[MarginalGain("val_acc")])
    trainer(tmp_path, callback, max_epochs=-1, max_steps=steps).fit(OneLongEpoch(clock))
    said = [each for each in callback.accountant.close().notices if "No more than one epoch is planned" in each]
    assert bool(said) is is_said


class NeverEnding(TinyModule):
    """An epoch that ends in a minute of the budget, or not at all."""

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        assert batch_idx < 100
        return super().training_step(batch, batch_idx)

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(Endless(), batch_size=2)


def test_a_budget_ends_an_epoch_that_has_no_end(tmp_path: Path, clock: ScriptedClock):
    callback, module = monitor(clock, policies=[CarbonBudget(f"{30.5 * WATTS} J")]), NeverEnding(clock)

    trainer(tmp_path, callback, max_epochs=-1).fit(module)

    run = callback.accountant.close()
    assert 30 <= module.global_step <= 32
    assert run.stop_reason is not None
    assert [(record.epoch, record.complete, record.step) for record in callback.accountant.history] == [
        (0, False, module.global_step)
    ]


@pytest.mark.filterwarnings("ignore:Total length of `list`")
@pytest.mark.parametrize(
    ("options", "loads"),
    [
        ({"limit_val_batches": 0}, True),
        ({"check_val_every_n_epoch": 50}, True),
        ({}, False),
        ({"val_check_interval": 50}, True),
    ],
    ids=["switched off", "every 50 epochs", "no loader", "later than the loader ends"],
)
def test_a_rule_on_a_metric_of_a_validation_that_never_comes_says_so(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture, options: dict[str, Any], *, loads: bool
):
    class Short(IterableDataset[torch.Tensor]):
        def __iter__(self) -> Iterator[torch.Tensor]:
            return iter(torch.ones(8, 2))

    class Module(TinyModule):
        def train_dataloader(self) -> DataLoader[torch.Tensor]:
            return DataLoader(Short(), batch_size=2)

        def val_dataloader(self) -> Any:
            return super().val_dataloader() if loads else []

    callback = monitor(clock, policies=[MarginalGain("val_acc")])

    trainer(tmp_path, callback, **options).fit(Module(clock))

    assert callback.accountant.close().epochs == 3
    assert [text for text in callback.accountant.close().notices if "val_acc" in text]
    assert [record for record in caplog.records if record.levelname == "WARNING" and "val_acc" in record.getMessage()]
