"""Loops over epochs and batches."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from green_callbacks.accountant.loops.epoch_completeness import Traces
from green_callbacks.accountant.loops.loop_exit import askers_of, how_left
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Plan

if TYPE_CHECKING:
    from green_callbacks.accountant.energy_accountant import EnergyAccountant
    from green_callbacks.accountant.run.run import Run

Batch = TypeVar("Batch")

_OUTSIDE: Final = (
    "accountant.steps() goes through batches outside of an epoch, where no policy is asked. Put it into a loop over "
    "accountant.epochs(n), or between begin_epoch() and end_epoch()."
)


def each_epoch(accountant: "EnergyAccountant", run_of: Callable[[], "Run | None"], count: int) -> Iterator[int]:
    """Go through epochs, as :meth:`EnergyAccountant.epochs` describes.

    Args:
        accountant: The accountant.
        run_of: Returns its run.
        count: Number of epochs of the whole run.

    Yields:
        The index of the epoch.

    Raises:
        ConfigurationError: The number of epochs is not a whole number above 0.
    """
    for epoch in _epochs_to_do(accountant, run_of, count):
        accountant.begin_epoch(epoch)
        run, thread = run_of(), threading.get_ident()
        traces = run.epochs.completeness.traces if run else Traces()
        handled, askers = sys.exception(), askers_of(sys._getframe().f_back)  # noqa: SLF001  nobody else knows who asks
        traces.askers = askers
        try:
            yield epoch
        except GeneratorExit as leaving:
            # On another thread this is the garbage collector, long after the loop.
            if run is not None and run.epochs.completeness.traces is traces and thread == threading.get_ident():
                is_handling = leaving.__context__ is not handled
                how = "broke off" if is_handling else how_left(sys._getframe().f_back, askers)  # noqa: SLF001
                _end_left(run, how)
            raise
        if run is None or run is not run_of() or run.epochs.is_open:  # the body may have ended it, before it saves
            accountant.end_epoch()
        if accountant.stop_reason is not None:
            return


def _epochs_to_do(accountant: "EnergyAccountant", run_of: Callable[[], "Run | None"], count: int) -> range:
    """Start the run, and return the epochs that are not recorded yet."""
    plan = Plan(epochs=count)
    if plan.epochs is None:
        msg = (
            "epochs() takes the number of epochs of the whole run, such as epochs(100). Where there is none, call "
            "begin_epoch() and end_epoch() around each epoch, and leave the loop when stop_reason is not None."
        )
        raise ConfigurationError(msg)
    accountant.start(plan=plan)
    accountant.expect(plan)
    run = run_of()
    if run is not None:
        run.epochs.end_left()  # a loop that a name still holds was not closed when it was left
        accountant.meet_others()
        run = run_of()
    last = run.epochs.agreed_last() if run is not None and run.is_live else accountant.history.last_epoch
    to_do = range(0 if last is None else last + 1, int(plan.epochs))
    if not to_do:
        accountant.warn(
            "no epochs",
            "epochs(%d) has nothing left to do, because %d epochs are recorded. Ask for more, or make a new accountant "
            "for another training.",
            to_do.stop,
            to_do.start,
        )
    return to_do


def _end_left(run: "Run", how: Literal["left", "broke off", "unknown"]) -> None:
    """End the open epoch if its loop was left. After an exception, the epoch stays open."""
    if how == "broke off":
        run.epochs.completeness.traces.askers = None
        run.epochs.leave_landing()
    elif how == "left":
        run.epochs.end_left(is_certain=True)


def each_step(
    accountant: "EnergyAccountant", run_of: Callable[[], "Run | None"], batches: Iterable[Batch]
) -> Iterator[Batch]:
    """Go through the batches of an epoch, as :meth:`EnergyAccountant.steps` describes.

    Args:
        accountant: The accountant.
        run_of: Returns its run.
        batches: The training data.

    Yields:
        The batches.
    """
    run = run_of()
    if run is not None and run.epochs.is_open and not run.epochs.is_training:
        yield from _each_other(accountant, batches)
        return
    done = run.steps_done if run else 0
    if run is None or not run.epochs.is_open:
        accountant.warn("steps outside", _OUTSIDE)
    else:
        run.epochs.begin_steps(done)
    traces = run.epochs.completeness.traces if run else Traces()
    traces.is_in_steps = True
    if accountant.may_land:
        accountant.at_step(done)
    watched = run.epochs.waits.watched(batches) if run and run.epochs.is_open else batches
    for number, batch in enumerate(watched, start=1):
        yield batch
        traces.steps += 1
        accountant.observe(step=done + number)
        if accountant.may_land and accountant.stop_reason is not None:  # a landing is over
            return
        if accountant.end_step():
            accountant.end_part()
            if accountant.stop_reason is not None:
                return
        if accountant.look():
            return
    traces.is_in_steps = False


def _each_other(accountant: "EnergyAccountant", batches: Iterable[Batch]) -> Iterator[Batch]:
    """Go through the batches of a validation, which are no optimizer steps, until a budget ends the run."""
    for batch in batches:
        yield batch
        if accountant.look():
            return
