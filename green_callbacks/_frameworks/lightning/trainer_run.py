"""Which run of a Lightning trainer a hook belongs to: the one that a callback accounts, or one inside it."""

from contextlib import AbstractContextManager
from typing import Any, Final, Self

from green_callbacks._frameworks.common.running_call import RunningCall
from green_callbacks._frameworks.lightning.import_roots import root_of

_TUNERS: Final = ("BatchSizeFinder", "LearningRateFinder")
_ENTRY: Final = ("_call_and_handle_interrupt",)
_SPAWNED_ENTRIES: Final = ("_fit_impl", "_validate_impl", "_test_impl", "_predict_impl")
"""Functions of Lightning that are on the stack for as long as a run of a trainer lasts."""


class TrainerRun:
    """A run of a trainer that is under way: a fit, or a validation, test or predict run.

    Args:
        trainer: The trainer.
        stage: ``fit``, ``validate``, ``test`` or ``predict``.
        phase: What ends with it.
    """

    def __init__(self, trainer: Any, stage: str, phase: AbstractContextManager[None] | None = None) -> None:
        self.trainer = trainer
        self.stage = stage
        self.phase = phase
        root = root_of(trainer, "Trainer") or "lightning"
        self._call = RunningCall.innermost(root, _ENTRY) or RunningCall.innermost(root, _SPAWNED_ENTRIES)

    @property
    def is_running(self) -> bool:
        """Whether it still goes on: Lightning does not tell of every end, if a callback raises meanwhile."""
        return self._call is not None and self._call.is_running()


class FrontRow:
    """Moves a callback before those that search for a batch size or a learning rate, while these search.

    They search when a fit starts, before any other callback is told of it.

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
        """Move a callback if there is any search; return what moves it back."""
        searches = any(root_of(each, name) for each in trainer.callbacks for name in _TUNERS)
        return cls(trainer, callback) if searches else None

    def leave(self) -> None:
        """Move it back."""
        self._moves_to(self._place)

    def _moves_to(self, place: int) -> None:
        others = [each for each in self._trainer.callbacks if each is not self._callback]
        self._trainer.callbacks = [*others[:place], self._callback, *others[place:]]  # a new list: one is gone through
