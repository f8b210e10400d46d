"""Lightning under either import root, as the contract drives it."""

from importlib import import_module
from typing import Any

import torch
from frameworks.contract.driver import BATCH_SIZE, BATCHES, METRIC, RATE, VALIDATION_BATCHES, Training, scripted
from torch.utils.data import DataLoader


class _NotedSGD(torch.optim.SGD):
    """Notes the learning rate that each step uses."""

    used: list[float]

    def _init_group(self, group: dict[str, Any], *more: Any) -> Any:
        self.used.append(float(group["lr"]))
        return super()._init_group(group, *more)


class _Body:
    """A linear layer whose batches take scripted time."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training_script = training
        self.layer = torch.nn.Linear(2, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        self.training_script.batch(self.current_epoch, batch_idx)
        return self.layer(batch).pow(2).mean()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.training_script.clock.advance(0.5)
        self.log(METRIC, self.training_script.score(self.current_epoch))

    def configure_optimizers(self) -> Any:
        optimizer = _NotedSGD(self.parameters(), lr=RATE)
        optimizer.used = self.training_script.used
        return optimizer

    def train_dataloader(self) -> Any:
        return DataLoader(torch.ones(BATCH_SIZE * BATCHES, 2), batch_size=BATCH_SIZE)

    def val_dataloader(self) -> Any:
        return DataLoader(torch.ones(BATCH_SIZE * VALIDATION_BATCHES, 2), batch_size=BATCH_SIZE)


class Lightning:
    """``green_callbacks.lightning``."""

    hints = (
        "Be aware that when using `ckpt_path`",
        "Checkpoint directory",
        ".*does not have many workers",
        "The number of training batches",
        ".*treespec",
        ".*LeafSpec",
    )
    notes_rates = True
    root, adapter = "lightning.pytorch", "green_callbacks.lightning"

    def __init__(self) -> None:
        self._root = import_module(self.root)
        self._checkpoint = import_module(f"{self.root}.callbacks").ModelCheckpoint
        self._monitor = import_module(self.adapter).EmissionsMonitor
        self._module = type("Module", (_Body, self._root.LightningModule), {})

    def monitor(self, training: Training, **options: Any) -> Any:
        return self._monitor(**scripted(training, **options))

    def fit(self, monitor: Any, training: Training, *, is_resumed: bool = False) -> None:
        checkpoint = self._checkpoint(training.folder, filename="last", enable_version_counter=False)
        resumed = {"ckpt_path": training.folder / "last.ckpt", "weights_only": True} if is_resumed else {}
        trainer = self._trainer(training, monitor, checkpoint)
        trainer.fit(self._module(training), **resumed)
        training.logged = {
            key: float(value) for key, value in trainer.callback_metrics.items() if key.startswith("green/")
        }

    def evaluate(self, monitor: Any, training: Training) -> None:
        self._trainer(training, monitor).validate(self._module(training), verbose=False)

    def _trainer(self, training: Training, *callbacks: Any) -> Any:
        return self._root.Trainer(
            max_epochs=training.epochs,
            callbacks=list(callbacks),
            accelerator="cpu",
            devices=1,
            default_root_dir=training.folder,
            logger=False,
            enable_checkpointing=len(callbacks) > 1,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )


class PytorchLightning(Lightning):
    """``green_callbacks.pytorch_lightning``."""

    root, adapter = "pytorch_lightning", "green_callbacks.pytorch_lightning"
