"""The close of a run, also by a signal handler in the middle of an edge."""

import pytest
from support.injector import Injector
from support.runs import WATTS, scripted

from green_callbacks import read_ledger

EDGES = ("accountant/energy/interval_edges.py", "accountant/energy/timeline.py", "accountant/run/record_keeping.py")


@pytest.mark.parametrize("at", range(1, 60, 3))
def test_a_handler_that_closes_in_the_middle_of_an_edge_leaves_a_closed_run_right_after_it(at):
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    accountant.begin_epoch(0)
    clock.advance(10)
    injector = Injector(EDGES, at, accountant.close)
    injector.run(accountant.end_epoch)
    assert injector.place
    assert not accountant.is_live
    assert [(row.epoch, row.energy_joules) for row in accountant.history if row.epoch is not None] == [(0, WATTS * 10)]
    assert accountant.history.energy_joules == WATTS * 10
    assert list(read_ledger("run.jsonl").history) == list(accountant.history)


def test_a_run_that_was_closed_at_an_edge_starts_again_with_the_next_epoch():
    accountant, clock = scripted(ledger="run.jsonl")
    accountant.start()
    accountant.begin_epoch(0)
    clock.advance(10)
    Injector(EDGES, 5, accountant.close).run(accountant.end_epoch)
    accountant.begin_epoch(1)
    clock.advance(5)
    accountant.end_epoch()
    accountant.close()
    assert {row.epoch for row in accountant.history} >= {0, 1}
    assert read_ledger("run.jsonl").history.energy_joules == WATTS * 15
