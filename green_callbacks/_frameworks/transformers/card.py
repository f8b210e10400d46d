"""Adds the emissions of a run to the model card that Hugging Face's ``Trainer`` writes."""

from pathlib import Path
from typing import Any, Final

from green_callbacks._frameworks.transformers.hooks import TransformersHooks
from green_callbacks.errors import ConfigurationError
from green_callbacks.text.log import get_logger

_NOT_ADDED: Final = "The model card has no emissions. %s"
_CARD: Final = "README.md"

logger = get_logger(__name__)


class EmissionsCard:
    """Makes the model card of a ``Trainer`` state its emissions. List it before the trainer among the base classes.

    The card then has the entry ``co2_eq_emissions``, which the Hub shows. It is there before ``push_to_hub`` uploads
    the card. The trainer has no hook at that time, so a callback alone cannot add the entry. Trainers of TRL write
    their card with each checkpoint. Such a card states the emissions so far.

    Example:
        >>> from green_callbacks.transformers import EmissionsCard
        >>> class Trainer:  # of transformers or of TRL
        ...     pass
        >>> class TrainerWithCard(EmissionsCard, Trainer):
        ...     pass
        >>> callable(TrainerWithCard.create_model_card)
        True
    """

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write the card as the trainer does, and add the emissions of the run of its ``EmissionsMonitor``.

        Args:
            *args: Arguments of the trainer's own method.
            **kwargs: Likewise.
        """
        trainer: Any = self
        super().create_model_card(*args, **kwargs)  # type: ignore[misc]  # of the trainer, the next base class
        if trainer.is_world_process_zero():
            _add_emissions(trainer)


def _add_emissions(trainer: Any) -> None:
    """Add the emissions to the card of a trainer. A card without them is no reason to end a training."""
    from green_callbacks.analysis.totals import totals
    from green_callbacks.exports.model_card import co2_eq_emissions, write_card

    callbacks = trainer.callback_handler.callbacks
    monitor = next((each for each in callbacks if isinstance(each, TransformersHooks)), None)
    if monitor is None:
        logger.warning(_NOT_ADDED, "The trainer has no EmissionsMonitor. Add one to callbacks=[…].")
        return
    accountant = monitor.accountant
    run = totals(accountant.history, accountant.run_id, accountant.ledger, accountant.stop_reason)
    try:
        write_card(Path(trainer.args.output_dir, _CARD), co2_eq_emissions(run, accountant.history))
    except ConfigurationError as reason:
        logger.warning(_NOT_ADDED, reason)
