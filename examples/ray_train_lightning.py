"""Train with Lightning on two workers of Ray Train. They are one run, with one ledger and one decision.

Ray lets Lightning use its process group, through which the monitor finds the other workers. Each device counts once.
"""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from ray.train import RunConfig, ScalingConfig
from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment, RayTrainReportCallback, prepare_trainer
from ray.train.torch import TorchTrainer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks import CarbonBudget
from green_callbacks.lightning import EmissionsMonitor

FOLDER = Path("logs").absolute()  # on a cluster, a folder that all nodes share
EPOCHS = 4


class Classifier(LightningModule):
    """A network for the sign of a product of sums."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 2))

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Return the loss of a batch."""
        loss = nn.functional.cross_entropy(self.layers(batch[0]), batch[1])
        self.log("train_loss", loss, on_epoch=True, sync_dist=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def train(config: dict[str, Any]) -> None:
    """Train on one worker. Every worker calls this.

    Args:
        config: The folder of the logs.
    """
    x = torch.randn(4000, 16, generator=torch.Generator().manual_seed(1))
    y = (x[:, :8].sum(dim=1) * x[:, 8:].sum(dim=1) > 0).long()
    trainer = Trainer(
        max_epochs=EPOCHS,
        accelerator="auto",
        devices="auto",
        strategy=RayDDPStrategy(),
        plugins=[RayLightningEnvironment()],
        callbacks=[
            EmissionsMonitor(location="FR", policies=[CarbonBudget("100 g")]),
            RayTrainReportCallback(),  # after the monitor, whose numbers it reports
        ],
        default_root_dir=config["folder"],  # the ledger goes there, because Ray's working folder is temporary
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer = prepare_trainer(trainer)
    trainer.fit(Classifier(), DataLoader(TensorDataset(x, y), batch_size=32))


def main() -> None:
    """Train, and print what it took."""
    result = TorchTrainer(
        train,
        train_loop_config={"folder": str(FOLDER)},
        scaling_config=ScalingConfig(num_workers=2, use_gpu=torch.cuda.is_available()),
        run_config=RunConfig(name="two_workers", storage_path=str(FOLDER / "ray")),
    ).fit()
    print(f"{result.metrics['epoch'] + 1} epochs, {1000 * result.metrics['green/emissions_total_g']:.3g} mg CO2e")
    print(f"ledger {next(FOLDER.glob('**/green-callbacks/*.jsonl'))}")


if __name__ == "__main__":
    main()
