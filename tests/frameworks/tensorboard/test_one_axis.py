"""Real fits: what of them stands in TensorBoard never goes back, unless the file says so."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import pytest

pytest.importorskip("tensorboard")
pytest.importorskip("keras")
pytest.importorskip("torch")
pytest.importorskip("lightning")

import keras
import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import LearningRateFinder, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader, TensorDataset

import green_callbacks.keras
import green_callbacks.lightning
from green_callbacks import CarbonBudget, EnergyAccountant
from green_callbacks.sinks import is_ours
from green_callbacks.sources import ScriptedSource

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*exists and is not empty.*"),
    pytest.mark.filterwarnings("ignore:.*number of training batches.*"),
    pytest.mark.filterwarnings("ignore:Be aware that when using `ckpt_path`"),
]

TOTAL = "green/emissions_total_g"
STEPS = 10
"""Batches of an epoch."""


def folder_of(logs: Path) -> Path:
    (folder,) = {path.parent for path in logs.rglob("*tfevents*")}
    return folder


def steps(logs: Path) -> dict[str, list[int]]:
    """The steps of every curve of ours, with what a restart drops taken away."""
    events = EventAccumulator(str(folder_of(logs)), size_guidance={"scalars": 0}).Reload()
    return {tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"] if is_ours(tag)}


def assert_none_goes_back(logs: Path) -> list[int]:
    """Return the steps of the total."""
    found = steps(logs)
    assert {tag for tag, each in found.items() if each != sorted(each)} == set()
    return found[TOTAL]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keras_model() -> Any:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def keras_fit(model: Any, monitor: Any, **options: Any) -> None:
    x = np.ones((40, 3), "float32")
    model.fit(x, x[:, 0], batch_size=4, verbose=0, validation_split=0.0, callbacks=[monitor], **options)


@pytest.mark.parametrize("renewed", [lambda model: model, lambda _: keras_model()], ids=["same model", "new model"])
def test_keras_fits_of_one_epoch_with_an_evaluation_after_each(here: Path, renewed: Callable[[Any], Any]):
    monitor, model = green_callbacks.keras.EmissionsMonitor(carbon_intensity=100.0), keras_model()
    for _ in range(4):
        keras_fit(model, monitor, epochs=1)
        model.evaluate(np.ones((8, 3)), np.ones(8), verbose=0, callbacks=[monitor])
        model = renewed(model)

    assert assert_none_goes_back(here) == [9, 19, 29, 39]


def test_a_keras_run_that_goes_on_by_its_ledger(here: Path):
    def fit(**epochs: int) -> None:
        monitor = green_callbacks.keras.EmissionsMonitor(carbon_intensity=100.0, ledger=here / "run.jsonl")
        keras_fit(model, monitor, **epochs)

    model = keras_model()
    fit(epochs=4)
    model.optimizer.iterations.assign(2 * STEPS)  # as the checkpoint of the second epoch has it
    fit(initial_epoch=2, epochs=5)

    assert assert_none_goes_back(here) == [9, 19, 29, 39, 49]


def test_a_keras_fit_that_is_decided_on_inside_epochs(here: Path):
    monitor = green_callbacks.keras.EmissionsMonitor(carbon_intensity=100.0, decide_every="4 steps")
    keras_fit(keras_model(), monitor, epochs=2)

    assert assert_none_goes_back(here) == [3, 7, 9, 13, 17, 19]


class Model(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
        self.lr = 0.01

    def training_step(self, batch: Any, _: int) -> Any:
        return self.layer(batch[0]).square().mean()

    def validation_step(self, _batch: Any, _: int) -> None:
        self.log("val_acc", torch.tensor(0.5))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), self.lr)


class TwoOptimizers(Model):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: Any, _: int) -> None:
        for optimizer in self.optimizers():
            optimizer.zero_grad()
            self.manual_backward(self.layer(batch[0]).square().mean())
            optimizer.step()

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.parameters(), 0.01) for _ in range(2)]


def loader(batches: int = STEPS) -> Any:
    return DataLoader(TensorDataset(torch.ones(4 * batches, 4)), batch_size=4)


def fit(here: Path, model: Any, *callbacks: Any, batches: int = STEPS, ckpt_path: Any = None, **options: Any) -> None:
    """Fit with a trainer of its own, whose logs go to the same folder as those of all others."""
    trainer = Trainer(
        accelerator="cpu",
        logger=TensorBoardLogger(here / "logs", version=0),
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
        **{"enable_checkpointing": False, **options},
    )
    trainer.fit(model, loader(batches), loader(2), ckpt_path=ckpt_path, weights_only=False)


def monitor(**options: Any) -> Any:
    return green_callbacks.lightning.EmissionsMonitor(carbon_intensity=100.0, **options)


def test_fits_of_several_lightning_trainers_in_one_folder(here: Path):
    one = monitor(policies=[CarbonBudget("1 kg")])
    for batches in (STEPS, 2 * STEPS, STEPS):
        fit(here, Model(), one, batches=batches, max_epochs=2)

    assert assert_none_goes_back(here / "logs") == [9, 19, 39, 59, 69, 79]
    assert len(steps(here / "logs")["green/budget_left_g"]) == 6
    assert one.accountant.history.metric_names == ("val_acc",), "what we log is no metric of the run"


def test_a_lightning_run_that_is_resumed_in_its_folder(here: Path):
    kept = ModelCheckpoint(here / "kept", filename="{epoch}", save_top_k=-1)
    fit(here, Model(), monitor(), kept, max_epochs=4, enable_checkpointing=True)
    fit(here, Model(), monitor(), max_epochs=5, ckpt_path=here / "kept" / "epoch=1.ckpt")

    assert assert_none_goes_back(here / "logs") == [9, 19, 29, 39, 49]


def test_a_lightning_run_that_is_resumed_in_its_folder_without_its_ledger(here: Path):
    kept = ModelCheckpoint(here / "kept", filename="{epoch}", save_top_k=-1)
    options = {"ledger": False, "sources": [ScriptedSource(1e-6)]}  # 0 mg, as the curve over emissions may go back
    fit(here, Model(), monitor(**options), kept, max_epochs=4, enable_checkpointing=True)
    fit(here, Model(), monitor(**options), max_epochs=3, ckpt_path=here / "kept" / "epoch=1.ckpt")

    assert assert_none_goes_back(here / "logs") == [9, 19, 29]


@pytest.mark.parametrize("options", [{}, {"accumulate_grad_batches": 2}, {"val_check_interval": 0.5}], ids=str)
def test_parts_of_lightning_epochs_stand_where_their_ends_do(here: Path, options: dict[str, Any]):
    fit(here, Model(), monitor(decide_every="2 steps"), max_epochs=2, **options)

    per_epoch = STEPS // options.get("accumulate_grad_batches", 1)
    parts = [step for epoch in range(2) for step in range(per_epoch * epoch + 1, per_epoch * (epoch + 1), 2)]
    total = assert_none_goes_back(here / "logs")
    assert sorted(set(total)) == sorted({*parts, per_epoch - 1, 2 * per_epoch - 1})


def test_parts_stand_where_ends_do_though_two_optimizers_step(here: Path):
    fit(here, TwoOptimizers(), monitor(decide_every="4 steps"), max_epochs=2)

    assert sorted(set(assert_none_goes_back(here / "logs"))) == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]


def test_a_checkpoint_that_a_learning_rate_finder_restores(here: Path):
    finder = LearningRateFinder(num_training_steps=5)
    fit(here, Model(), monitor(), finder, max_epochs=2, enable_checkpointing=True)

    assert assert_none_goes_back(here / "logs") == [9, 19]


def test_a_plain_loop_that_is_resumed(here: Path):
    def train(accountant: EnergyAccountant, epochs: int) -> None:
        with accountant:
            for _ in accountant.epochs(epochs):
                accountant.observe({"val_acc": 0.5})

    first = EnergyAccountant(carbon_intensity=100.0)
    train(first, 2)
    checkpoint = first.state_dict()
    train(first, 4)
    second = EnergyAccountant(carbon_intensity=100.0)
    second.load_state_dict(checkpoint)
    with second:
        for epoch in range(2, 5):
            second.begin_epoch(epoch)
            second.observe({"val_acc": 0.5})
            second.end_epoch()

    assert assert_none_goes_back(here) == [0, 1, 2, 3, 4]
