"""Looks at how long a trainer waits for data between two steps, where only hooks of its steps are known.

A GPU works through a queue, and copying a batch to it waits for the queue. So on a GPU only that part of the wait
counts in which the queue was empty, by the events of the GPU itself. Reading them waits for nothing.
"""

import sys
from collections.abc import Iterable
from types import FrameType
from typing import Any, Final

import torch

from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.loops.data_waits import DataWaits

_HOOKS: Final = ("on_step_end", "on_step_begin")
"""Hooks of callbacks that may lie between two steps of a trainer."""
_FIRST_HOOKS: Final = ("on_epoch_begin",)
"""Hooks of callbacks that may lie between the beginning of an epoch and its first step."""
_HANDLER: Final = "CallbackHandler"
"""The class that calls the hooks, and knows all callbacks."""
_OURS: Final = frozenset({"transformers", "green_callbacks"})
"""Packages whose hooks between two steps take no time."""
_DEVICES: Final = frozenset({"cpu", "cuda"})
"""Types of devices whose waits can be told from work. A copy to another device may wait for the device."""
_MILLISECONDS: Final = 1e3
"""Number of ms in a second."""

_Events = tuple[float, Any, Any]
"""A wait of the host in s, and the events of the GPU at its beginning and at its end."""


class StepWaits:
    """Takes note of the waits between the steps of a trainer.

    Args:
        guarded: Calls the driver of the GPU.
    """

    def __init__(self, guarded: Guarded) -> None:
        self._guarded = guarded
        self._waits: DataWaits | None = None
        self._state: Any = None
        self._is_gpu = False
        self._first: Any = None
        self._pending: _Events | None = None

    def begin_epoch(self, waits: DataWaits, args: Any, state: Any) -> None:
        """Begin an epoch. Call it from a hook of the trainer, which then asks for its first batch.

        Args:
            waits: Takes note of the waits.
            args: The arguments of the training, with its device.
            state: The state of the trainer, which tells one training from another.
        """
        kind = self._guarded.ask("The device of the training", lambda: args.device.type, None)
        self._pending, self._state = None, state
        callbacks = _callbacks(sys._getframe(1))  # noqa: SLF001  no hook tells of other callbacks
        is_seen = kind in _DEVICES and callbacks is not None and _are_quick(callbacks, _HOOKS)
        self._waits = waits if is_seen else None
        self._is_gpu = kind == "cuda"
        self.forget()
        if _are_quick(callbacks or (), _FIRST_HOOKS):
            self._ask()

    def end_step(self, state: Any, control: Any) -> None:
        """Note that a step has ended. The trainer asks for a batch now, unless it does something else before.

        Args:
            state: The state of the trainer.
            control: What the trainer is to do.
        """
        if state is not self._state:
            return
        self._settle()
        if control.should_log or control.should_evaluate or control.should_save:
            self.forget()
        else:
            self._ask()

    def begin_step(self, state: Any) -> None:
        """Note that a step begins, so that its batches have arrived.

        Args:
            state: The state of the trainer.
        """
        if self._waits is None or state is not self._state:
            return
        seconds, first = self._waits.waited(), self._first
        self._first = None
        if seconds is None or not self._is_gpu:
            self._waits.count(seconds)
            return
        event = self._event() if first is not None else None
        if event is None:
            self._waits.count(None)
        else:
            self._pending = (seconds, first, event)

    def forget(self) -> None:
        """Note that something else than the loader is at work."""
        self._first = None
        if self._waits is not None:
            self._waits.forget()

    def _ask(self) -> None:
        self._first = None
        if self._waits is not None and self._waits.ask() and self._is_gpu:
            self._first = self._event()

    def _settle(self) -> None:
        """Count the last wait, now that the GPU has told its part of it."""
        pending, self._pending = self._pending, None
        if pending is not None and self._waits is not None:
            seconds, first, last = pending
            idle = self._guarded.ask("An event of the GPU", lambda: _seconds_between(first, last), None)
            self._waits.count(None if idle is None else min(seconds, idle))

    def _event(self) -> Any:
        return self._guarded.ask("An event of the GPU", _recorded, None)


def _recorded() -> Any:
    event: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # of torch
    event.record()
    return event


def _seconds_between(first: Any, last: Any) -> float | None:
    return max(first.elapsed_time(last) / _MILLISECONDS, 0.0) if last.query() else None


def _callbacks(frame: FrameType | None) -> Iterable[object] | None:
    """Return all callbacks of a trainer. None if they are unknown.

    Args:
        frame: The frame of a hook.
    """
    while frame is not None:
        handler = frame.f_locals.get("self")
        if type(handler).__name__ == _HANDLER:
            return tuple(getattr(handler, "callbacks", ()))
        frame = frame.f_back
    return None


def _are_quick(callbacks: Iterable[object], names: Iterable[str]) -> bool:
    """Return whether no hook of a user is among the hooks of callbacks. It may belong to the object alone.

    Args:
        callbacks: The callbacks.
        names: Names of the hooks.
    """
    hooks = [getattr(each, name, None) for name in names for each in callbacks]
    return all(str(getattr(hook, "__module__", "")).partition(".")[0] in _OURS for hook in hooks)
