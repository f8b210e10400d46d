"""A small fit with Lightning that a rule stops: energy, grams, and the reason."""

import logging
import time
import warnings
from datetime import timedelta
from typing import Any

from load import IDLE
from plan import Bench, Figures, LeftOutError

_FEATURES, _WIDTH, _CLASSES = 64, 512, 10
_SAMPLES, _BATCH = 8192, 256
_FLIPPED = 0.2
"""Share of labels that are wrong, so that the accuracy soon rises no more."""


def fit(bench: Bench) -> Figures:
    """Train on made data until a rule stops, the epochs are done, or the time is over."""
    try:
        import lightning.pytorch  # noqa: F401
        import torch
    except ImportError:
        msg = "Lightning is not installed for this Python: no fit."
        raise LeftOutError(msg) from None
    from green_callbacks import CarbonBudget, MarginalGain
    from green_callbacks.lightning import EmissionsMonitor
    from green_callbacks.sources import NvmlSource

    said = _last_verdicts()
    bench.load.prepare(IDLE)
    monitor = EmissionsMonitor(
        sources=[NvmlSource([bench.uuid])],
        location="DE",
        sinks=[said],
        ledger=bench.folder / "fit.jsonl",
        policies=[CarbonBudget("1 kg"), MarginalGain("val_acc")],
    )
    trainer = _trainer(bench, monitor)
    began = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on workers
        trainer.fit(_model(torch), *_loaders(torch))
    seconds = time.monotonic() - began
    found = _figures(monitor.accountant, bench.plan.fit_epochs)
    return {"seconds": round(seconds, 1)} | found | {"last verdicts": said.text or "none"}


def _trainer(bench: Bench, monitor: Any) -> Any:
    from lightning.pytorch import Trainer

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    return Trainer(
        accelerator=bench.accelerator,
        devices=1,
        max_epochs=bench.plan.fit_epochs,
        max_time=timedelta(seconds=bench.plan.fit_seconds),
        callbacks=[monitor],
        default_root_dir=bench.folder,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _last_verdicts() -> Any:
    from green_callbacks import Sink

    class LastVerdicts(Sink):
        """Keeps what was said of the last epoch."""

        text = ""

        def write(self, record: Any) -> None:
            if record.verdicts:
                self.text = " ".join(verdict.reason for verdict in record.verdicts)

    return LastVerdicts()


def _figures(accountant: Any, most_epochs: int) -> Figures:
    history = accountant.history
    run = accountant.close()
    return {
        "epochs": f"{run.epochs} of {most_epochs}",
        "energy, Wh": round(run.energy_joules / 3600, 4),
        "emissions, g": round(1e3 * history.emissions_kg, 4),
        "last val_acc": round(history.metric("val_acc").values[-1], 4),
        "stopped by a rule": accountant.stop_reason or "no",
    }


def _loaders(torch: Any) -> tuple[Any, Any]:
    from torch.utils.data import DataLoader, TensorDataset

    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(_SAMPLES, _FEATURES, generator=generator)
    labels = (inputs @ torch.randn(_FEATURES, _CLASSES, generator=generator)).argmax(1)
    flipped = torch.rand(_SAMPLES, generator=generator) < _FLIPPED
    labels[flipped] = torch.randint(_CLASSES, (int(flipped.sum()),), generator=generator)
    cut = _SAMPLES * 3 // 4
    training = TensorDataset(inputs[:cut], labels[:cut])
    validation = TensorDataset(inputs[cut:], labels[cut:])
    return DataLoader(training, _BATCH, shuffle=True), DataLoader(validation, _BATCH)


def _model(torch: Any) -> Any:
    from lightning.pytorch import LightningModule

    class Classifier(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            linear, relu = torch.nn.Linear, torch.nn.ReLU
            self.network = torch.nn.Sequential(
                linear(_FEATURES, _WIDTH), relu(), linear(_WIDTH, _WIDTH), relu(), linear(_WIDTH, _CLASSES)
            )
            self.loss = torch.nn.CrossEntropyLoss()

        def training_step(self, batch: Any, _index: int) -> Any:
            return self.loss(self.network(batch[0]), batch[1])

        def validation_step(self, batch: Any, _index: int) -> None:
            self.log("val_acc", (self.network(batch[0]).argmax(1) == batch[1]).float().mean())

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    return Classifier()
