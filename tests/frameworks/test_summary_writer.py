import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.scripted_run import finished, record, run_context

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
    assert {"green/watts", "green/emissions_total_g", "green/1_quality_by_mg_co2e"} < set(shown.Tags()["scalars"])
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


@pytest.mark.filterwarnings("ignore:html5lib's sanitizer is deprecated:DeprecationWarning")  # within TensorBoard
def test_the_page_stands_in_no_second_frame(shown: Events):
    from tensorboard.plugins.text.text_plugin import text_array_to_html
    from tensorboard.util import tensor_util

    (*_, page) = shown.Tensors("green/provenance/text_summary")
    html = text_array_to_html(tensor_util.make_ndarray(page.tensor_proto), enable_markdown=True)

    assert html.startswith("<h3>Totals</h3>")
    assert html.count("<table>") == 3


def test_the_charts_have_their_bounds(shown: Events):
    from tensorboard.plugins.custom_scalar import layout_pb2
    from tensorboard.util import tensor_util

    (*_, laid_out) = shown.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(tensor_util.make_ndarray(laid_out.tensor_proto).item())
    (tags,) = (
        chart.multiline.tag
        for category in layout.category
        for chart in category.chart
        if chart.title == "Emissions so far with bounds (g CO2e)"
    )

    drawn = [tag for tag in shown.Tags()["scalars"] if any(re.match(pattern, tag) for pattern in tags)]
    assert sorted(drawn) == [
        "green/emissions_total_g",
        "green_detail/emissions_total_high_g",
        "green_detail/emissions_total_low_g",
    ]


def test_a_resumed_run_restarts_and_loses_nothing_that_counts_otherwise(tmp_path: Path):
    """TensorBoard drops what has a step that is done again, of all tags: those by emissions are drawn once more."""
    with tensorboard.SummaryWriter(tmp_path) as writer:
        for step in range(40):
            writer.add_scalar("loss", 1.0, step)
        sink = TensorBoardSink()
        history = History()
        sink.open(run_context(tmp_path, history, writer=writer, monitor="val_acc"))
        for epoch in range(4):
            history.append(record(epoch, step=10 * (epoch + 1), metrics={"val_acc": 0.5}))
            sink.write(history[-1])
        sink.close()
    with tensorboard.SummaryWriter(tmp_path) as writer:
        sink.open(run_context(tmp_path, history, before=history.copy(), writer=writer, is_resumed=True))
        history.rewind(2)
        sink.rewind(history.copy())
        sink.write(record(2, step=30, metrics={"val_acc": 0.5}))
        sink.close()

    events = event_accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("green/emissions_total_g")] == [9, 19, 29]
    assert [event.step for event in events.Scalars("green/1_quality_by_mg_co2e")] == [500, 1000, 2500]
    assert [event.step for event in events.Scalars("loss")] == list(range(20))


class Recorder:
    """A writer of no library that we know: it takes no events."""

    def __init__(self) -> None:
        self.called: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.called.append(name)


def test_another_writer_gets_what_its_methods_can_say(tmp_path: Path):
    writer, sink, history = Recorder(), TensorBoardSink(), History([record(0)])
    sink.open(run_context(tmp_path, history, before=history.copy(), writer=writer, is_resumed=True))
    sink.write(record(1))
    sink.close()

    assert set(writer.called) == {"add_scalar", "add_text", "add_custom_scalars", "flush"}


def test_a_record_without_a_step_stands_at_its_epoch(tmp_path: Path):
    with tensorboard.SummaryWriter(tmp_path) as writer:
        sink = TensorBoardSink()
        sink.open(run_context(tmp_path, writer=writer))
        sink.write(record(4))

    (event,) = event_accumulator.EventAccumulator(str(tmp_path)).Reload().Scalars("green/watts")
    assert event.step == 4
