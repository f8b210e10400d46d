"""Where people of Hugging Face look for numbers."""

from pathlib import Path

import pytest
from frameworks.transformers.scripted import EPOCH_JOULES, monitor_of, trainer_of
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from green_callbacks.sinks import TensorBoardSink


def test_the_history_of_logs_has_the_numbers_of_each_epoch(training):
    trainer = trainer_of(training, monitor_of(training))

    trainer.train()

    ours = [logs for logs in trainer.state.log_history if "green/energy_wh" in logs]
    assert [(logs["epoch"], logs["step"]) for logs in ours] == [(1.0, 4), (2.0, 8), (3.0, 12)]
    assert [logs["green/emissions_total_g"] for logs in ours] == pytest.approx(
        [number * EPOCH_JOULES / 3600 for number in (1, 2, 3)]
    )


def test_printed_logs_and_the_result_show_the_numbers(training, capsys):
    result = trainer_of(training, monitor_of(training), eval_strategy="no").train()

    printed = [line for line in capsys.readouterr().out.splitlines() if "green/energy_wh" in line]
    assert len(printed) == 4
    assert not [line for line in printed if "eval" in line]
    assert result.metrics["green/emissions_total_g"] > 0


def test_the_metrics_of_an_evaluation_stay_as_they_are(training):
    trainer = trainer_of(training, monitor_of(training))
    seen = []
    trainer.log = lambda logs, *args: (seen.append(logs), type(trainer).log(trainer, logs, *args))

    trainer.train()

    assert not [logs for logs in seen if "val_loss" in logs and any(key.startswith("green") for key in logs)]


@pytest.mark.parametrize("is_named", [True, False])
def test_tensorboard_shows_both_in_one_run(training, monkeypatch, is_named):
    if is_named:
        monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(training.folder / "named"))
    monitor = monitor_of(training, sinks=[TensorBoardSink()])

    trainer_of(training, monitor, report_to="tensorboard").train()

    (folder,) = {path.parent for path in training.folder.rglob("events.out.*")}
    assert (folder == training.folder / "named") == is_named
    tags = set()
    for path in folder.iterdir():
        events = EventAccumulator(str(path))
        events.Reload()
        tags |= set(events.Tags()["scalars"])
    assert {"green/energy_wh", "green/emissions_total_g", "train/loss"} <= tags


def test_without_tensorboard_the_curves_lie_beside_the_ledger(training):
    monitor = monitor_of(training, sinks=[TensorBoardSink()])

    trainer_of(training, monitor).train()

    (folder,) = {path.parent for path in training.folder.rglob("events.out.*")}
    assert folder == Path(monitor.accountant.ledger).with_suffix("")
