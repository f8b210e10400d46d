"""The validation at the end of a landing, without which nobody would know its gain, and the checkpoint."""

from typing import Any, Final

from green_callbacks._frameworks.lightning.trainer import least_that_wins
from green_callbacks.accountant import EnergyAccountant

_UNSAVED: Final = (
    "No checkpoint holds the landed weights, because ModelCheckpoint saves only every few epochs or steps. Call "
    "trainer.save_checkpoint(path) after the fit, or let ModelCheckpoint save every epoch."
)


class LastValidation:
    """Has a trainer validate after the last batch of a landing, even if it validates only every few epochs."""

    def __init__(self) -> None:
        self._every: int | None = None
        self.has_seen_one = False
        """Whether the trainer has validated before in this fit."""

    @staticmethod
    def is_due(trainer: Any, accountant: EnergyAccountant) -> bool:
        """Return whether the batch that has just ended is the last one of a landing that ends with this epoch.

        Args:
            trainer: The trainer.
            accountant: The accountant.
        """
        return bool(trainer.is_last_batch) and accountant.lands_with(trainer.current_epoch)

    def ask(self, trainer: Any, accountant: EnergyAccountant) -> None:
        """Have the trainer validate in this epoch. No budget has a reserve for a validation that it has never seen.

        Args:
            trainer: The trainer, after the last batch of a landing.
            accountant: The accountant.
        """
        every = trainer.check_val_every_n_epoch
        if accountant.lands_inside and not self.has_seen_one:
            return
        if self._every is None and every is not None and every > 1 and least_that_wins(trainer) is None:
            self._every, trainer.check_val_every_n_epoch = every, 1

    def put_back(self, trainer: Any) -> None:
        """Give the trainer its own interval back.

        Args:
            trainer: The trainer.
        """
        if self._every is not None:
            trainer.check_val_every_n_epoch, self._every = self._every, None


def say_unsaved(trainer: Any, accountant: EnergyAccountant) -> None:
    """Warn if the checkpoints of a trainer have missed the end of a landing. A checkpoint of the best epoch may do so.

    Args:
        trainer: The trainer, after its training.
        accountant: The accountant.
    """
    landing, step = accountant.landing, trainer.global_step
    if landing is None or accountant.stop_reason is None or not trainer.is_global_zero:
        return
    last_saved = [(each, getattr(each, "_last_global_step_saved", step)) for each in trainer.checkpoint_callbacks]
    is_saved = any(saved == step for _, saved in last_saved)
    if not is_saved and any(each.monitor is None for each, _ in last_saved):
        accountant.warn("landing unsaved", _UNSAVED)
