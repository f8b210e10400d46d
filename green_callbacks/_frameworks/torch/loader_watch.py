"""Looks at how long a Lightning trainer waits for its training loader.

The trainer reports each call of the loader to its profiler, and nothing else is between the two reports. Hooks are no
place to measure it, because between two batches the hooks of others run, and batches travel to the GPU.
"""

from typing import Any, Final

from green_callbacks._frameworks.torch.loader_draws import is_known
from green_callbacks.accountant.loops.data_waits import DataWaits

_FETCH: Final = "[_TrainingEpochLoop].train_dataloader_next"
"""The name by which the trainer reports a call of its training loader."""
_EMPTY: Final = "PassThroughProfiler"
"""The profiler of a trainer that profiles nothing."""


class LoaderWatch:
    """Takes the place of the profiler of a trainer that profiles nothing, for the time of a fit.

    A trainer with a profiler of the user keeps it, and its waits are unknown.
    """

    def __init__(self) -> None:
        self._waits: DataWaits | None = None
        self._trainer: Any = None
        self._before: Any = None

    def begin_epoch(self, trainer: Any, waits: DataWaits) -> None:
        """Begin an epoch. Look at the loader from the first epoch of a fit on.

        Args:
            trainer: The trainer.
            waits: Takes note of the waits.
        """
        self._waits = waits
        before: Any = getattr(trainer, "profiler", None)
        if self._trainer is None and type(before).__name__ == _EMPTY and is_known(type(before)):
            if "start" in vars(before):  # of another monitor
                return
            profiler: Any = type(before)()
            vars(profiler).update(vars(before), start=self.start, stop=self.stop)
            self._trainer, self._before = trainer, before
            trainer.profiler = profiler

    def end(self) -> None:
        """Give the trainer its profiler back. It may be called again."""
        trainer, before = self._trainer, self._before
        self._trainer = self._before = self._waits = None
        if trainer is not None and getattr(trainer.profiler, "start", None) == self.start:
            trainer.profiler = before

    def start(self, action_name: str) -> None:
        """Note that the trainer asks for a batch.

        Args:
            action_name: What begins, in the words of the trainer.
        """
        if action_name == _FETCH and self._waits is not None:
            self._waits.ask()

    def stop(self, action_name: str) -> None:
        """Note that the batch has arrived.

        Args:
            action_name: What ends, in the words of the trainer.
        """
        if action_name == _FETCH and self._waits is not None:
            self._waits.arrive()
