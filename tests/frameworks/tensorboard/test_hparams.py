"""The two lines of the README that put the final grams into the table of TensorBoard's HParams."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tensorboard")
pytest.importorskip("torch")
pytest.importorskip("lightning")

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks.lightning import EmissionsMonitor

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*exists and is not empty.*"),
]


class Model(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch: Any, _: int) -> Any:
        return self.layer(batch[0]).square().mean()

    def validation_step(self, _batch: Any, _: int) -> None:
        self.log("val_acc", torch.tensor(0.75))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), 0.01)


def table(logs: Path) -> dict[str, dict[str, float]]:
    """What the table of HParams shows: the metrics of each run by its hyperparameter."""
    asked = RequestContext()
    multiplexer = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(logs)).Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(logs))
    context = backend_context.Context(base_plugin.TBContext(data_provider=provider, logdir=str(logs)))
    request = api_pb2.ListSessionGroupsRequest(
        allowed_statuses=api_pb2.Status.values(), slice_size=10, aggregation_type=api_pb2.AGGREGATION_AVG
    )
    groups = list_session_groups.Handler(asked, context, "", request).run().session_groups
    return {
        str(group.hparams["lr"].number_value): {each.name.tag: each.value for each in group.metric_values}
        for group in groups
    }


def test_the_final_grams_and_quality_stand_in_the_table(tmp_path: Path):
    data = DataLoader(TensorDataset(torch.ones(40, 4)), batch_size=4)
    finals = {}
    for lr in (0.1, 0.2):
        logger = TensorBoardLogger(tmp_path, default_hp_metric=False)
        logger.log_hyperparams({"lr": lr}, {"green/emissions_total_g": 0.0, "val_acc": 0.0})
        monitor = EmissionsMonitor(carbon_intensity=100.0)
        trainer = Trainer(
            max_epochs=2,
            logger=logger,
            callbacks=[monitor],
            accelerator="cpu",
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            log_every_n_steps=1,
        )
        trainer.fit(Model(), data, data)
        finals[str(lr)] = 1000 * monitor.accountant.history.cumulative_kg[monitor.accountant.history.epoch_rows[-1]]

    shown = table(tmp_path)
    assert {lr: row["green/emissions_total_g"] for lr, row in shown.items()} == pytest.approx(finals, rel=1e-5)
    assert {row["val_acc"] for row in shown.values()} == {0.75}
