import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_run import finished, record, run_context

from green_callbacks.records import History
from green_callbacks.sinks import TensorBoardSink

pytest.importorskip("torch")
tensorboard = pytest.importorskip("torch.utils.tensorboard")
event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

Events = Any
"""TensorBoard's ``EventAccumulator``, which has no types."""


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Events]:
    """Two epochs of 8 steps, through torch's own writer, beside a metric of the run."""
    writer = tensorboard.SummaryWriter(tmp_path / "logs")
    sink = TensorBoardSink()
    history = History(record(epoch, step=8 * (epoch + 1), metrics={"val_acc": 0.5}) for epoch in range(2))
    sink.open(run_context(tmp_path / "own", writer=writer))
    for each in history:
        writer.add_scalar("val_acc", 0.5, each.step - 1)
        sink.write(each)
    sink.finish(finished(history))
    sink.close()
    yield event_accumulator.EventAccumulator(str(tmp_path / "logs")).Reload()
    writer.close()


def test_everything_stands_in_the_runs_own_place(shown: Events, tmp_path: Path):
    assert {"green/watts", "green/emissions_total_kg", "green/val_acc_by_ug_co2e"} < set(shown.Tags()["scalars"])
    assert {"custom_scalars__config__", "green/provenance/text_summary"} <= set(shown.Tags()["tensors"])
    assert not (tmp_path / "own").exists()


def test_the_axis_is_that_of_the_runs_own_metrics(shown: Events):
    steps = [event.step for event in shown.Scalars("green/watts")]

    assert steps == [event.step for event in shown.Scalars("val_acc")] == [7, 15]


def test_the_writer_stays_open_for_its_owner(tmp_path: Path):
    writer = tensorboard.SummaryWriter(tmp_path)
    threads = threading.active_count()
    sink = TensorBoardSink()
    sink.open(run_context(tmp_path, writer=writer))
    sink.write(record(0))
    sink.close()

    writer.add_scalar("after", 1.0, 0)

    assert threading.active_count() == threads
    writer.close()
    assert "after" in event_accumulator.EventAccumulator(str(tmp_path)).Reload().Tags()["scalars"]


def test_a_record_without_a_step_stands_at_its_epoch(tmp_path: Path):
    with tensorboard.SummaryWriter(tmp_path) as writer:
        sink = TensorBoardSink()
        sink.open(run_context(tmp_path, writer=writer))
        sink.write(record(4))

    (event,) = event_accumulator.EventAccumulator(str(tmp_path)).Reload().Scalars("green/watts")
    assert event.step == 4
