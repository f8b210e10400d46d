"""The overview from the two ends of a ledger equals the overview from its records, or there is none."""

import json
from dataclasses import replace

import pytest
from support import hostile
from support.scripted_run import GERMANY, device, record

from green_callbacks.call_threads import Threads
from green_callbacks.ledger import Head, Lines, RunLedger, closing_of, quick_overview, read_closing
from green_callbacks.ledger.overview import overview_of
from green_callbacks.ledger.reader import read_quietly
from green_callbacks.records import DeviceInfo, History, Intensity, Plan

HEAD = Head(run_id="run-1", version="1.2.3", plan=Plan(epochs=9), monitor="val_acc", host="node-1")
SAME = ("path", "head", "began_at", "intensity", "pue", "is_steady", "components", "methods", "is_closed", "remark")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.jsonl"


def rows(epochs, **fields):
    """Records inside and outside epochs, with sums that round."""
    for epoch in range(epochs):
        joules = 1000 / 3 + epoch / 7
        yield record(None, gpu_joules=joules + 1, **fields)
        yield record(epoch, gpu_joules=joules, metrics={"val_acc": 1 - 1 / (epoch + 2)}, **fields)


def write(path, *sessions, head=HEAD):
    """Write sessions with the writer of runs, each closed, and return all records."""
    history = History()
    for number, session in enumerate(sessions):
        named = replace(head, host=f"node-{number + 1}")
        held = len(history) if number else None
        ledger = RunLedger(path, named, history, held=held, checkpoints={}, threads=Threads())
        ledger.open()
        for each in session:
            history.append(each)
            ledger.record(len(history) - 1, each)
        ledger.end(f"Reason {number}.")
        assert ledger.close(30.0)
    return history


def full(path):
    return overview_of(path, *read_quietly(path))


def assert_same(quick, whole):
    assert quick is not None
    assert quick.is_quick
    assert not whole.is_quick
    assert [getattr(quick, name) for name in SAME] == [getattr(whole, name) for name in SAME]
    points = {"front": (), "curve": (), "head_offset": None}
    assert replace(quick.closing, **points) == replace(whole.closing, **points)
    assert len(quick.closing.front) == len(whole.closing.front)
    for one, other in zip(quick.closing.front, whole.closing.front, strict=True):
        assert one == pytest.approx(other, rel=1e-5)


@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_a_closed_run_of_one_session_is_overviewed_from_its_ends(path, epochs):
    write(path, rows(epochs))
    quick = quick_overview(path)
    assert_same(quick, full(path))
    assert (quick.pue, quick.intensity) == (1.25, GERMANY)
    assert quick.methods == {"gpu:0": "counter", "cpu:0": "modelled"}


def test_a_run_without_records_is_overviewed(path):
    write(path, ())
    quick = quick_overview(path)
    assert_same(quick, full(path))
    assert (quick.closing.rows, quick.intensity, quick.components) == (0, None, {})


@pytest.mark.parametrize("rest", [[], list(rows(2))])
def test_the_last_head_counts_where_a_later_session_changed_nothing_else(path, rest):
    write(path, rows(3), rest)
    quick = quick_overview(path)
    assert_same(quick, full(path))
    assert quick.head.host == "node-2"
    assert quick.closing.head_offset > 0


OTHERS = {
    "devices": {"devices": {"gpu:1": device(100.0), "cpu:0": device(7.0, "cpu", "modelled")}},
    "method": {"devices": {"gpu:0": device(100.0, method="modelled"), "cpu:0": device(7.0, "cpu", "modelled")}},
    "intensity": {"intensity": replace(GERMANY, g_per_kwh=361.0)},
    "words": {"intensity": replace(GERMANY, flags=("stale",))},
    "pue": {"pue": 1.3},
}


@pytest.mark.parametrize("what", OTHERS)
@pytest.mark.parametrize("sessions", [1, 2])
def test_what_changed_is_only_told_by_the_records(path, what, sessions):
    first, later = list(rows(3)), list(rows(1, **OTHERS[what]))
    write(path, *([first, later] if sessions == 2 else [first + later]))
    assert read_closing(path) is not None
    assert quick_overview(path) is None
    assert full(path).is_steady == (what in ("devices", "method", "words"))


def unstated(path):
    """Take out of the closing line what earlier versions did not write."""
    *before, last = path.read_bytes().splitlines(keepends=True)
    fields = json.loads(last)
    del fields["closing"]["uniform"], fields["closing"]["head"]
    path.write_bytes(b"".join(before) + json.dumps(fields).encode() + b"\n")


def test_a_closing_line_of_an_earlier_version_is_enough_where_nothing_changed(path):
    write(path, rows(3))
    whole = full(path)
    unstated(path)
    quick = quick_overview(path)
    assert quick is not None
    assert (quick.intensity, quick.methods, quick.head) == (whole.intensity, whole.methods, whole.head)


@pytest.mark.parametrize("what", OTHERS)
def test_a_closing_line_of_an_earlier_version_is_not_enough_where_anything_changed(path, what):
    write(path, [*rows(3), *rows(1, **OTHERS[what])])
    unstated(path)
    assert read_closing(path) is not None
    assert quick_overview(path) is None


def test_a_closing_line_of_an_earlier_version_is_not_enough_after_a_later_session(path):
    write(path, rows(3), [])
    unstated(path)
    assert quick_overview(path) is None


@pytest.mark.parametrize(
    ("field", "value"), [("kg", 1.0), ("facility_kwh", 1.0), ("low_kg", None), ("head", 7), ("run_id", "other")]
)
def test_totals_that_do_not_follow_from_the_first_record_are_not_quick(path, field, value):
    write(path, rows(3))
    *before, last = path.read_bytes().splitlines(keepends=True)
    fields = json.loads(last)
    fields["closing"][field] = value
    path.write_bytes(b"".join(before) + json.dumps(fields).encode() + b"\n")
    assert read_closing(path) is not None
    assert quick_overview(path) is None


def test_a_run_that_goes_on_or_was_killed_is_not_quick(path):
    write(path, rows(3))
    whole = path.read_bytes()
    for other in (whole + whole.splitlines(keepends=True)[2], whole[:-1], whole[: whole.rindex(b'{"type":"end"')], b""):
        path.write_bytes(other)
        assert quick_overview(path) is None


def test_a_hostile_ledger_is_quick_only_with_totals_that_its_closing_line_states(path):
    for _, data in hostile.hostile_ledgers(200, seed=14):
        path.write_bytes(data)
        quick = quick_overview(path)
        assert quick is None or quick.closing == read_closing(path)


def test_a_first_record_that_does_not_fit_into_the_beginning_is_left_to_the_records(path):
    many = {f"gpu:{number}": device(1000.0 / (number + 3)) for number in range(1_500)}
    write(path, [record(0, devices=many)])
    assert quick_overview(path) is None
    assert full(path).closing.epochs == 1


def test_the_overview_of_records_with_changing_intensity_has_means_by_energy(path):
    france = Intensity(g_per_kwh=40.0, zone="FR", year=2025, source="A live source", found_by="provider")
    history = write(
        path,
        [
            record(0, gpu_joules=3e6, cpu_joules=0.0, metrics={"val_acc": 0.5}),
            record(1, gpu_joules=1e6, cpu_joules=0.0, metrics={"val_acc": 0.6}, intensity=france, pue=1.0),
        ],
    )
    whole = full(path)
    assert not whole.is_steady
    assert whole.pue == pytest.approx((3e6 * 1.25 + 1e6) / 4e6)
    assert whole.intensity.g_per_kwh == pytest.approx(history.emissions_kg * 1e3 / history.facility_kwh)
    assert (whole.intensity.zone, whole.intensity.year) == (None, 2025)
    assert whole.intensity.source == "A yearly table and A live source"
    assert whole.front_kwh == (3e6 / 3.6e6, 4e6 / 3.6e6)


def test_long_runs_are_thinned_in_step_with_their_energy(path):
    session = [
        record(epoch, gpu_joules=1e3, cpu_joules=0.0, metrics={"val_acc": epoch / 999}, pue=1.0 + epoch / 1e4)
        for epoch in range(1_000)
    ]
    write(path, session)
    whole = full(path)
    points = whole.closing.front
    assert 50 < len(points) == len(whole.front_kwh) <= 100
    assert list(whole.front_kwh) == pytest.approx([(point.epoch + 1) * 1e3 / 3.6e6 for point in points])


def test_a_closing_made_by_hand_says_whether_its_records_are_uniform():
    assert closing_of("run-1", History(rows(2)), monitor=None, mode="max").is_uniform
    assert closing_of("run-1", History(), monitor=None, mode="max").is_uniform
    changed = History([record(0), record(1, pue=1.3)])
    assert not closing_of("run-1", changed, monitor=None, mode="max").is_uniform


def test_facts_about_devices_come_from_the_head(path):
    head = replace(HEAD, devices={"gpu:0": DeviceInfo(product="A GPU")})
    write(path, rows(1), head=head)
    assert quick_overview(path).head.devices == {"gpu:0": DeviceInfo(product="A GPU")}
    assert Lines().head(quick_overview(path).head) == path.read_bytes().splitlines(keepends=True)[0]


def test_a_run_without_emissions_tells_its_energy_at_each_point(path):
    write(path, rows(3, intensity=replace(GERMANY, g_per_kwh=0.0, low_g_per_kwh=0.0)))
    assert quick_overview(path) is None
    overview = full(path)
    assert not overview.is_steady
    assert len(overview.front_kwh) == 1, "the best of no emissions is one point"
    assert overview.front_kwh[-1] == pytest.approx(overview.closing.energy_joules / 3.6e6)
