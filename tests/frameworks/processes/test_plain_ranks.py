"""Plain loops on two real processes, whose training communicates by gloo."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

from frameworks.processes.plain_ranks import (
    BUDGET_JOULES,
    CAN_BIND,
    CASES,
    CPU_WATTS,
    EPOCH_JOULES,
    HOST_WATTS,
    STEPS,
    WATTS,
)

from green_callbacks import read_ledger

HERE = Path(__file__).parent
EPOCH_SECONDS = 4.0


class Case:
    """What the processes of a case have left."""

    def __init__(self, folder):
        files = sorted(folder.glob("rank*.json"))
        self.ranks = {int(file.stem[-1]): json.loads(file.read_text(encoding="utf-8")) for file in files}
        self.said = [file.read_text(encoding="utf-8") for file in sorted(folder.glob("said*.txt"))]
        self.ledgers = [read_ledger(file) for file in sorted(folder.rglob("*.jsonl"))]

    @property
    def ledger(self):
        (only,) = self.ledgers
        return only

    @property
    def joules(self):
        return self.ranks[0]["joules"]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    done = subprocess.run(
        [sys.executable, HERE / "plain_ranks.py", folder],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, HERE.parents[1:3])), "OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return {name: Case(folder / name) for name in CASES}


def joules_of(*, gpu_0, gpu_1, host):
    """Return the joules of the devices that counted for some seconds."""
    return {"gpu:0": gpu_0 * WATTS, "gpu:1": gpu_1 * WATTS, "cpu:0": host * HOST_WATTS}


def test_two_processes_are_one_run_with_one_ledger(cases):
    case = cases["together"]

    assert case.joules == joules_of(gpu_0=12, gpu_1=12, host=12)
    assert case.ledger.history.energy_joules == 3 * EPOCH_JOULES < BUDGET_JOULES
    assert [rank["records"] for rank in case.ranks.values()] == [3, 0]
    assert list(case.ledger.history.metric("val_acc").values) == [0.5] * 3


def test_one_decision_ends_both_at_the_same_step(cases):
    zero, one = cases["together"].ranks.values()

    assert zero["steps"] == one["steps"] == 3 * STEPS
    assert zero["reason"] == cases["together"].ledger.stop_reason
    assert one["reason"] == "Rank 0 decided to stop."
    assert cases["together"].said[1] == ""


def test_rank_0_alone_trains_on_and_is_told(cases):
    case = cases["only_rank_0"]

    assert case.joules == {"gpu:0": 12 * WATTS, "cpu:0": 12 * HOST_WATTS}
    assert case.said[0].startswith("1 of the 2 processes of torch.distributed did not start an accountant")
    assert case.said[0].count("\n") == 1


def test_a_group_before_the_first_epoch_counts_from_the_start(cases):
    case = cases["late"]

    assert case.joules == joules_of(gpu_0=10, gpu_1=10, host=10)
    assert [record.epoch for record in case.ledger.history] == [None, 0, 1]
    assert case.said == ["", ""]


def test_a_group_after_the_first_epoch_is_said_and_nothing_counts_twice(cases):
    case = cases["after_an_epoch"]

    assert case.joules == joules_of(gpu_0=12, gpu_1=8, host=12)
    assert sum(ledger.history.energy_joules for ledger in case.ledgers) == 3 * EPOCH_JOULES
    for said in case.said:
        assert said.count("\n") == 2
        assert "found no process group" in said
        assert "were found in epoch 1, after the start" in said


def test_the_close_may_come_after_the_group_was_destroyed(cases):
    case = cases["destroyed"]

    assert case.joules == joules_of(gpu_0=9, gpu_1=9, host=9)
    assert case.said == ["", ""]


@pytest.mark.parametrize(
    ("name", "reason"), [("dies", "did not come within 1 s"), ("raises", "has left the common run")]
)
def test_a_rank_that_is_gone_leaves_the_records_of_the_others(cases, name, reason):
    case = cases[name]

    assert case.joules == joules_of(gpu_0=12, gpu_1=4, host=12)
    assert [record.epoch for record in case.ledger.history if record.complete] == [0, 1, 2]
    assert [record.devices["gpu:1"].joules for record in case.ledger.history] == [4 * WATTS, None, None]
    assert case.said[0].startswith(f"Rank 1 {reason}")


def test_nobody_waits_for_a_rank_that_has_raised(cases):
    assert cases["raises"].ranks[0]["waited"] < 20


def test_a_rank_that_leaves_its_loop_early_holds_up_no_other(cases):
    case = cases["breaks"]

    assert case.joules == joules_of(gpu_0=12, gpu_1=8, host=12)
    for said, effect in zip(case.said, ("counts its own devices", "nothing that this process uses"), strict=True):
        assert "Rank 1 called the accountant in another order" in said
        assert effect in said


def test_without_a_group_each_process_counts_its_own_and_one_the_host(cases):
    case = cases["no_group"]

    assert [rank["joules"] for rank in case.ranks.values()] == [
        {"gpu:0": 8 * WATTS, "cpu:0": 8 * HOST_WATTS},
        {"gpu:1": 8 * WATTS},
    ]
    assert all(said.startswith("torchrun started 2 processes, and this one") for said in case.said)


def test_a_new_group_goes_on_with_the_run(cases):
    case = cases["again"]

    assert case.joules == joules_of(gpu_0=12, gpu_1=12, host=12)
    assert [record.epoch for record in case.ledger.history] == [0, 1, 2]
    assert all("has a new process group since epoch 2" in said for said in case.said)


def test_a_resumed_run_does_the_same_epochs_on_every_rank(cases):
    case = cases["resumed"]

    assert case.joules == joules_of(gpu_0=12, gpu_1=12, host=12)
    assert [rank["seen"] for rank in case.ranks.values()] == [[2], [2]]
    assert case.said == ["", ""]


@pytest.mark.skipif(not CAN_BIND, reason="Each of the two processes needs a processor of its own.")
@pytest.mark.parametrize("name", ["bound", "bound_late"])
def test_processes_with_a_processor_each_count_both(cases, name):
    joules = cases[name].joules

    assert list(joules.values()) == pytest.approx([CPU_WATTS * 4.0] * 2)
    assert all(device.startswith("cpu:model@") for device in joules)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="This system binds no process to processors.")
def test_processes_that_share_all_processors_count_them_once(cases):
    (joules,) = cases["unbound"].joules.values()

    assert joules == pytest.approx(CPU_WATTS * 4.0 * len(os.sched_getaffinity(0)))
