import pytest

from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import direction


@pytest.mark.parametrize(
    "name",
    ["loss", "val_loss", "valid/loss_epoch", "val_mse", "eval_perplexity", "WER", "error_rate", "dice_loss", "val_mae",
     "val_binary_crossentropy", "val_mean_squared_error", "kl_divergence", "train-nll"],
)  # fmt: skip
def test_less_is_better(name):
    assert direction(name, "auto") == "min"


@pytest.mark.parametrize(
    "name",
    ["val_acc", "accuracy", "val_f1", "val/f1_score", "BLEU", "bleu4", "mIoU", "auroc", "val_top5", "acc1", "mAP50",
     "val_sparse_categorical_accuracy", "r2", "rougeL", "cosine_similarity", "recall@10", "episode_reward"],
)  # fmt: skip
def test_more_is_better(name):
    assert direction(name, "auto") == "max"


def test_what_is_told_beats_the_name():
    assert direction("val_loss", "max") == "max"
    assert direction("quality", "min") == "min"


def test_a_name_that_says_nothing_asks_for_the_mode():
    with pytest.raises(ConfigurationError, match="mode='max' or mode='min'"):
        direction("quality", "auto")
