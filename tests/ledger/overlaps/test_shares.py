"""What several processes measured at the same time counts once in a sum."""

import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import fsum

import pytest

from green_callbacks.ledger import Head, Lines, closing_of, ledgers_of
from green_callbacks.ledger.index import LedgerIndex, index_file
from green_callbacks.ledger.overlaps.candidates import MeasuredRun, seeming_sharers
from green_callbacks.ledger.overlaps.division import Company
from green_callbacks.ledger.overlaps.hosts import Place
from green_callbacks.ledger.overlaps.stretches import stretches_of
from green_callbacks.ledger.project_totals import closings_of, runs_of
from green_callbacks.records import DeviceEnergy, EpochRecord, History, Intensity

BEGAN = datetime(2026, 5, 1, tzinfo=UTC)
INTENSITY = Intensity(g_per_kwh=1000.0, source="test", found_by="argument")
GPU = "gpu:0"
WATTS = 300.0


def row(began, ended, devices, epoch=None):
    energies = {
        name: DeviceEnergy(watts * (ended - began), "gpu", method, ended - began, flags=flags)
        for name, (watts, method, flags) in devices.items()
    }
    return EpochRecord(
        epoch=epoch,
        started_at=BEGAN + timedelta(seconds=began),
        duration_seconds=ended - began,
        devices=energies,
        intensity=INTENSITY,
        pue=1.5,
    )


def device(watts=WATTS, method="counter", flags=()):
    return watts, method, flags


def write(folder, name, edges, *, devices=None, is_closed=True, **head):
    """A run that measures from the first to the last edge, with a record between two edges."""
    head = {"host": "node01", "process": f"process of {name}", **head}
    lines, history = Lines(), History()
    data = [lines.head(Head(run_id=name, version="1", **head))]
    for epoch, (began, ended) in enumerate(pairwise(edges)):
        record = row(began, ended, devices or {GPU: device()}, epoch)
        history.append(record)
        data.append(lines.record(record))
    closing = replace(closing_of(name, history, monitor=None, mode="max"), head_offset=0)
    if is_closed:
        data.append(lines.end(None, closing, sum(map(len, data))))
    path = folder / f"{name}.jsonl"
    path.write_bytes(b"".join(data))
    return path


def joules(paths, **options):
    return {each.run_id: each.energy_joules for each in closings_of(paths, **options).closings}


def test_a_device_counts_once_while_two_processes_measure_it(tmp_path):
    paths = [write(tmp_path, "a", [0, 10, 20]), write(tmp_path, "b", [5, 25])]
    found = closings_of(paths)
    assert {each.run_id: each.energy_joules for each in found.closings} == pytest.approx(
        {"a": WATTS * (5 + 7.5), "b": WATTS * (7.5 + 5)}
    )
    total_kwh = sum(each.facility_kwh for each in found.closings)
    assert total_kwh == pytest.approx(WATTS * 25 / 3.6e6 * 1.5)
    assert sum(each.emissions_kg for each in found.closings) == pytest.approx(total_kwh)
    (sentence,) = found.overlaps
    assert sentence == (
        "2 runs measured the GPU of node01 at the same time. "
        "The sum counts it once, as 0.00313 kWh instead of 0.00500 kWh."
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"host": "node02"}),
        ({"host": ""}, {"host": ""}),
        ({"hosts": {"node01": "1a@100"}}, {"hosts": {"node01": "2b@100"}}),
        ({"hosts": {"node01": "1a@100"}}, {"hosts": {"node01": "1a@900"}}),  # resumed from one snapshot
        ({}, {"process": "process of a"}),  # which divides among its runs itself
        ({}, {"devices": {"gpu:1": device()}}),
        (
            {"devices": {GPU: device(method="modelled", flags=("sm_share",))}},
            {"devices": {GPU: device(method="modelled", flags=("sm_share",))}},
        ),
        (
            {"devices": {GPU: device(method="modelled", flags=("shared",))}, "process": ""},
            {"devices": {GPU: device(method="modelled", flags=("shared",))}, "process": ""},
        ),  # divided by a process of an earlier version
    ],
)
def test_what_is_not_the_same_device_counts_for_each(tmp_path, first, second):
    paths = [write(tmp_path, "a", [0, 10], **first), write(tmp_path, "b", [0, 10], **second)]
    found = closings_of(paths)
    assert [each.energy_joules for each in found.closings] == [WATTS * 10] * 2
    assert found.overlaps == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"host": "pod-a", "hosts": {"pod-a": "1a@100"}}, {"host": "pod-b", "hosts": {"pod-b": "1a@101"}}),
        ({"hosts": {"node01": "1a@100"}}, {}),  # an earlier version tells the name alone
        ({"process": ""}, {"process": ""}),
        ({"devices": {"gpu:GPU-1": device()}}, {"devices": {"gpu:GPU-1": device()}, "host": "elsewhere"}),
        ({"devices": {GPU: device(flags=("shared",))}}, {}),
        ({"devices": {"gpu:0": device(flags=("shared_host",))}}, {}),
        (
            {"devices": {"n1/gpu:0": device()}, "host": "n0", "hosts": {"n0": "0@1", "n1": "1@1"}},
            {"host": "n1", "hosts": {"n1": "1@1"}},
        ),
        ({"is_closed": False}, {"is_closed": False}),
        ({}, {"devices": {GPU: device(80.0, "modelled", ("sm_share",))}}),  # the whole includes the share
        ({}, {"devices": {GPU: device(80.0, "modelled", ("shared_host",))}, "process": ""}),
        ({"devices": {"gpu:GPU-1": device()}, "host": ""}, {"devices": {"gpu:GPU-1": device()}, "host": ""}),
        (
            {"devices": {GPU: device(0.0), **{f"gpu:{at}": device(0.0) for at in range(1, 9)}, "gpu:9": device()}},
            {"devices": {"gpu:9": device()}},
        ),  # a closing line names no more than eight devices
    ],
)
def test_the_same_device_counts_once(tmp_path, first, second):
    paths = [write(tmp_path, "a", [0, 10], **first), write(tmp_path, "b", [0, 10], **second)]
    assert fsum(joules(paths).values()) == pytest.approx(WATTS * 10)


def test_runs_one_after_the_other_are_summed_to_the_last_bit(tmp_path):
    paths = [write(tmp_path, f"r{at}", [at * 10 / 3, (at + 1) * 10 / 3]) for at in range(5)]
    found = closings_of(paths)
    assert [each.energy_joules for each in found.closings] == [
        closing.energy_joules for path in paths for closing in closings_of([path]).closings
    ]
    assert found.overlaps == []


def test_a_run_inside_another_is_not_divided_too(tmp_path):
    outer = write(tmp_path, "outer", [0, 30])
    inner = write(tmp_path, "inner", [5, 10], parent="outer")
    other = write(tmp_path, "other", [0, 30])
    assert joules([outer, inner, other]) == pytest.approx({"outer": WATTS * 15, "other": WATTS * 15})


def test_threads_of_one_process_stand_beside_another_process(tmp_path):
    half = {GPU: device(WATTS / 2, "modelled", ("shared",))}
    paths = [write(tmp_path, name, [0, 10], devices=half, process="p") for name in ("a", "b")]
    paths.append(write(tmp_path, "c", [0, 10]))
    assert joules(paths) == pytest.approx({"a": WATTS * 2.5, "b": WATTS * 2.5, "c": WATTS * 5})


@pytest.mark.parametrize(
    ("whole", "part", "used"),
    [
        ("cpu:model", "cpu:model@0-3", 100 * 10 + 20 * 5),
        ("cpu:package-0", "cpu:model@0-3", 100 * 10 + 20 * 5),
        ("cpu:package-0", "cpu:model@group-7", 100 * 10 + 20 * 5),
        ("cpu:package-0", "cpu:model", 100 * 10 + 20 * 5),
        ("cpu:model@0-7", "cpu:model@0-3", 100 * 10 + 20 * 5),
        ("cpu:model@4-7", "cpu:model@0-3", 100 * 10 + 20 * 10),
        ("cpu:model@group-8", "cpu:model@group-7", 100 * 10 + 20 * 10),
        ("cpu:package-0", "cpu:package-0@group-7", 100 * 10 + 20 * 5),
        ("cpu:model", "cpu:package-0@group-7", 100 * 10 + 20 * 5),
        ("dram:model", "dram:model@group-7", 100 * 10 + 20 * 5),
        ("dram:package-0", "dram:model@group-7", 100 * 10 + 20 * 5),
        ("dram:package-0", "dram:model", 100 * 10 + 20 * 5),
        ("dram:model", "cpu:model@group-7", 100 * 10 + 20 * 10),
        ("cpu:package-0@group-8", "cpu:package-0@group-8", (50 + 10) * 5 + 100 * 5 + 20 * 5),
    ],
)
def test_processors_that_another_process_measures_with_others_count_there(tmp_path, whole, part, used):
    modelled = {"method": "modelled", "flags": ("shared_host",)}
    paths = [
        write(tmp_path, "a", [0, 10], devices={whole: device(100.0, **modelled)}),
        write(tmp_path, "b", [5, 10, 15], devices={part: device(20.0, **modelled)}),
    ]
    if "@" not in whole:
        write(tmp_path, "a", [0, 10], devices={whole: device(100.0, "counter")})
    assert fsum(joules(paths).values()) == pytest.approx(used)
    assert len(closings_of(paths).overlaps) == (used < 1200)


def bound(first, last):
    """A device of 10 W for each of its processors."""
    return {f"cpu:model@{first}-{last}": device(10.0 * (last - first + 1), "modelled")}


def test_a_processor_to_which_two_processes_are_bound_counts_once(tmp_path):
    a = write(tmp_path, "a", [0, 10], devices=bound(0, 3))
    b = write(tmp_path, "b", [5, 15], devices=bound(2, 5))
    assert joules([a, b]) == pytest.approx({"a": 200 + 150, "b": 150 + 200})
    assert joules([a]) == {"a": 400.0}


@pytest.mark.parametrize("seed", range(20))
def test_processors_of_many_bound_processes_count_once(tmp_path, seed):
    rng = random.Random(seed)
    spans, paths = {}, []
    for number in range(rng.randint(2, 7)):
        first = rng.randint(0, 6)
        last, edges = rng.randint(first + 1, 8), sorted(rng.uniform(0, 50) for _ in range(3))
        paths.append(write(tmp_path, f"run{number}", edges, devices=bound(first, last)))
        for processor in range(first, last + 1):
            spans.setdefault(processor, []).append((edges[0], edges[-1]))
    assert fsum(joules(paths).values()) == pytest.approx(sum(10.0 * covered(each) for each in spans.values()))


def test_a_run_with_a_pause_shares_only_while_it_measures(tmp_path):
    path = write(tmp_path, "a", [0, 10], is_closed=False)
    again = write(tmp_path, "a2", [90, 100], process="later")
    path.write_bytes(path.read_bytes() + again.read_bytes().replace(b'"run_id":"a2"', b'"run_id":"a"'))
    again.unlink()
    assert joules([path, write(tmp_path, "b", [20, 95])]) == pytest.approx({"a": WATTS * 17.5, "b": WATTS * 72.5})


def test_a_run_that_was_resumed_elsewhere_shares_on_each_of_its_machines(tmp_path):
    path = write(tmp_path, "a", [0, 10], is_closed=False, hosts={"node01": "1a@1"})
    hosts = {"node02": "2b@1", "node01": "9f@20"}  # node01 was started again
    again = write(tmp_path, "a2", [90, 100], process="later", host="node02", hosts=hosts)
    path.write_bytes(path.read_bytes() + again.read_bytes().replace(b'"run_id":"a2"', b'"run_id":"a"'))
    again.unlink()
    paths = [path, write(tmp_path, "b", [5, 10], hosts={"node01": "1a@1"})]
    assert fsum(joules(paths).values()) == pytest.approx(WATTS * 20)
    paths = [path, write(tmp_path, "c", [90, 95], host="pod", hosts={"pod": "2b@1"})]
    assert fsum(joules(paths).values()) == pytest.approx(WATTS * 20)


def test_a_killed_run_shares_up_to_its_last_heartbeat(tmp_path):
    path = write(tmp_path, "a", [0, 10], is_closed=False)
    lines = Lines()
    lines.head(Head(run_id="a", version="1"))
    beat = lines.heartbeat(row(10, 16, {GPU: device()})).splitlines(keepends=True)
    path.write_bytes(path.read_bytes() + b"".join(beat))
    assert fsum(joules([path, write(tmp_path, "b", [0, 20])]).values()) == pytest.approx(WATTS * 20)


def test_a_copy_of_a_run_counts_once_and_shares_once(tmp_path):
    path = write(tmp_path, "a", [0, 10])
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(path.read_bytes())
    found = joules([path, copy, write(tmp_path, "b", [0, 10])])
    assert found == pytest.approx({"a": WATTS * 5, "b": WATTS * 5})


@pytest.mark.parametrize("is_older_first", [True, False])
def test_records_that_only_one_copy_holds_are_shared_too(tmp_path, is_older_first):
    (tmp_path / "backup").mkdir()
    older = write(tmp_path / "backup", "a", [0, 10, 20], is_closed=False)
    paths = [older, write(tmp_path, "a", [0, 10, 20, 30, 40])][:: 1 if is_older_first else -1]
    paths.append(write(tmp_path, "b", [0, 40]))
    assert joules(paths) == pytest.approx({"a": WATTS * 20, "b": WATTS * 20})
    index = LedgerIndex(tmp_path, now_ns=lambda: time.time_ns() + 10**14)
    assert [joules(paths, index=index) for _ in range(2)] == [joules(paths)] * 2


def test_a_copy_that_was_made_during_an_epoch_does_not_shorten_it(tmp_path):
    (tmp_path / "backup").mkdir()
    path, copy = write(tmp_path, "a", [0, 10, 20]), write(tmp_path / "backup", "a", [0, 10], is_closed=False)
    lines = Lines()
    lines.head(Head(run_id="a", version="1"))
    copy.write_bytes(copy.read_bytes() + lines.heartbeat(row(10, 16, {GPU: device()})))
    paths = [copy, path, write(tmp_path, "b", [0, 20])]
    assert joules(paths) == pytest.approx({"a": WATTS * 10, "b": WATTS * 10})
    assert [run.entry.is_closed for run in runs_of(paths).runs] == [True, True]


@pytest.mark.parametrize(
    ("first", "second", "sharers"),
    [
        (("cpu:model@0-3",), ("cpu:model@4-7",), 0),
        (("cpu:model@0-3",), ("cpu:model",), 2),
        (("cpu:model@0-3", GPU), ("cpu:model@4-7", GPU), 2),
        ((), ("cpu:model@4-7",), 2),  # a run with so many devices that its totals name none
    ],
)
def test_processes_with_processors_of_their_own_do_not_seem_to_share(tmp_path, first, second, sharers):
    one = MeasuredRun(tmp_path, "a", (Place("node01"),), first, 0.0, 60.0, "1a2b")
    assert seeming_sharers([one, one._replace(devices=second, process="3c4d")]) == sharers


@pytest.mark.parametrize("seed", range(20))
def test_many_runs_at_random_times_add_up_to_what_the_devices_used(tmp_path, seed):
    rng = random.Random(seed)
    names = [f"gpu:{number}" for number in range(rng.randint(1, 3))]
    watts = {name: rng.uniform(50, 700) for name in names}
    spans, paths = {name: [] for name in names}, []
    for number in range(rng.randint(2, 9)):
        edges = sorted(rng.uniform(0, 100) for _ in range(rng.randint(2, 6)))
        used = rng.sample(names, rng.randint(1, len(names)))
        devices = {name: device(watts[name]) for name in used}
        paths.append(write(tmp_path, f"run{number}", edges, devices=devices, is_closed=rng.random() < 0.7))
        for name in used:
            spans[name].append((edges[0], edges[-1]))
    used = sum(watts[name] * covered(each) for name, each in spans.items())
    found = closings_of(paths)
    assert fsum(each.energy_joules for each in found.closings) == pytest.approx(used)
    by_device = [each.devices for each in found.closings]
    for name in names:
        assert fsum(each.get(name, 0.0) for each in by_device) == pytest.approx(watts[name] * covered(spans[name]))


def covered(spans):
    end, total = float("-inf"), 0.0
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, end))
        end = max(end, ended)
    return total


def test_a_company_counts_processes_and_not_runs():
    company = Company.of({"p": [(0.0, 4.0), (2.0, 6.0)], "q": [(3.0, 5.0)]})
    assert company.within(0.0, 6.0) == [(0.0, 1, 1.0), (3.0, 2, 0.5), (5.0, 1, 1.0)]
    assert company.share(0.0, 6.0) == pytest.approx((4 + 1) / 6)
    assert company.share(4.0, 4.0) == 0.5


@pytest.mark.parametrize("seed", range(5))
def test_an_index_remembers_what_overlaps(tmp_path, monkeypatch, seed):
    monkeypatch.setattr("green_callbacks.ledger.index.ledger_index._WORTH_BYTES", 1)
    chance = random.Random(seed)

    def look():
        index = LedgerIndex(tmp_path, now_ns=lambda: time.time_ns() + 10**13)
        return closings_of(ledgers_of(tmp_path), index=index)

    for number in range(8):
        edges = sorted(chance.uniform(0, 100) for _ in range(4))
        write(tmp_path, f"run-{number}", edges, is_closed=chance.random() < 0.7)
        assert look() == closings_of(ledgers_of(tmp_path))
    found = look()
    assert found.overlaps
    monkeypatch.setattr("green_callbacks.ledger.overlaps.shares.rows_of_files", None)
    monkeypatch.setattr("green_callbacks.ledger.overlaps.shares.stretches_of", None)
    assert look() == found


FORGED = [b"null", b"{}", b"[[1]]", b'[[0,1,"p",[[1,2,3,4]]]]', b'[[[1,2,3,4,"x"],{},[],1]]']


@pytest.mark.parametrize("wrong", FORGED, ids=repr)
def test_a_forged_memory_of_overlaps_costs_only_time(tmp_path, monkeypatch, wrong):
    monkeypatch.setattr("green_callbacks.ledger.index.ledger_index._WORTH_BYTES", 1)
    paths = [write(tmp_path, "a", [0, 10, 20]), write(tmp_path, "b", [5, 25])]

    def look():
        return closings_of(paths, index=LedgerIndex(tmp_path, now_ns=lambda: time.time_ns() + 10**13))

    whole = look()
    file = tmp_path / ".green-callbacks" / "totals.jsonl"
    entries = index_file.read_index(file)
    kinds = {key for key in entries if not key.endswith(b"]]")}
    assert len(kinds) == 5  # two of each run, and their division
    assert index_file.write_index(file, {key: wrong if key in kinds else each for key, each in entries.items()})
    assert look() == whole == closings_of(paths)


def test_a_look_without_changes_keeps_what_overlaps_for_the_next_change(tmp_path, monkeypatch):
    monkeypatch.setattr("green_callbacks.ledger.index.ledger_index._WORTH_BYTES", 1)
    for name, edges in {"a": [0, 10, 20], "b": [5, 25]}.items():
        write(tmp_path, name, edges)

    def look():
        index = LedgerIndex(tmp_path, now_ns=lambda: time.time_ns() + 10**13)
        return closings_of(ledgers_of(tmp_path), index=index)

    look()
    write(tmp_path, "c", [500, 600])  # alone, so nobody asks for the parts of the others
    look()
    write(tmp_path, "d", [580, 600])
    read = []
    real = stretches_of
    monkeypatch.setattr(
        "green_callbacks.ledger.overlaps.shares.stretches_of", lambda files: read.append(files[0].stem) or real(files)
    )
    assert look() == closings_of(ledgers_of(tmp_path))
    assert read[:2] == ["c", "d"]
