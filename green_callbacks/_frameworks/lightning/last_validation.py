"""The validation at the end of a landing, without which nobody would know what the landing has brought."""

from typing import Any

from green_callbacks._frameworks.lightning.trainer import least_that_wins
from green_callbacks.accountant import EnergyAccountant


class LastValidation:
    """Has a trainer validate after the last batch of a landing, even if it validates only every few epochs."""

    def __init__(self) -> None:
        self._every: int | None = None

    @staticmethod
    def is_due(trainer: Any, accountant: EnergyAccountant) -> bool:
        """Return whether the batch that has just ended is the last one of a landing that ends with this epoch.

        Args:
            trainer: The trainer.
            accountant: The accountant.
        """
        landing = accountant.landing
        return landing is not None and landing.last_epoch == trainer.current_epoch and bool(trainer.is_last_batch)

    def ask(self, trainer: Any) -> None:
        """Have the trainer validate in this epoch.

        Args:
            trainer: The trainer, after the last batch of a landing.
        """
        every = trainer.check_val_every_n_epoch
        if self._every is None and every is not None and every > 1 and least_that_wins(trainer) is None:
            self._every, trainer.check_val_every_n_epoch = every, 1

    def put_back(self, trainer: Any) -> None:
        """Give the trainer its own interval back.

        Args:
            trainer: The trainer.
        """
        if self._every is not None:
            trainer.check_val_every_n_epoch, self._every = self._every, None
