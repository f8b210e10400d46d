"""The closing line: a cache that equals the records, or is not believed."""

import json
from itertools import pairwise

import pytest
from support import hostile
from support.scripted_run import record

from green_callbacks.ledger import Head, Lines, closing_of, read_closing, read_ledger
from green_callbacks.ledger.closing_points import Point, thinned_curve, thinned_front
from green_callbacks.ledger.limits import MAX_END_BYTES, MAX_POINTS
from green_callbacks.records import History

HEAD = Head(run_id="run-1", version="1.2.3", monitor="val_acc")


def ledger(path, epochs, *, reason=None, offset=0, devices=None, monitor="val_acc", metric="val_acc"):
    """A closed run; its closing line states where it begins, but for an offset."""
    lines, history = Lines(), History()
    data = [lines.head(HEAD)]
    for epoch in range(epochs):
        for place, row in enumerate((None, epoch)):
            metrics = {} if row is None else {metric: 1 - 1 / (epoch + 2)}
            each = record(row, gpu_joules=1000 / 3 + epoch / 7 + place, metrics=metrics, samples=10, step=epoch)
            each = each if devices is None else each._replace(devices=devices)
            history.append(each)
            data.append(lines.record(each))
    closing = closing_of("run-1", history, monitor=monitor, mode="max")
    begins = sum(map(len, data)) + offset
    path.write_bytes(b"".join([*data, lines.end(reason, closing, begins)]))
    return history


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.jsonl"


@pytest.mark.parametrize("epochs", [0, 1, 3, 300])
def test_totals_equal_those_of_the_records_to_the_last_bit(path, epochs):
    ledger(path, epochs, reason="Enough.")
    closing, contents = read_closing(path), read_ledger(path)
    history = contents.history
    assert closing.emissions_kg == history.emissions_kg
    assert closing.facility_kwh == history.facility_kwh
    assert closing.duration_seconds == history.duration_seconds
    assert closing.energy_joules == history.energy_joules
    assert (closing.emissions_low_kg, closing.emissions_high_kg) == (
        history.emissions_low_kg,
        history.emissions_high_kg,
    )
    assert closing.measured_share == history.measured_share
    assert closing.samples_joules == history.samples_joules
    assert closing.devices == {name: used.joules for name, used in history.device_totals().items()}
    assert (closing.epochs, closing.rows) == (history.finished_epochs, len(history))
    assert (closing.samples, closing.tokens, closing.flops) == (history.samples, history.tokens, history.flops)
    assert (closing.run_id, closing.stop_reason, contents.stop_reason) == ("run-1", "Enough.", "Enough.")


def test_every_kind_of_line_before_it_counts(path):
    path.write_bytes(b"".join(hostile.whole_ledger()))
    closing, history = read_closing(path), read_ledger(path).history
    assert (closing.emissions_kg, closing.facility_kwh) == (history.emissions_kg, history.facility_kwh)
    assert (closing.rows, closing.epochs) == (len(history), history.finished_epochs)


@pytest.mark.parametrize("epochs", [1, 100, 2_000])
def test_it_is_short_and_begins_and_ends_as_the_run_did(path, epochs):
    history = ledger(path, epochs)
    line = path.read_bytes().splitlines()[-1]
    closing = read_closing(path)
    assert len(line) < MAX_END_BYTES
    assert 0 < len(closing.front) <= MAX_POINTS
    assert 0 < len(closing.curve) <= MAX_POINTS
    assert closing.front[-1].value == closing.curve[-1].value == pytest.approx(1 - 1 / (epochs + 1), rel=1e-5)
    assert closing.curve[-1].kg == pytest.approx(history.emissions_kg, rel=1e-5)
    assert (closing.front[0].epoch, closing.curve[-1].epoch) == (0, epochs - 1)


@pytest.mark.parametrize("off", [-1, 1, 10**9])
def test_it_is_not_believed_where_it_does_not_say_where_it_begins(path, off):
    ledger(path, 2, offset=off)
    assert read_closing(path) is None
    assert read_ledger(path).is_closed


def test_it_is_not_believed_where_lines_were_lost_or_added(path):
    ledger(path, 3)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for other in (
        b"".join([*lines[:2], *lines[3:]]),
        whole + lines[3],
        whole + b"{",
        whole + b"\n",
        whole[:-1],
        whole + whole,
        b"",
        whole.replace(b'"schema":2', b'"schema":3'),
        b" " + whole[1:],
    ):
        path.write_bytes(other)
        assert read_closing(path) is None
    path.write_bytes(whole)
    assert read_closing(path) is not None


@pytest.mark.parametrize(
    ("field", "value"),
    [("kg", -1), ("kg", "0"), ("kg", None), ("rows", True), ("run_id", "../x"), ("front", [[1, 2]]), ("devices", [])],
)
def test_it_is_not_believed_with_values_that_cannot_be(path, field, value):
    ledger(path, 2)
    *before, last = path.read_bytes().splitlines(keepends=True)
    fields = json.loads(last)
    fields["closing"][field] = value
    path.write_bytes(b"".join(before) + json.dumps(fields).encode() + b"\n")
    assert read_closing(path) is None


@pytest.mark.parametrize("metric", ["train_acc", "val_something"])
def test_a_run_without_a_metric_of_quality_has_a_curve_of_emissions(path, metric):
    ledger(path, 3, monitor=None, metric=metric)
    closing = read_closing(path)
    assert (closing.monitor, closing.front) == (None, ())
    assert [point.value for point in closing.curve] == [None] * 3


@pytest.mark.parametrize(("metric", "best"), [("val_acc", 0.75), ("val_loss", 0.5)])
def test_a_run_that_watches_nothing_has_the_front_of_its_first_validation_metric(path, metric, best):
    ledger(path, 3, monitor=None, metric=metric)
    closing = read_closing(path)
    assert closing.monitor == metric
    assert closing.front[-1].value == best
    assert [point.value for point in closing.curve] == [0.5, pytest.approx(2 / 3, rel=1e-5), 0.75]


def test_long_names_and_reasons_leave_it_short(path):
    devices = {"ü" * 250 + str(number): record(0).devices["gpu:0"] for number in range(8)}
    ledger(path, 300, reason="日" * 5_000, devices=devices)
    line = path.read_bytes().splitlines()[-1]
    assert b'"closing"' not in line, "there is no room for it"
    assert read_closing(path) is None
    assert read_ledger(path).stop_reason == "日" * 1_000


def test_a_thinned_front_keeps_its_ends_and_what_gained_most():
    front = [Point(float(at), 1 - 0.99**at, at) for at in range(1_000)]
    thinned = thinned_front(front, 20)
    assert (thinned[0], thinned[-1]) == (front[0], front[-1])
    assert len(thinned) <= 20
    assert max(b.value - a.value for a, b in pairwise(thinned)) < 0.1
    assert thinned_front(front[:20], 20) == front[:20]


@pytest.mark.parametrize("count", [1, 3, 99, 100, 101, 1_234])
def test_a_thinned_curve_ends_where_the_curve_does(count):
    curve = [Point(float(at), None, at) for at in range(count)]
    thinned = thinned_curve(curve, 100)
    assert len(thinned) == min(count, 100)
    assert thinned[-1] == curve[-1]
    assert thinned == sorted(set(thinned))
