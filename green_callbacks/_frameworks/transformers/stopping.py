"""Has Hugging Face's ``Trainer`` stop, evaluate and save."""

from typing import Any


def stop_training(args: Any, control: Any, *, is_inside: bool = False, is_evaluated: bool = False) -> None:
    """Have a trainer stop. Every rank calls this after the same step.

    A trainer that saves or evaluates every few steps is asked to do so now. One that does so after epochs does so after
    this one, too. A checkpoint comes after the evaluation, so that it holds the metrics.

    Args:
        args: The arguments of the training.
        control: The control of the trainer.
        is_inside: Whether the epoch is still open. Defaults to False.
        is_evaluated: Whether this step has had its evaluation. Defaults to False.
    """
    saves, evaluates = strategy_of(args.save_strategy), strategy_of(args.eval_strategy)
    control.should_training_stop = True
    if saves == "steps" and not (is_inside and evaluates == "epoch"):
        control.should_save = True
    if evaluates == "steps" and not is_evaluated:
        control.should_evaluate = True


def strategy_of(strategy: Any) -> str:
    """Return a strategy of the trainer as text, such as ``steps``.

    Args:
        strategy: A member of an enumeration of Transformers, or its value.
    """
    return str(getattr(strategy, "value", strategy))
