"""What we encode by hand, decoded by TensorBoard itself."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.scripted_run import finished, record, run_context

from green_callbacks.records import History
from green_callbacks.sinks import TensorBoardSink
from green_callbacks.sinks.tensorboard.chart_layout import Layout, layout
from green_callbacks.sinks.tensorboard.event_encoding import (
    layout_event,
    restart_event,
    scalars_event,
    text_event,
    version_event,
)
from green_callbacks.sinks.tensorboard.event_file import EventFile, framed

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto import summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.tensorflow_stub import errors
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar import metadata as custom_scalars
from tensorboard.plugins.text import metadata as text
from tensorboard.util import tensor_util

WALL_SECONDS = st.floats(0, 1e10)
TAGGED = st.dictionaries(st.text(), st.floats(width=32, allow_nan=False), max_size=10)


def string_event(tag: str, metadata: Any, content: bytes, wall_seconds: float) -> Any:
    metadata.data_class = summary_pb2.DATA_CLASS_TENSOR
    scalar = tensor_shape_pb2.TensorShapeProto()
    tensor = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=scalar, string_val=[content])
    value = summary_pb2.Summary.Value(tag=tag, metadata=metadata, tensor=tensor)
    return Event(wall_time=wall_seconds, summary=summary_pb2.Summary(value=[value]))


def payloads(file: Path) -> list[bytes]:
    """All whole records, with their checksums verified."""
    reader = PyRecordReader_New(str(file))
    found = []
    while True:
        try:
            reader.GetNext()
        except errors.OutOfRangeError:
            return found
        except errors.DataLossError as loss:
            if "truncated" in str(loss):
                return found
            raise
        found.append(reader.record())


def accumulated(folder: Path) -> Any:
    everything = dict.fromkeys(event_accumulator.DEFAULT_SIZE_GUIDANCE, 0)
    return event_accumulator.EventAccumulator(str(folder), size_guidance=everything).Reload()


def strings(events: Any, tag: str) -> list[Any]:
    return [tensor_util.make_ndarray(event.tensor_proto) for event in events.Tensors(tag)]


@given(WALL_SECONDS)
def test_the_version_is_where_tensorboard_looks(wall_seconds: float):
    assert Event.FromString(version_event(wall_seconds)) == Event(wall_time=wall_seconds, file_version="brain.Event:2")


@given(TAGGED, st.integers(-(2**63), 2**63 - 1), WALL_SECONDS)
@example({"overflows": 1e39}, 0, 0.0)
@example({"rounds": 0.1}, 127, 0.0)
def test_scalars_are_what_tensorboards_own_classes_make(values: dict[str, float], step: int, wall_seconds: float):
    points = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
    theirs = Event(wall_time=wall_seconds, step=step, summary=summary_pb2.Summary(value=points))

    assert Event.FromString(scalars_event(values, step, wall_seconds)) == theirs


@given(st.integers(0, 2**62), WALL_SECONDS)
def test_a_restart_is_what_tensorboards_own_classes_make(step: int, wall_seconds: float):
    theirs = Event(wall_time=wall_seconds, step=step, session_log=SessionLog(status=SessionLog.START))

    assert Event.FromString(restart_event(step, wall_seconds)) == theirs


@given(st.text(), st.text(), WALL_SECONDS)
def test_a_page_is_what_tensorboards_own_classes_make(tag: str, page: str, wall_seconds: float):
    metadata = text.create_summary_metadata(display_name="", description="")
    theirs = string_event(f"{tag}/text_summary", metadata, page.encode(), wall_seconds)

    assert Event.FromString(text_event(tag, page, wall_seconds)) == theirs


TITLES = st.text(max_size=20)
LINES = st.tuples(st.just("Multiline"), st.lists(TITLES, max_size=3)).map(list)
MARGIN = st.tuples(st.just("Margin"), st.lists(TITLES, min_size=3, max_size=3)).map(list)


@given(st.dictionaries(TITLES, st.dictionaries(TITLES, LINES | MARGIN)), WALL_SECONDS)
def test_a_layout_is_what_tensorboards_own_classes_make(ours: Layout, wall_seconds: float):
    theirs = layout_pb2.Layout()
    for title, charts in ours.items():
        category = theirs.category.add(title=title)
        for name, (kind, tags) in charts.items():
            if kind == "Multiline":
                category.chart.add(title=name, multiline=layout_pb2.MultilineChartContent(tag=tags))
            else:
                bounds = dict(zip(("value", "lower", "upper"), tags, strict=True))
                category.chart.add(title=name, margin=layout_pb2.MarginChartContent(series=[bounds]))

    event = Event.FromString(layout_event(ours, wall_seconds))

    (value,) = event.summary.value
    assert layout_pb2.Layout.FromString(value.tensor.string_val[0]) == theirs
    metadata = custom_scalars.create_summary_metadata()
    tag = custom_scalars.CONFIG_SUMMARY_TAG
    assert event == string_event(tag, metadata, value.tensor.string_val[0], wall_seconds)


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=300), max_size=5), st.data())
def test_what_was_written_before_a_kill_is_read(
    tmp_path_factory: pytest.TempPathFactory, written: list[bytes], data: st.DataObject
):
    frames = [framed(payload) for payload in written]
    length = data.draw(st.integers(0, sum(map(len, frames))))
    file = tmp_path_factory.mktemp("killed") / "events"
    file.write_bytes(b"".join(frames)[:length])

    whole = sum(sum(map(len, frames[: count + 1])) <= length for count in range(len(frames)))
    assert payloads(file) == written[:whole]


@settings(max_examples=25)
@given(st.lists(st.tuples(TAGGED, st.integers(0, 2**62)), max_size=5))
def test_the_loader_of_tensorboard_reads_a_file(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[dict[str, float], int]]
):
    folder = tmp_path_factory.mktemp("run")
    file = EventFile(folder)
    for values, step in written:
        file.scalars(values, step, 1.5)
    file.close()

    (path,) = folder.iterdir()
    version, *events = EventFileLoader(str(path)).Load()
    assert version.file_version == "brain.Event:2"
    assert [event.step for event in events] == [step for _, step in written]
    for event, (values, _) in zip(events, written, strict=True):
        read = {value.tag: tensor_util.make_ndarray(value.tensor).item() for value in event.summary.value}
        assert read == values


def test_tensorboard_follows_a_run_while_it_goes_on(tmp_path: Path):
    sink = TensorBoardSink(tmp_path)
    sink.open(run_context(tmp_path))
    events = accumulated(tmp_path)
    for epoch in range(3):
        sink.write(record(epoch))
        assert [event.step for event in events.Reload().Scalars("green/watts")] == list(range(epoch + 1))
    sink.close()


def test_tensorboard_shows_a_run_and_its_continuation_as_one(tmp_path: Path):
    history = History([record(0, metrics={"val_acc": 0.5}), record(1, metrics={"val_acc": 0.7})])
    for before, each in ((History(), history[0]), (History([history[0]]), history[1])):
        sink = TensorBoardSink(tmp_path)
        sink.open(run_context(tmp_path, before=before))
        sink.write(each)
        sink.finish(finished(history))
        sink.close()

    events = accumulated(tmp_path)
    assert [(event.step, event.value) for event in events.Scalars("green/watts")] == [(0, 400), (1, 400)]
    assert events.SummaryMetadata("green/provenance/text_summary").plugin_data.plugin_name == "text"
    last = layout_pb2.Layout.FromString(strings(events, "custom_scalars__config__")[-1].item())
    laid_out = layout(events.Tags()["scalars"])
    assert {each.title: [chart.title for chart in each.chart] for each in last.category} == {
        title: list(charts) for title, charts in laid_out.items()
    }


def test_tensorboard_drops_what_a_resumed_run_does_again(tmp_path: Path):
    history = History()
    for is_resumed in (False, True):
        sink = TensorBoardSink(tmp_path)
        sink.open(run_context(tmp_path, history, before=history.copy(), is_resumed=is_resumed))
        if is_resumed:
            history.rewind(1)
            sink.rewind(history.copy())
        for epoch in range(1 if is_resumed else 0, 3):
            history.append(record(epoch, metrics={"val_acc": epoch / 10}))
            sink.write(history[-1])
        sink.close()

    events = accumulated(tmp_path)
    assert [event.step for event in events.Scalars("green/watts")] == [0, 1, 2]
    quality = events.Scalars("green/1_quality_by_mg_co2e")
    assert [(event.step, event.value) for event in quality] == [
        (500, 0),
        (2000, pytest.approx(0.1)),
        (2500, pytest.approx(0.2)),
    ]
    assert len(strings(events, "green/provenance/text_summary")) >= 1


@pytest.mark.filterwarnings("ignore:html5lib's sanitizer is deprecated:DeprecationWarning")  # within TensorBoard
def test_the_page_is_shown_as_it_is_written_and_not_inside_a_table(tmp_path: Path):
    from tensorboard.plugins.text.text_plugin import text_array_to_html

    sink = TensorBoardSink(tmp_path)
    sink.open(run_context(tmp_path))
    sink.write(record(0))
    sink.close()

    (page,) = strings(accumulated(tmp_path), "green/provenance/text_summary")
    html = text_array_to_html(page, enable_markdown=True)
    assert html.startswith("<h")
    assert "<td>Germany (DE), 2025</td>" in html


def test_writing_imports_no_library(tmp_path: Path):
    script = """
import sys
from pathlib import Path
from green_callbacks.records import EpochRecord, History
from green_callbacks.sinks import RunContext, TensorBoardSink
before = set(sys.modules)
sink = TensorBoardSink(sys.argv[1])
sink.open(RunContext(run_id="r", folder=Path(sys.argv[1]), before=History(), history=History()))
sink.write(EpochRecord.scripted(epoch=0, emissions_kg=1.0))
sink.close()
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
known = {"tensorflow", "tensorboard", "tensorboardX", "torch", "google", "numpy"} & sys.modules.keys()
sys.exit(" ".join(known | loaded - sys.stdlib_module_names - {"green_callbacks"}) or 0)
"""
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True)

    assert accumulated(tmp_path).Scalars("green/emissions_g")[0].value == 1000.0
