"""What a closing line tells of a run besides its totals: when, where, and what its energy leaves out."""

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scripted_run import record
from support.strategies import records
from support.written import writing

from green_callbacks.ledger import closing_of, read_closing, read_ledger
from green_callbacks.ledger.closing_line import decode_closing, encode_closing
from green_callbacks.ledger.run_facts import RunFacts, decode_facts, encode_facts, facts_of
from green_callbacks.records import History

LATEST = datetime(9999, 12, 30, tzinfo=UTC)


def facts(*rows):
    history = History(rows)
    return facts_of(history, history.device_totals())


@given(st.lists(records(), max_size=5))
@settings(max_examples=50)
def test_the_line_and_the_records_tell_the_same(given_records):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.jsonl")
        with writing(path) as run:
            for each in given_records:
                run.write(each)
            run.ledger.end(None)
        closing, history = read_closing(path), read_ledger(path).history
    if closing is not None:  # more devices or flags than a line may hold
        assert closing.facts == closing_of("run", history, monitor=None, mode="max").facts


def test_a_run_tells_when_and_where_it_ran():
    first, last = record(None), record(0)
    told = facts(first, last)
    assert (told.began_at, told.ended_at) == (
        first.started_at,
        last.started_at + timedelta(seconds=last.duration_seconds),
    )
    assert "DE" in told.place
    assert (told.scope, told.basis, told.left_out) == ("lifecycle", "generation", None)


def test_a_run_tells_which_accelerators_it_leaves_out():
    assert "is not measured" in facts(record(0, gpu_joules=None)).left_out


def test_a_run_without_records_tells_nothing():
    assert facts() == RunFacts()


def test_a_run_at_the_end_of_time_still_has_an_end():
    late = record(0)._replace(started_at=LATEST, duration_seconds=1e9)
    assert facts(late).ended_at == LATEST


def test_facts_come_back_from_a_line_as_they_were():
    told = facts(record(0, gpu_joules=None), record(1))
    assert decode_facts(json.loads(json.dumps(encode_facts(told)))) == told


@pytest.mark.parametrize("said", [[], {"began_at": "2026-01-01"}, {"place": 1}, {"left_out": "x" * 1_001}, 3])
def test_impossible_facts_are_refused(said):
    with pytest.raises(ValueError, match="expected, not"):
        decode_facts(said)


def test_a_line_of_an_earlier_version_has_no_facts():
    closing = closing_of("run-1", History([record(0)]), monitor=None, mode="max")
    fields = encode_closing(closing, 100)
    del fields["facts"]
    assert decode_closing(fields, None).facts is None
