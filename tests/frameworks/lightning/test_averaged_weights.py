"""Fits with Lightning's own ``WeightAveraging``: the average is judged, kept, saved and resumed."""

import logging
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as new_root
import pytest
import pytorch_lightning as old_root
import torch
from frameworks.lightning.tiny import epochs, quiet, scripted
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

import green_callbacks.lightning
import green_callbacks.pytorch_lightning
from green_callbacks import MarginalGain
from green_callbacks.clock import ScriptedClock

ROOTS = [(new_root, green_callbacks.lightning), (old_root, green_callbacks.pytorch_lightning)]
FLAT = tuple(1 - 0.5 ** (epoch + 1) for epoch in range(40))
"""Scores of a model that has learned after some epochs."""

pytestmark = pytest.mark.parametrize(("root", "adapter"), ROOTS, ids=["lightning", "pytorch_lightning"])


def module_of(root: Any, clock: ScriptedClock, scores: Sequence[float] = FLAT, **parts: Any) -> Any:
    """A module with batch normalization whose weights go up and down, and a log of its states after each step."""

    class Module(root.LightningModule):  # type: ignore[misc]  # either root
        def __init__(self) -> None:
            super().__init__()
            generator = torch.Generator().manual_seed(1)
            self.x = torch.randn(64, 4, generator=generator)
            self.network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
            with torch.no_grad():
                for each in self.network.parameters():
                    each.copy_(torch.randn(each.shape, generator=generator))
            self.states: list[dict[str, torch.Tensor]] = []

        def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
            clock.advance(1.0)
            return (self.network(batch) - batch.sum(dim=1, keepdim=True)).square().mean()

        def on_train_batch_end(self, outputs: Any, batch: torch.Tensor, batch_idx: int) -> None:
            self.states.append(state(self.network))

        def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
            self.log("val_acc", scores[self.current_epoch])
            self.log("val_loss", loss(self.network, batch))

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.SGD(self.parameters(), lr=0.05)
            return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, len(scores))]

        def train_dataloader(self) -> Any:
            return DataLoader(self.x, batch_size=8)

        def val_dataloader(self) -> Any:
            return DataLoader(self.x, batch_size=64)

        test_dataloader, test_step = val_dataloader, validation_step

    for name, part in parts.items():
        setattr(Module, name, part)
    return Module()


def state(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def loss(network: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    return (network(x) - x.sum(dim=1, keepdim=True)).square().mean()


def average_of(states: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The average of the states as the formula says, in double precision."""
    average = {name: value.double() for name, value in states[0].items()}
    for number, each in enumerate(states, start=1):
        weight = min(1.0, 10 / number)
        average = {name: value + (each[name] - value) * weight for name, value in average.items()}
    return {**average, "1.num_batches_tracked": states[-1]["1.num_batches_tracked"]}


def near(state: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    assert state.keys() == other.keys()
    return all(torch.allclose(state[name].double(), other[name].double(), atol=1e-5) for name in state)


def fit(root: Any, folder: Path, module: Any, *callbacks: Any, resumed: str | None = None, **options: Any) -> Any:
    trainer = root.Trainer(**{**quiet(folder), "max_epochs": 6, "callbacks": list(callbacks), **options})
    trainer.fit(module, ckpt_path=resumed, weights_only=False if resumed else None)
    return trainer


def averaging(root: Any, adapter: Any, argument: str = "multi_avg_fn") -> Any:
    return root.callbacks.WeightAveraging(**{argument: adapter.recent_average()})


@pytest.mark.parametrize("argument", ["avg_fn", "multi_avg_fn"])
@pytest.mark.parametrize("is_first", [True, False])
def test_every_record_has_the_value_of_the_average(root, adapter, argument, is_first, tmp_path, clock):
    monitor = adapter.EmissionsMonitor(**scripted(clock))
    average = averaging(root, adapter, argument)
    module = module_of(root, clock)
    fit(root, tmp_path, module, *([average, monitor] if is_first else [monitor, average]))

    probe = module_of(root, clock).network.eval()
    records = epochs(monitor.accountant.history)
    assert len(records) == 6
    for number, record in enumerate(records, start=1):
        probe.load_state_dict(average_of(module.states[: 8 * number]))
        assert record.metrics["val_loss"] == pytest.approx(loss(probe, module.x).item(), rel=1e-4)
    probe.load_state_dict(module.states[-1])
    assert records[-1].metrics["val_loss"] != pytest.approx(loss(probe, module.x).item(), rel=1e-2)


def test_the_average_is_in_the_model_after_the_fit(root, adapter, tmp_path, clock):
    module = module_of(root, clock)
    trainer = fit(root, tmp_path, module, averaging(root, adapter))

    module.eval()
    assert loss(module.network, module.x).item() == pytest.approx(trainer.callback_metrics["val_loss"].item())
    assert near(state(module.network), average_of(module.states))
    assert state(module.network)["1.num_batches_tracked"] == 48


@pytest.mark.parametrize("on_annealing", ["stop", "hold"])
def test_the_average_is_in_the_model_after_the_stop_of_the_rule(root, adapter, on_annealing, tmp_path, clock):
    rule = MarginalGain("val_acc", on_annealing=on_annealing)
    monitor = adapter.EmissionsMonitor(**scripted(clock, policies=[rule]))
    module = module_of(root, clock)
    trainer = fit(root, tmp_path, module, monitor, averaging(root, adapter), max_epochs=len(FLAT))

    assert (trainer.current_epoch < len(FLAT)) == (on_annealing == "stop")
    module.eval()
    assert loss(module.network, module.x).item() == pytest.approx(trainer.callback_metrics["val_loss"].item())
    last = epochs(monitor.accountant.history)[-1]
    assert loss(module.network, module.x).item() == pytest.approx(last.metrics["val_loss"], rel=1e-6)
    assert near(state(module.network), average_of(module.states))
    assert not near(state(module.network), module.states[-1])


def test_a_resumed_run_has_the_average_of_an_uninterrupted_one(root, adapter, tmp_path, clock):
    def train(**options: Any) -> Any:
        module = module_of(root, clock)
        saving = root.callbacks.ModelCheckpoint(tmp_path, save_last=True)
        monitor = adapter.EmissionsMonitor(**scripted(clock, ledger=False))
        options = {"enable_checkpointing": True, **options}
        fit(root, tmp_path, module, monitor, averaging(root, adapter), saving, **options)
        return module, epochs(monitor.accountant.history)

    whole, records = train()
    train(max_epochs=3)
    resumed, continued = train(resumed=str(tmp_path / "last-v1.ckpt"))

    assert len(resumed.states) < len(whole.states)
    assert all(torch.equal(value, state(whole.network)[name]) for name, value in state(resumed.network).items())
    assert [each.metrics["val_loss"] for each in continued] == [each.metrics["val_loss"] for each in records]


def test_checkpoints_of_the_front_hold_the_average_that_was_validated(root, adapter, tmp_path, clock):
    monitor = adapter.EmissionsMonitor(**scripted(clock))
    front = adapter.FrontCheckpoint("val_loss", dirpath=tmp_path / "front", mode="min")
    module = module_of(root, clock)
    options = {"enable_checkpointing": True}
    fit(root, tmp_path, module, monitor, averaging(root, adapter), front, **options)

    (tested,) = root.Trainer(**quiet(tmp_path)).test(
        module_of(root, clock), ckpt_path=front.best_model_path, verbose=False, weights_only=False
    )
    assert tested["val_loss"] == pytest.approx(front.best_model_score.item())


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("is_averaged", [True, False])
def test_a_front_of_weights_only_is_said_to_hold_others(
    root, adapter, weights_only, is_averaged, tmp_path, clock, caplog
):
    monitor = adapter.EmissionsMonitor(**scripted(clock))
    front = adapter.FrontCheckpoint("val_loss", tmp_path / "front", mode="min", save_weights_only=weights_only)
    callbacks = [monitor, front, *([averaging(root, adapter)] if is_averaged else [])]
    with caplog.at_level(logging.WARNING):
        fit(root, tmp_path, module_of(root, clock), *callbacks, max_epochs=2, enable_checkpointing=True)

    said = [message for message in caplog.messages if "Leave save_weights_only out" in message]
    assert len(said) == (weights_only and is_averaged)


def test_the_callback_pickles_for_processes_that_are_spawned(root, adapter, tmp_path, clock):
    average = pickle.loads(pickle.dumps(averaging(root, adapter)))
    module = module_of(root, clock)
    trainer = fit(root, tmp_path, module, average, max_epochs=2)

    module.eval()
    assert loss(module.network, module.x).item() == pytest.approx(trainer.callback_metrics["val_loss"].item())


def test_an_older_lightning_can_keep_the_average_in_the_module(root, adapter, tmp_path, clock):
    def setup(module: Any, stage: str) -> None:
        module.average = AveragedModel(module.network, multi_avg_fn=adapter.recent_average(), use_buffers=True)

    def update(module: Any, outputs: Any, batch: torch.Tensor, batch_idx: int) -> None:
        module.average.update_parameters(module.network)

    def validate(module: Any, batch: torch.Tensor, batch_idx: int) -> None:
        module.log("val_loss", loss(module.average, batch))

    parts = {"setup": setup, "on_train_batch_end": update, "validation_step": validate}
    module, other = module_of(root, clock, **parts), module_of(root, clock)
    trainers = [
        fit(root, tmp_path, module),
        fit(root, tmp_path, other, averaging(root, adapter)),
    ]
    ours, lightnings = (each.callback_metrics["val_loss"].item() for each in trainers)

    assert ours == pytest.approx(lightnings, rel=1e-6)
