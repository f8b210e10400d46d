"""Ranks that are bound to processors, each of one machine."""

from types import SimpleNamespace

import psutil
import pytest
from support.runs import scripted, train
from support.thread_ranks import on_ranks

from green_callbacks.accountant.ranks.launcher import Place
from green_callbacks.accountant.ranks.part import Part, is_bound_apart
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource
from green_callbacks.sources.job import allotment as _allotment

HOST_WATTS = 50.0


def run_of(*names):
    """Return the run of as many ranks, of which each has a device of one of these names."""

    def body(ranks):
        clock = ScriptedClock()
        source = ScriptedSource(HOST_WATTS, name=names[ranks.rank], component="cpu", method="modelled", clock=clock)
        accountant, _ = scripted(clock, sources=[source])
        accountant.start(ranks=ranks)
        record = train(accountant, clock, [0])[0]
        run = accountant.close()
        assert record.phases["train"].joules == pytest.approx(record.energy_joules)
        return run

    return on_ranks(len(names), body)[0]


@pytest.mark.parametrize(
    ("names", "counted"),
    [
        (["cpu:model@0-1", "cpu:model@2-3"], ["cpu:model@0-1", "cpu:model@2-3"]),
        (["cpu:model", "cpu:model"], ["cpu:model"]),
        (["cpu:model@0-1", "cpu:model"], ["cpu:model"]),
        (["cpu:model@group-8", "cpu:model@group-9"], ["cpu:model@group-8", "cpu:model@group-9"]),
        (["cpu:model@0-1", "cpu:package-0"], ["cpu:package-0"]),
        (
            ["cpu:package-0@process-7", "cpu:package-0@process-8"],
            ["cpu:package-0@process-7", "cpu:package-0@process-8"],
        ),
    ],
)
def test_every_processor_counts_once(names, counted):
    run = run_of(*names)
    assert {name: device.joules for name, device in run.devices.items()} == dict.fromkeys(counted, HOST_WATTS * 10)
    assert not any("counts twice" in notice for notice in run.notices)


def test_processors_that_two_ranks_share_in_part_are_said_once(caplog):
    run = run_of("cpu:model@0-3", "cpu:model@2-5")
    assert run.energy_joules == 2 * HOST_WATTS * 10
    (said,) = [notice for notice in run.notices if "counts twice" in notice]
    assert "cpu:model@0-3 and cpu:model@2-5" in said
    assert [record.getMessage() for record in caplog.records].count(said) == 1


def test_a_process_that_is_not_agreed_counts_processors_of_its_own():
    devices = {"cpu:model@4-7": ("cpu", ()), "dram:package-0": ("dram", ()), "gpu:0": ("gpu", ())}
    assert list(Part(1, 2).of(devices)) == ["cpu:model@4-7", "gpu:0"]
    assert list(Part(1, 2, counts_bound=False).of(devices)) == ["gpu:0"]
    assert list(Part(0, 2, counts_bound=False).of(devices)) == list(devices)


@pytest.fixture
def bound(monkeypatch):
    """Bind this process to processors 0 to 3 of 16, and its parent to the given ones."""
    parents = {"cpus": 4}

    def process(pid=None):
        return SimpleNamespace(cpu_affinity=lambda: list(range(4 if pid is None else parents["cpus"])))

    monkeypatch.setattr(psutil, "Process", process)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16)
    monkeypatch.setattr(_allotment, "quota", lambda: None)
    return parents


SRUN = Place("srun", 1, 2, 1, 2)


def test_a_task_of_slurm_is_bound_apart_if_the_job_has_processors_for_all(bound):
    assert is_bound_apart(SRUN, {"SLURM_CPUS_ON_NODE": "8"})
    assert not is_bound_apart(SRUN, {"SLURM_CPUS_ON_NODE": "4"})


def test_elsewhere_the_parent_tells(bound):
    place = Place("torchrun", 1, 2, 1, 2)
    assert not is_bound_apart(place, {})
    bound["cpus"] = 16
    assert is_bound_apart(place, {})
    assert is_bound_apart(None, {})


def test_who_may_use_all_processors_or_whose_parent_is_hidden_is_not_bound_apart(bound, monkeypatch):
    def process(pid=None):
        if pid is not None:
            raise psutil.NoSuchProcess(pid)
        return SimpleNamespace(cpu_affinity=lambda: list(range(4)))

    monkeypatch.setattr(psutil, "Process", process)
    assert not is_bound_apart(None, {})
    monkeypatch.setattr(psutil, "Process", lambda pid=None: SimpleNamespace(cpu_affinity=lambda: list(range(16))))
    assert not is_bound_apart(None, {})


@pytest.mark.parametrize(("parent_cpus", "counted"), [(16, ["cpu:model@0-3", "gpu:0"]), (4, ["gpu:0"])])
def test_a_launched_process_without_a_group_counts_processors_that_it_alone_has(
    bound, monkeypatch, parent_cpus, counted
):
    bound["cpus"] = parent_cpus
    for name, value in {"RANK": 1, "WORLD_SIZE": 2, "LOCAL_RANK": 1, "LOCAL_WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    clock = ScriptedClock()
    sources = [
        ScriptedSource(HOST_WATTS, name="cpu:model@0-3", component="cpu", clock=clock),
        ScriptedSource(HOST_WATTS, name="gpu:0", clock=clock),
    ]
    accountant, _ = scripted(clock, sources=sources)
    accountant.start()
    train(accountant, clock, [0])
    run = accountant.close()
    assert list(run.devices) == counted
    assert any("alone is bound" in notice for notice in run.notices)
