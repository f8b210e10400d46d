"""Averages the recent weights of a model that is trained with torch."""

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor

from green_callbacks.errors import ConfigurationError
from green_callbacks.text.log import get_logger
from green_callbacks.units import described, finite_number

_LEAST_BITS: Final = 32
"""Bits of the narrowest float that can hold an average. By experiment, an average in 16 bits stands still after a few
hundred updates, because each update is less than a rounding."""

logger = get_logger(__name__)


def recent_average(share: float = 0.1) -> "RecentAverage":
    """Return a function that averages the weights of the recent part of a run.

    The average follows the run, so there is no plan to know and no decay to tune. After ``n`` updates, the present
    weights count ``1 / (share * n)``, and the first ``1 / share`` updates copy the weights. The mean age of the
    averaged weights is ``share / (1 + share)`` of the updates so far, a little less than ``share``. With a share of 1,
    the average is the plain mean of all updates.

    Pass the function to Lightning's ``WeightAveraging``, or to ``AveragedModel`` in ``torch.optim.swa_utils``. Both
    take it as ``multi_avg_fn`` or as ``avg_fn``. The first needs fewer operations. Lightning has ``WeightAveraging``
    since 2.6. In a module for an older Lightning, keep an ``AveragedModel``, update it in ``on_train_batch_end``, and
    validate it.

    Beside ``WeightAveraging``, ``MarginalGain("val_acc", on_annealing="stop")`` judges the average, and the average is
    in the model after the fit.

    - On a GPU, write ``WeightAveraging(device="cuda", …)``. Otherwise, Lightning copies the weights to the CPU at each
      step.
    - Checkpoints hold the average, except for those with ``save_weights_only=True``.
    - ``trainer.test(ckpt_path=…)`` loads the last weights of a checkpoint instead, if the trainer has the callback. Use
      a trainer without it.
    - ``AveragedModel`` needs ``use_buffers=True``, to average the statistics of batch normalization. Lightning's
      callback has it by default. Whole numbers, such as counts of batches, are copied.
    - Weights in 16 bits cannot hold an average. A warning says so once.
    - The average of a model that still learns fast lags behind. Under a budget that ends a run early, it does not
      replace a learning rate that falls to zero.

    Args:
        share: How far back the average reaches, as a share of the updates so far. It is above 0 and at most 1. Defaults
            to 0.1.

    Returns:
        The function. It can be pickled.

    Raises:
        ConfigurationError: The share is no number above 0 and at most 1.

    Example:
        >>> import torch
        >>> from torch.optim.swa_utils import AveragedModel
        >>> from green_callbacks.torch import recent_average
        >>> model = torch.nn.Linear(4, 1)
        >>> averaged = AveragedModel(model, multi_avg_fn=recent_average(), use_buffers=True)
        >>> averaged.update_parameters(model)  # after each step of the optimizer
        >>> averaged.multi_avg_fn
        recent_average(share=0.1)
    """
    return RecentAverage(share)


class RecentAverage:
    """Averages tensors, as ``AveragedModel`` of torch asks for it.

    Args:
        share: How far back the average reaches, as a share of the updates so far.

    Raises:
        ConfigurationError: The share is no number above 0 and at most 1.
    """

    def __init__(self, share: float) -> None:
        self._share = _checked(share)
        self._is_warned = False

    def __repr__(self) -> str:
        return f"recent_average(share={self._share:g})"

    def __call__(
        self, averaged: Tensor | Sequence[Tensor], current: Tensor | Sequence[Tensor], num_averaged: Tensor | int
    ) -> Any:
        """Average one tensor, or change a list of averages in place.

        Args:
            averaged: The average so far, or a list of averages. The tensors of a list have the same type.
            current: The tensor of the model, or a list of tensors.
            num_averaged: Number of the updates before this one.

        Returns:
            The new average. None for a list.
        """
        if isinstance(averaged, Tensor):
            return self._averaged(averaged, current, num_averaged)
        weight = min(1.0, 1 / (self._share * (int(num_averaged) + 1)))
        for average, tensor in zip(averaged, current, strict=True):
            if self._has_mean(average):
                average.lerp_(tensor, weight)
            else:
                average.copy_(tensor)
        return None

    def _averaged(self, averaged: Tensor, current: Any, num_averaged: Tensor | int) -> Any:
        if not self._has_mean(averaged):
            return current
        # The count stays on its device. Reading it would make the CPU wait for the GPU once for each tensor.
        count = torch.as_tensor(num_averaged, device=averaged.device) + 1
        weight = (1 / (self._share * count)).clamp(max=1.0)
        return averaged.lerp(current, weight.to(averaged.dtype))

    def _has_mean(self, tensor: Tensor) -> bool:
        """Return whether a tensor can be averaged, and warn once if its numbers are too coarse."""
        if not tensor.is_floating_point():
            return tensor.is_complex()
        if not self._is_warned and torch.finfo(tensor.dtype).bits < _LEAST_BITS:
            self._is_warned = True
            logger.warning(
                "The weights are %s, in which an average stands still after a few hundred updates. Do not trust the "
                "averaged weights of this run. Keep the weights in float32, for example with precision='bf16-mixed'.",
                tensor.dtype,
            )
        return True


def _checked(share: object) -> float:
    try:
        number = finite_number(share)
    except ValueError:
        number = None
    if number is None or not 0 < number <= 1:
        msg = f"share is {described(share)}. Give a number above 0 and at most 1, such as 0.1."
        raise ConfigurationError(msg)
    return number
