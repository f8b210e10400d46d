"""The callback for the ``Trainer`` of Hugging Face Transformers, and for its subclasses, such as those of TRL.

>>> from green_callbacks.transformers import EmissionsMonitor
>>> callbacks = [EmissionsMonitor(location="DE")]

Pass it with ``Trainer(…, callbacks=callbacks)``. ``EmissionsCard`` adds the emissions to the model card of a trainer.
"""

from transformers.trainer_callback import TrainerCallback

from green_callbacks._frameworks.transformers.card import EmissionsCard
from green_callbacks._frameworks.transformers.hooks import TransformersHooks


class EmissionsMonitor(TransformersHooks, TrainerCallback):  # type: ignore[misc]  # transformers is not followed by mypy
    __doc__ = TransformersHooks.__doc__


__all__ = ["EmissionsCard", "EmissionsMonitor"]
