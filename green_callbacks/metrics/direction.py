"""The direction in which a metric improves, by its name.

Example:
    >>> mode: Mode = "auto"
    >>> best: Direction = direction("val_loss", mode)
    >>> best
    'min'
"""

import re
from typing import Final, Literal

from green_callbacks.errors import ConfigurationError

Direction = Literal["max", "min"]
"""``max`` where more of a metric is better, ``min`` where less is better."""

Mode = Literal["auto", "max", "min"]
"""A direction, or ``auto`` to derive it from the name of the metric."""

# A metric improves downwards if a word of its name ends with one of these.
_FALLING: Final = ("loss", "error", "err", "perplexity", "entropy", "crossentropy", "divergence", "distance")
# A metric improves upwards if a word of its name ends with one of these.
_RISING: Final = (
    "accuracy",
    "acc",
    "auc",
    "auroc",
    "precision",
    "recall",
    "similarity",
    "iou",
    "bleu",
    "dice",
    "score",
)
# Short names and abbreviations count only as whole words.
# fmt: off
_FALLING_WORDS: Final = frozenset({
    "bce", "bpb", "bpc", "brier", "ce", "cer", "ece", "eer", "epe", "fid", "hinge", "kl", "kld",
    "lpips", "mae", "mape", "mse", "msle", "nll", "poisson", "ppl", "rmse", "ter", "wer",
})
_RISING_WORDS: Final = frozenset({
    "ap", "auprc", "chrf", "cider", "correlation", "f", "f1", "fbeta", "jaccard", "kappa", "map", "mcc", "meteor",
    "mrr", "ndcg", "pearson", "psnr", "r2", "return", "reward", "rouge", "rougel", "sensitivity", "spearman",
    "specificity", "ssim", "top",
})
# fmt: on


def direction(monitor: str, mode: Mode) -> Direction:
    """Return whether more or less of a metric is better.

    Args:
        monitor: Key of the metric, e.g. ``val_loss``.
        mode: ``max`` or ``min`` if it is known, ``auto`` to derive it from the name.

    Returns:
        ``max`` where more is better, ``min`` where less is better.

    Raises:
        ConfigurationError: The mode is unknown, or the mode is ``auto`` and the name does not imply a direction.

    Example:
        >>> direction("val_accuracy", "auto"), direction("val_accuracy", "min")
        ('max', 'min')
    """
    if mode in ("max", "min"):
        return mode
    if mode != "auto":
        msg = f"mode is {mode!r}. Write 'max', 'min' or 'auto'."
        raise ConfigurationError(msg)
    words = [word for word in re.split(r"[^a-z0-9]+", monitor.lower()) if word]
    # Falling names come first, because a loss that is built from a score falls (dice_loss).
    if any(_matches(word, _FALLING, _FALLING_WORDS) for word in words):
        return "min"
    if any(_matches(word, _RISING, _RISING_WORDS) for word in words):
        return "max"
    msg = f"The name of {monitor!r} does not say whether more of it is better. Write mode='max' or mode='min'."
    raise ConfigurationError(msg)


def _matches(word: str, endings: tuple[str, ...], words: frozenset[str]) -> bool:
    stem = word.rstrip("0123456789")
    return word.endswith(endings) or stem.endswith(endings) or word in words or stem in words
