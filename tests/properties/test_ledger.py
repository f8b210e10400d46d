import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from support.strategies import comparable, records, totals_of
from support.written import writing

from green_callbacks.ledger import read_ledger

PARTS = 10_000


def write(given_records, path, *, rewind=None, closed=True):
    """Write a ledger as a run does; return the history of that run."""
    with writing(path) as run:
        for record in given_records:
            run.write(record)
        if rewind is not None:
            run.history.rewind(rewind)
            run.ledger.rewind(rewind, None)
        if closed:
            run.ledger.end("The budget is spent.")
    return run.history


@given(st.lists(records(), max_size=5), st.none() | st.integers(0, 10**6))
@settings(max_examples=50)
def test_a_ledger_reads_back_as_the_history(given_records, rewind):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.jsonl")
        history = write(given_records, path, rewind=rewind)
        contents = read_ledger(path)
    assert [comparable(record) for record in contents.history] == [comparable(record) for record in history]
    assert totals_of(contents.history) == totals_of(history)
    assert (contents.run_id, contents.stop_reason) == ("run-1", "The budget is spent.")


@given(st.lists(records(), max_size=4), st.data())
@settings(max_examples=60)
def test_a_ledger_cut_anywhere_keeps_every_whole_record_and_can_be_gone_on_with(given_records, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.jsonl")
        history = write(given_records, path, closed=False)
        whole = path.read_bytes()
        share = data.draw(st.integers(0, PARTS), label="parts kept")  # the length differs by the digits of a draw
        kept = whole[: len(whole) * share // PARTS]
        path.write_bytes(kept)
        # A line is whole with its last brace, with or without the line break.
        pairs = zip(kept.split(b"\n"), whole.split(b"\n"), strict=False)
        records_kept = sum(line == full and line.startswith(b'{"type":"record"') for line, full in pairs)
        expected = [comparable(record) for record in history][:records_kept]
        contents = read_ledger(path)
        assert [comparable(record) for record in contents.history] == expected

        with writing(path, list(history), held=contents.recorded if contents.run_id else None):
            pass
        assert [comparable(record) for record in read_ledger(path).history] == [comparable(r) for r in history]
        assert read_ledger(path).run_id == "run-1"


@given(st.lists(records(), min_size=1, max_size=5), st.data())
@settings(max_examples=60)
def test_a_ledger_that_is_cut_while_its_run_goes_on_reads_back_as_the_history(given_records, data):
    cut_after = data.draw(st.integers(0, len(given_records) - 1), label="cut after")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.jsonl")
        with writing(path) as run:
            for number, record in enumerate(given_records):
                run.write(record)
                run.flush()
                if number == cut_after:
                    share = data.draw(st.integers(0, PARTS), label="parts kept")
                    path.write_bytes(path.read_bytes()[: path.stat().st_size * share // PARTS])
            run.ledger.end(None)
        contents = read_ledger(path)
    assert [comparable(record) for record in contents.history] == [comparable(record) for record in run.history]
    assert totals_of(contents.history) == totals_of(run.history)
    assert contents.is_closed
