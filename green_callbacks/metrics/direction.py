"""Which way a metric improves, by its name."""

import re
from typing import Final, Literal

from green_callbacks.errors import ConfigurationError

Direction = Literal["max", "min"]
Mode = Literal["auto", "max", "min"]

_FALLING: Final = ("loss", "error", "err", "perplexity", "entropy", "crossentropy", "divergence", "distance")
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
    """Tell whether more or less of a metric is better.

    Args:
        monitor: Key of the metric, e.g. ``val_loss``.
        mode: ``max`` or ``min`` where it is known, ``auto`` to go by the name.

    Returns:
        ``max`` where more is better, ``min`` where less is.

    Raises:
        ConfigurationError: The mode is none of the three, or ``auto`` and the name says nothing.
    """
    if mode in ("max", "min"):
        return mode
    if mode != "auto":
        msg = f"mode is {mode!r}: write 'max', 'min' or 'auto'."
        raise ConfigurationError(msg)
    words = [word for word in re.split(r"[^a-z0-9]+", monitor.lower()) if word]
    # A loss built from a score, such as dice_loss, falls.
    if any(_matches(word, _FALLING, _FALLING_WORDS) for word in words):
        return "min"
    if any(_matches(word, _RISING, _RISING_WORDS) for word in words):
        return "max"
    msg = f"Cannot tell from its name whether more of {monitor!r} is better: write mode='max' or mode='min'."
    raise ConfigurationError(msg)


def _matches(word: str, endings: tuple[str, ...], words: frozenset[str]) -> bool:
    stem = word.rstrip("0123456789")
    return word.endswith(endings) or stem.endswith(endings) or word in words or stem in words
