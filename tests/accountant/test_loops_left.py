"""A loop over epochs that is left early: what counts as whole, and what goes on."""

import gc
import os
import subprocess
import sys
from contextlib import closing
from itertools import islice

import pytest
from support.runs import WATTS, scripted

from green_callbacks import read_ledger
from green_callbacks.errors import ConfigurationError

SECONDS = 10.0
PATH = os.pathsep.join(path for path in sys.path if path)


def epochs_of(accountant):
    return [(r.epoch, r.complete) for r in accountant.history if r.epoch is not None]


def whole(count):
    return [(epoch, True) for epoch in range(count)]


def train(accountant, clock, **metrics):
    clock.advance(SECONDS)
    if metrics:
        accountant.observe(metrics)


def test_an_epoch_that_is_whole_when_the_loop_is_left_is_in_the_history_at_once():
    accountant, clock = scripted(ledger="run.jsonl")
    with accountant:
        for epoch in accountant.epochs(100):
            train(accountant, clock, val_acc=epoch / 10)
            if epoch == 4:
                break
        assert epochs_of(accountant) == whole(5)
        assert accountant.history.metric("val_acc").values[-1] == 0.4
        assert accountant.history.energy_joules == 5 * SECONDS * WATTS
        clock.advance(3.0)
    run = accountant.close()
    assert (run.epochs, run.outside_joules) == (5, 3 * WATTS)
    assert read_ledger(run.ledger).history.finished_epochs == 5
    again, clock = scripted(clock, ledger="run.jsonl")
    with again:
        assert [epoch for epoch in again.epochs(7) if clock.advance(SECONDS) is None] == [5, 6]


def test_a_body_may_end_its_epoch_itself_before_it_saves(caplog):
    accountant, clock = scripted()
    with accountant:
        for epoch in accountant.epochs(3):
            train(accountant, clock, loss=1.0)
            accountant.end_epoch()
            assert epochs_of(accountant) == whole(epoch + 1)
    assert epochs_of(accountant) == whole(3)
    assert "had not begun" not in caplog.text


def returning(accountant, clock):
    for epoch in accountant.epochs(100):
        train(accountant, clock, loss=1.0)
        if epoch == 2:
            return epoch
    return None


def returning_from_within(accountant, clock):
    with closing(open("log.txt", "w")) as log:  # noqa: PTH123
        for epoch in accountant.epochs(100):
            with closing(open(f"{epoch}.txt", "w")):  # noqa: PTH123
                train(accountant, clock, loss=1.0)
                if epoch == 2:
                    return log.name
    return None


def slicing(accountant, clock):
    for _ in islice(accountant.epochs(100), 3):
        train(accountant, clock, loss=1.0)


def zipping(accountant, clock):
    for _ in zip(range(3), accountant.epochs(100), strict=False):
        train(accountant, clock, loss=1.0)


def enumerating(accountant, clock):
    for number, _ in enumerate(accountant.epochs(100)):
        train(accountant, clock, loss=1.0)
        if number == 2:
            break


def a_progress_bar(iterable):
    try:
        yield from map(int, iterable)
    finally:
        pass


def another_bar(iterable):
    for each in iterable:  # noqa: UP028
        yield each


def with_a_progress_bar(accountant, clock):
    for epoch in another_bar(a_progress_bar(accountant.epochs(100))):
        train(accountant, clock, loss=1.0)
        if epoch == 2:
            break


def after_a_fault_that_was_dealt_with(accountant, clock):
    for epoch in accountant.epochs(100):
        train(accountant, clock, loss=1.0)
        try:
            1 / (2 - epoch)
        except ZeroDivisionError:
            break


def finally_leaving(accountant, clock):
    for epoch in accountant.epochs(100):
        try:
            train(accountant, clock, loss=1.0)
            if epoch == 2:
                break
        finally:
            clock.advance(0.0)


def with_nested_loops(accountant, clock):
    for epoch in accountant.epochs(100):
        for batch in range(100):
            clock.advance(1.0)
            if batch == 9:
                break
        accountant.observe({"loss": 1.0})
        if epoch == 2:
            break
        continue


def closing_it(accountant, clock):
    loop = accountant.epochs(100)
    for epoch in loop:
        train(accountant, clock, loss=1.0)
        if epoch == 2:
            break
    loop.close()


def deleting_it(accountant, clock):
    loop = accountant.epochs(100)
    for epoch in loop:
        train(accountant, clock, loss=1.0)
        if epoch == 2:
            break
    del loop


def going_through_all_batches(accountant, clock):
    for epoch in accountant.epochs(100):
        for _ in accountant.steps(range(10)):
            clock.advance(1.0)
        if epoch == 2:
            break


def telling_nothing(accountant, clock):
    for epoch in accountant.epochs(100):
        clock.advance(SECONDS)
        if epoch == 2:
            break


def taking_the_same_batches(accountant, clock):
    for epoch in accountant.epochs(100):
        for batch in accountant.steps(range(1000)):
            clock.advance(1.0)
            if batch == 9:
                break
        if epoch == 2:
            break


@pytest.mark.parametrize(
    "leave",
    [
        returning,
        returning_from_within,
        slicing,
        zipping,
        enumerating,
        with_a_progress_bar,
        after_a_fault_that_was_dealt_with,
        finally_leaving,
        with_nested_loops,
        closing_it,
        deleting_it,
        going_through_all_batches,
        telling_nothing,
        taking_the_same_batches,
    ],
)
def test_the_epoch_is_whole_where_the_loop_is_left_after_it(leave):
    accountant, clock = scripted()
    with accountant:
        leave(accountant, clock)
        assert epochs_of(accountant) == whole(3)
        assert accountant.history.energy_joules == 3 * SECONDS * WATTS
        assert next(iter(accountant.epochs(100))) == 3
    assert not accountant.close().notices


def at_the_top(accountant, clock):
    for epoch in accountant.epochs(100):
        if epoch == 2:
            break
        train(accountant, clock, loss=1.0)


def within_the_batches(accountant, clock):
    for epoch in accountant.epochs(100):
        for batch in accountant.steps(range(10)):
            clock.advance(1.0)
            if epoch == 2 and batch == 4:
                break
        if epoch == 2:
            break


def within_batches_of_their_own(accountant, clock):
    for epoch in accountant.epochs(100):
        for batch in range(10):
            clock.advance(1.0)
            accountant.observe({"loss": 1.0}, samples=8)
            if epoch == 2 and batch == 4:
                break
        if epoch == 2:
            break


def before_the_validation(accountant, clock):
    for epoch in accountant.epochs(100):
        train(accountant, clock, loss=1.0)
        if epoch == 2:
            break
        train(accountant, clock, val_loss=1.0)


def soon(accountant, clock):
    for epoch in accountant.epochs(100):
        if epoch == 2:
            clock.advance(1.0)
            break
        clock.advance(SECONDS)


def zipping_the_other_way(accountant, clock):
    for _ in zip(accountant.epochs(100), range(2), strict=False):
        train(accountant, clock, loss=1.0)


def interrupted(accountant, clock):
    try:
        for epoch in accountant.epochs(100):
            train(accountant, clock, loss=1.0)
            if epoch == 2:
                raise KeyboardInterrupt  # noqa: TRY301
    except KeyboardInterrupt:
        pass


def failing_in_a_call(accountant, clock):
    try:
        for epoch in accountant.epochs(100):
            train(accountant, clock, loss=1.0)
            int("2" if epoch < 2 else "two")
    except ValueError:
        pass


def failing_in_the_data(accountant, clock):
    def batches(epoch):
        yield 1
        if epoch == 2:
            raise OSError(epoch)

    try:
        for epoch in accountant.epochs(100):
            for _ in batches(epoch):
                train(accountant, clock, loss=1.0)
    except OSError:
        pass


def failing_behind_a_progress_bar(accountant, clock):
    try:
        for epoch in another_bar(accountant.epochs(100)):
            train(accountant, clock, loss=1.0)
            assert epoch < 2
    except AssertionError:
        pass


def failing_again_where_it_deals_with_it(accountant, clock):
    try:
        for epoch in accountant.epochs(100):
            train(accountant, clock, loss=1.0)
            try:
                1 / (2 - epoch)
            except ZeroDivisionError as error:
                raise ValueError from error
    except ValueError:
        pass


@pytest.mark.parametrize(
    "leave",
    [
        at_the_top,
        within_the_batches,
        within_batches_of_their_own,
        before_the_validation,
        soon,
        zipping_the_other_way,
        interrupted,
        failing_in_a_call,
        failing_in_the_data,
        failing_behind_a_progress_bar,
        failing_again_where_it_deals_with_it,
    ],
)
def test_the_epoch_is_incomplete_where_the_loop_is_left_within_it(leave):
    accountant, clock = scripted()
    with accountant:
        leave(accountant, clock)
    assert epochs_of(accountant) == [*whole(2), (2, False)]


def test_the_epoch_is_incomplete_where_an_exception_leaves_the_run():
    accountant, clock = scripted()
    with pytest.raises(OSError, match="7"), accountant:  # noqa: PT012
        for epoch in accountant.epochs(100):
            train(accountant, clock, val_acc=1.0)
            if epoch == 1:
                raise OSError(7)
    assert epochs_of(accountant) == [(0, True), (1, False)]


def test_a_loop_that_is_held_by_a_name_is_ended_with_the_run_or_by_the_next():
    accountant, clock = scripted()
    with accountant:
        first = accountant.epochs(100)
        for _ in first:
            train(accountant, clock, loss=1.0)
            break
        for _ in accountant.epochs(2):
            train(accountant, clock, loss=1.0)
        last = accountant.epochs(3)
        for _ in last:
            train(accountant, clock, loss=1.0)
            break
        first.close()
    assert epochs_of(accountant) == whole(3)
    assert next(last, None) is None


def test_a_run_that_is_closed_within_its_loop_leaves_the_epoch_incomplete():
    accountant, clock = scripted()
    for _ in accountant.epochs(100):
        train(accountant, clock, loss=1.0)
        accountant.close()  # as a signal handler does
        break
    assert epochs_of(accountant) == [(0, False)]


def test_a_loop_that_is_held_by_a_name_is_broken_off_by_an_exception():
    accountant, clock = scripted()
    loop = accountant.epochs(100)
    with pytest.raises(KeyError), accountant:  # noqa: PT012
        for _ in loop:
            train(accountant, clock, loss=1.0)
            raise KeyError
    assert epochs_of(accountant) == [(0, False)]


def test_a_loop_that_the_collector_closes_later_changes_nothing():
    accountant, clock = scripted()
    with accountant:
        loop = accountant.epochs(100)
        next(loop)
        train(accountant, clock, loss=1.0)
        cycle = [loop]
        cycle.append(cycle)
        accountant.end_epoch()
        accountant.begin_epoch(1)
        clock.advance(SECONDS)
        del loop, cycle
        gc.collect()
        assert epochs_of(accountant) == whole(1)
        accountant.end_epoch()
    assert epochs_of(accountant) == whole(2)


def test_a_first_epoch_of_which_nothing_tells_counts_as_whole_and_that_is_said(caplog):
    accountant, clock = scripted()
    with accountant:
        for _ in accountant.epochs(100):
            clock.advance(SECONDS)
            break
        assert epochs_of(accountant) == whole(1)
    assert "which counts as whole. If it was not, call accountant.end_epoch(complete=False)" in caplog.text


@pytest.mark.parametrize(("seconds", "is_whole"), [(1.0, False), (SECONDS, True)])
def test_a_resumed_loop_knows_the_epochs_before(seconds, is_whole):
    first, clock = scripted(ledger="run.jsonl")
    for _ in first.epochs(2):
        clock.advance(SECONDS)
    first.close()
    second, clock = scripted(clock, ledger="run.jsonl")
    with second:
        for _ in second.epochs(100):
            clock.advance(seconds)
            break
    assert epochs_of(second) == [*whole(2), (2, is_whole)]
    assert not second.close().notices


def test_a_loop_that_was_left_goes_on_in_the_same_run_and_to_a_later_end():
    accountant, clock = scripted()
    done = []
    with accountant:
        for count in (3, 3, 5):
            for epoch in accountant.epochs(count):
                train(accountant, clock, loss=1.0)
                done.append(epoch)
                if epoch == 1:
                    break
    assert done == [0, 1, 2, 3, 4]
    assert epochs_of(accountant) == whole(5)


def test_a_loop_that_has_nothing_left_to_do_says_so(caplog):
    accountant, clock = scripted()
    with accountant:
        for _ in range(2):
            for _ in accountant.epochs(3):
                train(accountant, clock)
    assert len(accountant.history) == 3
    (said,) = accountant.close().notices
    assert said.startswith("epochs(3) has nothing left to do, because 3 epochs are recorded.")
    assert said in caplog.messages


@pytest.mark.parametrize("count", [None, -1, "10", 2.5])
def test_a_loop_over_what_is_no_number_of_epochs_is_refused_in_a_sentence(count):
    accountant, _ = scripted()
    with pytest.raises(ConfigurationError, match="epochs"):
        next(accountant.epochs(count))
    assert not accountant.is_live


def test_a_number_of_epochs_may_be_whole_and_a_float():
    accountant, _ = scripted()
    with accountant:
        assert list(accountant.epochs(2.0)) == [0, 1]


def test_an_epoch_that_was_ended_before_the_break_is_not_ended_again():
    accountant, clock = scripted()
    with accountant:
        for _ in accountant.epochs(3):
            train(accountant, clock, loss=1.0)
            accountant.end_epoch(complete=False)
            break
    assert epochs_of(accountant) == [(0, False)]


def test_an_epoch_that_a_budget_cut_short_stays_incomplete_where_the_loop_is_left():
    from green_callbacks import CarbonBudget

    accountant, clock = scripted(policies=[CarbonBudget(f"{15 * WATTS} J")])
    with accountant:
        for _ in accountant.epochs(3):
            for _ in accountant.steps(range(100)):
                clock.advance(1.0)
            accountant.observe({"loss": 1.0})
            if accountant.stop_reason:
                break
    assert epochs_of(accountant) == [(0, False)]


def test_a_loop_that_is_still_held_when_python_ends_raises_nothing(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "from support.runs import scripted\n"
        "accountant, clock = scripted(ledger='run.jsonl')\n"
        "loop = accountant.epochs(9)\n"
        "for _ in loop:\n"
        "    clock.advance(1.0)\n"
        "    break\n"
        "accountant.close()\n"
        "for _ in accountant.epochs(9):\n"
        "    pass\n"
        "held = accountant.epochs(20)\n"
        "next(held)\n",
        encoding="utf-8",
    )
    ended = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": PATH}
    )
    assert "Traceback" not in ended.stderr
    assert read_ledger("run.jsonl").history.finished_epochs == 9
