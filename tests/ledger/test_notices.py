"""What could not act stands in the ledger, and is read back with care."""

import json

from support.runs import scripted, train

from green_callbacks import read_ledger
from green_callbacks.ledger.limits import MAX_NOTICES
from green_callbacks.records.checked import MAX_TEXT


def ledger_with(*lines):
    accountant, clock = scripted(ledger="run.jsonl")
    train(accountant, clock, range(2))
    path = accountant.close().ledger
    with path.open("a", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps({"type": "notice", **line}) + "\n")
    return path


def test_of_one_key_the_last_line_counts():
    path = ledger_with({"key": "a", "text": "One."}, {"key": "b", "text": "Two."}, {"key": "a", "text": "Three."})
    assert read_ledger(path).notices == {"a": "Three.", "b": "Two."}


def test_what_no_longer_holds_is_gone():
    path = ledger_with({"key": "a", "text": "One."}, {"key": "a"}, {"key": "never"})
    assert read_ledger(path).notices == {}


def test_lines_that_cannot_be_are_passed_over():
    damaged = [{"key": 7, "text": "x"}, {"text": "x"}, {"key": "a", "text": ["x"]}, {"key": "a", "text": "x" * 5000}]
    path = ledger_with(*damaged, {"key": "b", "text": "Two."})
    contents = read_ledger(path)
    assert contents.notices == {"b": "Two."}
    assert contents.history.finished_epochs == 2


def test_no_more_are_kept_than_a_run_says():
    path = ledger_with(*({"key": str(number), "text": "x"} for number in range(10 * MAX_NOTICES)))
    assert len(read_ledger(path).notices) == MAX_NOTICES


def test_a_long_sentence_is_cut_so_that_it_can_be_read():
    accountant, clock = scripted(ledger="run.jsonl")
    train(accountant, clock, range(1))
    accountant.warn("k" * 1000, "%s", "long " * 1000)
    path = accountant.close().ledger
    (text,) = read_ledger(path).notices.values()
    assert len(text) == MAX_TEXT


def test_a_file_that_was_lost_begins_with_them_again():
    accountant, clock = scripted(ledger="run.jsonl")
    train(accountant, clock, range(1))
    accountant.warn("ours", "Something cannot be.")
    accountant._run.ledger.settle()
    accountant._run.ledger.path.unlink()
    train(accountant, clock, range(1, 3))
    path = accountant.close().ledger
    contents = read_ledger(path)
    assert contents.notices == {"ours": "Something cannot be."}
    assert contents.history.finished_epochs == 3


def test_a_second_stretch_keeps_those_of_the_first():
    accountant, clock = scripted(ledger="run.jsonl")
    train(accountant, clock, range(1))
    accountant.warn("ours", "Something cannot be.")
    accountant.close()
    train(accountant, clock, range(1, 2))
    run = accountant.close()
    assert run.notices == ("Something cannot be.",)
    assert read_ledger(run.ledger).notices == {"ours": "Something cannot be."}
