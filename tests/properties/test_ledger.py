import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_run import finished, run_context
from strategies import comparable, records, totals_of

from green_callbacks.records import History
from green_callbacks.sinks import Ledger, read_ledger


def written(given_records, path, *, rewind=None, closed=True):
    """A ledger as a run writes it, and the history of that run."""
    history = History()
    ledger = Ledger(path, "1.0")
    ledger.open(run_context(path.parent))
    for record in given_records:
        history.append(record)
        ledger.write(record)
    if rewind is not None:
        history.rewind(rewind)
        ledger.rewind(rewind)
    if closed:
        ledger.finish(finished(history, "The budget is spent."))
    ledger.close()
    return history


@given(st.lists(records(), max_size=5), st.none() | st.integers(0, 10**6))
@settings(max_examples=50)
def test_a_ledger_reads_back_as_the_history(given_records, rewind):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.jsonl")
        history = written(given_records, path, rewind=rewind)
        contents = read_ledger(path)
    assert [comparable(record) for record in contents.history] == [comparable(record) for record in history]
    assert totals_of(contents.history) == totals_of(history)
    assert (contents.run_id, contents.stop_reason) == ("run-1", "The budget is spent.")


@given(st.lists(records(), max_size=4), st.data())
@settings(max_examples=60)
def test_a_ledger_cut_anywhere_keeps_every_whole_record_and_can_be_gone_on_with(given_records, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.jsonl")
        history = written(given_records, path, closed=False)
        whole = path.read_bytes()
        kept = whole[: data.draw(st.integers(0, len(whole)), label="bytes kept")]
        path.write_bytes(kept)
        # A line is whole with its last brace, with or without the line break; the first is the head.
        lines = len([line for line, full in zip(kept.split(b"\n"), whole.split(b"\n"), strict=False) if line == full])
        expected = [comparable(record) for record in history][: max(0, min(lines, len(history) + 1) - 1)]
        assert [comparable(record) for record in read_ledger(path).history] == expected

        ledger = Ledger(path, "1.0")
        ledger.open(run_context(path.parent, before=history))
        ledger.close()
        assert [comparable(record) for record in read_ledger(path).history] == [comparable(r) for r in history]
        assert read_ledger(path).run_id == "run-1"
