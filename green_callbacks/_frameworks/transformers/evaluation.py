"""Tells which evaluations belong to the loop of the trainer, and accounts the others."""

import inspect
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

from green_callbacks._frameworks.common.running_call import RunningCall
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.sinks import is_ours

_OF_THE_LOOP: Final = "_evaluate"
"""Method of the trainer by which its loop evaluates. Code of the user calls ``evaluate`` without it."""
_NO_QUALITY: Final = ("epoch", "step", "learning_rate", "num_tokens", "total_flos", "num_input_tokens_seen")
_NO_QUALITY_ENDS: Final = ("_runtime", "_per_second", "_num_tokens", "_epoch", "_time")
"""Ends of names that tell the time or the amount of an evaluation. They say nothing of the quality of the model."""
_NOT_WHOLE: Final = (
    "The Trainer reports the end of evaluate() and predict() only, so their first batch was not measured. Put the "
    "call into a block 'with monitor.accountant:' to measure all of it."
)
_CALLS: Final = ("evaluation_loop", "evaluate", "predict")
"""Functions that are on the stack during an evaluation."""


class Evaluation(NamedTuple):
    """An evaluation that has just ended.

    Attributes:
        is_of_loop: Whether the loop of the trainer has asked for it.
        is_last: Whether it is the last of the evaluation sets.
    """

    is_of_loop: bool
    is_last: bool


def present_evaluation() -> Evaluation:
    """Return which evaluation has just ended, from the stack, because the trainer does not tell its callbacks."""
    frame, is_last = inspect.currentframe(), True
    while frame is not None:
        name, known = frame.f_code.co_name, frame.f_locals if frame.f_code.co_name == "evaluate" else {}
        sets, one = known.get("eval_dataset"), known.get("eval_dataset_name")
        if isinstance(sets, Mapping) and one is not None:
            is_last = is_last and one == next(reversed(list(sets)), None)
        if name == _OF_THE_LOOP:
            return Evaluation(is_of_loop=True, is_last=is_last)
        frame = frame.f_back
    return Evaluation(is_of_loop=False, is_last=is_last)


def of_quality(metrics: Mapping[Any, Any] | None) -> dict[str, Any]:
    """Return the metrics that judge the model, without times, counts and the numbers of this package.

    Args:
        metrics: What the trainer reports, or None.
    """
    return {
        key: value
        for key, value in (metrics or {}).items()
        if isinstance(key, str)
        and key not in _NO_QUALITY
        and not key.endswith(_NO_QUALITY_ENDS)
        and not key.startswith("train_")
        and not is_ours(key)
    }


class OtherEvaluation:
    """An evaluation or prediction by code of the user, inside a training or outside.

    The trainer does not announce it. Its first batch is the first sign of it.

    Args:
        accountant: The accountant.
    """

    def __init__(self, accountant: EnergyAccountant) -> None:
        self._accountant = accountant
        self._phase: AbstractContextManager[None] | None = None
        self._has_started = False

    def begin(self, args: Any, *, is_inside: bool) -> None:
        """Begin the phase of the evaluation, after its first batch. Later batches of it change nothing.

        Args:
            args: The arguments of the training.
            is_inside: Whether a training with this accountant is going on.
        """
        if self._phase is not None and self._accountant.is_live:
            return
        if not is_inside and not self._accountant.is_live:
            call = RunningCall.innermost("transformers", _CALLS)
            self._accountant.start(folder=args.output_dir, is_running=call.is_running if call else None)
            self._accountant.warn("evaluation outside", _NOT_WHOLE)
            self._has_started = True
        self._phase = self._accountant.phase("validation" if is_inside else "test")

    def end(self) -> None:
        """End the phase, and a run that began for it."""
        phase, self._phase = self._phase, None
        if phase is not None:
            phase.__exit__(None, None, None)
        if self._has_started:
            self._has_started = False
            self._accountant.close()
