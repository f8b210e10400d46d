"""Detects which run of a Lightning trainer a hook belongs to, because a run may contain other runs."""

from contextlib import AbstractContextManager
from typing import Any, Final, Self

from green_callbacks._frameworks.common.running_call import RunningCall
from green_callbacks._frameworks.lightning.import_roots import root_of

_TUNERS: Final = ("BatchSizeFinder", "LearningRateFinder")
_ENTRY: Final = ("_call_and_handle_interrupt",)
_SPAWNED_ENTRIES: Final = ("_fit_impl", "_validate_impl", "_test_impl", "_predict_impl")
"""Functions of Lightning that are on the stack during the whole run of a trainer."""
_MADE: Final = "trainer_fn"
"""A variable of the entry, for which each run makes a bound method. A later run's frame may have the same address."""


class TrainerRun:
    """A running fit, or a running validation, test or predict run, of a trainer.

    Args:
        trainer: The trainer.
        stage: ``fit``, ``validate``, ``test`` or ``predict``.
        phase: The phase of the accountant that ends with the run. Defaults to None.
    """

    def __init__(self, trainer: Any, stage: str, phase: AbstractContextManager[None] | None = None) -> None:
        self.trainer = trainer
        self.stage = stage
        self.phase = phase
        root = root_of(trainer, "Trainer") or "lightning"
        entry = RunningCall.innermost(root, _ENTRY, made=_MADE)
        self._call = entry or RunningCall.innermost(root, _SPAWNED_ENTRIES)

    @property
    def is_running(self) -> bool:
        """Whether the run is still running. Lightning does not report its end if a callback raises."""
        return self._call is not None and self._call.is_running()


class FirstPlace:
    """Moves a callback before the callbacks that search for a batch size or a learning rate, during their search.

    They search at the start of a fit, before Lightning calls the callbacks after them.

    Args:
        trainer: The trainer.
        callback: The callback.
    """

    def __init__(self, trainer: Any, callback: Any) -> None:
        self._trainer = trainer
        self._callback = callback
        self._place = next(at for at, each in enumerate(trainer.callbacks) if each is callback)
        self._moves_to(0)

    @classmethod
    def where_needed(cls, trainer: Any, callback: Any) -> Self | None:
        """Move a callback if there is a search. Return the object that moves it back, or None."""
        searches = any(root_of(each, name) for each in trainer.callbacks for name in _TUNERS)
        return cls(trainer, callback) if searches else None

    def leave(self) -> None:
        """Move the callback back."""
        self._moves_to(self._place)

    def _moves_to(self, place: int) -> None:
        others = [each for each in self._trainer.callbacks if each is not self._callback]
        self._trainer.callbacks = [
            *others[:place],
            self._callback,
            *others[place:],
        ]  # a new list, because Lightning is iterating over the old list
