"""Hugging Face's Trainer, as the contract drives it."""

from math import ceil
from typing import Any

import torch
from frameworks.contract.driver import BATCH_SIZE, BATCHES, METRIC, RATE, VALIDATION_BATCHES, Training, scripted
from transformers import Trainer, TrainerCallback, TrainingArguments

from green_callbacks.transformers import EmissionsMonitor


class NotedSGD(torch.optim.SGD):
    """Notes the learning rate that each step uses."""

    used: list[float]

    def _init_group(self, group: dict[str, Any], *more: Any) -> Any:
        self.used.append(float(group["lr"]))
        return super()._init_group(group, *more)


class Scripted(torch.nn.Module):
    """A linear layer whose batches take scripted time."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.script, self.step = training, 0
        self.layer = torch.nn.Linear(2, 1)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        if self.training:
            self.script.batch(*divmod(self.step, BATCHES))
        else:
            self.script.clock.advance(0.5)
        out = self.layer(x)
        return {"loss": out.pow(2).mean(), "logits": out}


class _Steps(TrainerCallback):
    """Tells the model which step it trains."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        kwargs["model"].step = state.global_step


class _Trainer(Trainer):
    """Has the metric under the name that the contract watches."""

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        return super().evaluate(*args, **{"metric_key_prefix": METRIC.split("_")[0], **kwargs})


class Transformers:
    """``green_callbacks.transformers``."""

    hints = (".*pin_memory.*", ".*lr_scheduler.step.*")
    notes_rates = True

    def monitor(self, training: Training, **options: Any) -> EmissionsMonitor:
        return EmissionsMonitor(**scripted(training, **options))

    def fit(self, monitor: Any, training: Training, *, is_resumed: bool = False) -> None:
        trainer = trainer_of(training, monitor)
        trainer.train(resume_from_checkpoint=is_resumed)
        shown = [logs for logs in trainer.state.log_history if "green/energy_wh" in logs]
        training.logged = {key: value for key, value in shown[-1].items() if key.startswith("green/")} if shown else {}

    def evaluate(self, monitor: Any, training: Training) -> None:
        with monitor.accountant:  # the trainer does not tell when an evaluation begins
            trainer_of(training, monitor).evaluate()


def data_of(batches: int) -> list[dict[str, torch.Tensor]]:
    """Return the samples of some batches."""
    return [{"x": torch.ones(2), "labels": torch.ones(1)} for _ in range(batches * BATCH_SIZE)]


def trainer_of(training: Training, *callbacks: Any, **options: Any) -> Trainer:
    """Return a trainer whose batches take scripted time.

    Args:
        training: The training.
        *callbacks: Its callbacks.
        **options: Arguments of the training.
    """
    defaults = {
        "num_train_epochs": training.epochs,
        "per_device_train_batch_size": BATCH_SIZE,
        "per_device_eval_batch_size": BATCH_SIZE,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "logging_strategy": "epoch",
        "lr_scheduler_type": "constant",
        "max_grad_norm": 0,
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
    }
    model = Scripted(training)
    optimizer = NotedSGD(model.parameters(), lr=RATE)
    optimizer.used = training.used
    trainer = _Trainer(
        model,
        TrainingArguments(str(training.folder), **{**defaults, **options}),
        train_dataset=data_of(BATCHES),
        eval_dataset=data_of(VALIDATION_BATCHES),
        optimizers=(optimizer, None),
        compute_metrics=lambda _: {METRIC.split("_")[1]: training.score(max(ceil(trainer.state.epoch) - 1, 0))},
        callbacks=[_Steps(), *callbacks],
    )
    return trainer
