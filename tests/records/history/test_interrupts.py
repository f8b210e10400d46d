"""A history that is interrupted at any instruction: by an exception, or by a signal handler that reads or adds."""

import os
import sys
from pathlib import Path

import pytest
from support.scripted_run import GERMANY, device, record
from support.strategies import comparable, totals_of

import green_callbacks.records
from green_callbacks import EpochRecord, History
from green_callbacks.records import PhaseEnergy

FOLDER = str(Path(green_callbacks.records.__file__).parent)
ENOUGH = 20_000
"""More instructions than any of these calls takes."""

STRIDES = {"append": 7, "extend": 11}
"""Every how many instructions these calls are interrupted, and others at every 23rd. All are primes, so that loops are
met at all of their places. ``make torture`` takes every instruction."""


class Interrupted(BaseException):
    """What an interrupt raises."""


def interrupted_at(count, act, what):
    """Do something, and something else at so many instructions of this package; return whether it came to that."""
    seen = 0

    def trace(frame, event, _):
        nonlocal seen
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        frame.f_trace_opcodes = True
        if event in ("opcode", "line"):
            seen += 1
            if seen == count:
                sys.settrace(None)
                act()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        what()
    finally:
        sys.settrace(before)
    return seen >= count


def told(history):
    """All that can be read of a history."""
    metrics = {name: [list(each) for each in history.metric(name)] for name in history.metric_names}
    dearest = history.most_phase_joules("validation")
    rest = (history.facility_kwh_by_intensity(), list(history.part_rows), history.steps, dearest, len(history))
    back = History.from_columns(history.to_columns())
    return repr(
        (
            [comparable(each) for each in history],
            totals_of(history),
            sorted(metrics.items()),
            [list(each) for each in history.learning_rates],
            rest,
            [comparable(each) for each in back],
            totals_of(back),
        )
    )


def rich(epoch, **fields):
    """A record that fills every column there is, some for the first time."""
    return record(
        epoch,
        devices={"gpu:0": device(3000.0 + (epoch or 0), gap_seconds=0.5), f"late:{epoch}": device(None)},
        phases={"train": PhaseEnergy(5.0 + (epoch or 0), 8.0), "validation": PhaseEnergy(7.0 + (epoch or 0), 2.0)},
        metrics={"val_acc": 0.5, f"new_{epoch}": 1.0},
        **{"step": 7 * (epoch or 0), "learning_rate": 0.1, "samples": 10, "tokens": 20, "flops": 1e9} | fields,
    )


BEGUN = [rich(0), record(None), rich(1, closes_epoch=False), rich(1), rich(0), record(None), rich(1)]


def begun():
    """A history of two fits, with parts of epochs and rows outside."""
    return History(BEGUN)


OUTSIDE = rich(None, step=None, intensity=GERMANY.__class__(g_per_kwh=1.0, source="x", found_by="argument"))
CALLS = {
    "append": lambda history: history.append(rich(2)),
    "append that begins a fit": lambda history: history.append(rich(0)),
    "extend": lambda history: history.extend([OUTSIDE, rich(2)]),
    "rewind": lambda history: history.rewind(1),
    "rewind of a whole fit": lambda history: history.rewind(0),
}
LATER = rich(3)


def instructions(name):
    """The instructions at which to interrupt a call."""
    return range(1, ENOUGH, 1 if "EVERY_INSTRUCTION" in os.environ else STRIDES.get(name, 23))


def afterwards(history):
    """What is told once more was added."""
    history.append(LATER)
    return told(history)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", CALLS)
def test_an_exception_at_any_instruction_leaves_the_history_as_before_or_as_after(name):
    before, after = begun(), begun()
    CALLS[name](after)
    states = {told(each): afterwards(each) for each in (before, after)}
    assert len(states) == 2

    def interrupt():
        raise Interrupted

    for count in instructions(name):
        history = begun()
        try:
            reached = interrupted_at(count, interrupt, lambda history=history: CALLS[name](history))
        except Interrupted:
            reached = True
        seen = told(history)
        assert seen in states, f"torn at instruction {count}"
        assert afterwards(history) == states[seen], f"torn for what follows at instruction {count}"
        if not reached:
            return
    pytest.fail("it never came to an end")


@pytest.mark.no_cover
@pytest.mark.parametrize("name", CALLS)
def test_a_signal_handler_at_any_instruction_reads_what_was_or_what_is(name):
    before, after = begun(), begun()
    CALLS[name](after)
    whole = [told(before), told(after)]
    for count in instructions(name):
        history, seen = begun(), []
        reached = interrupted_at(
            count,
            lambda history=history, seen=seen: seen.append(told(history)),
            lambda history=history: CALLS[name](history),
        )
        assert all(each in whole for each in seen), f"torn at instruction {count}"
        assert told(history) == whole[1]
        if not reached:
            return
    pytest.fail("it never came to an end")


@pytest.mark.no_cover
@pytest.mark.parametrize("name", ["append", "extend"])
def test_a_signal_handler_at_any_instruction_may_add_a_record(name):
    added = rich(2)
    alone = begun()
    CALLS[name](alone)
    for count in instructions(name):
        history = begun()
        reached = interrupted_at(
            count, lambda history=history: history.append(added), lambda history=history: CALLS[name](history)
        )
        kept = [comparable(each) for each in history]
        assert len(kept) == len(alone) + reached, f"lost or twice at instruction {count}"
        assert kept.count(comparable(added)) >= reached
        assert told(history) == told(History(history))
        if not reached:
            return
    pytest.fail("it never came to an end")


def test_a_record_that_was_added_in_part_is_in_no_total():
    history = begun()
    before = told(history)
    broken = rich(2)._replace(pue="much")
    with pytest.raises(ValueError, match="cannot be kept, because its pue is no finite number"):
        history.append(broken)
    assert told(history) == before
    with pytest.raises(ValueError, match="cannot be kept"):
        history.extend([rich(2), rich(3), broken])
    assert told(history) == before


def test_what_a_handler_raises_is_what_is_seen():
    class OwnError(ValueError):
        pass

    def interrupt():
        raise OwnError

    with pytest.raises(OwnError):
        interrupted_at(50, interrupt, lambda: History().append(EpochRecord.scripted(epoch=0)))
