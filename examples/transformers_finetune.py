"""Train a small transformer on handwritten digits with Hugging Face's Trainer, and stop when it no longer pays.

No model and no data are downloaded.
"""

from pathlib import Path
from typing import Any

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from transformers import EvalPrediction, Trainer, TrainingArguments, ViTConfig, ViTForImageClassification, set_seed

from green_callbacks import CarbonBudget, MarginalGain
from green_callbacks.transformers import EmissionsMonitor

OUTPUT = Path("finetuned")
EPOCHS = 25


def images() -> list[dict[str, Any]]:
    """Return the digits that ship with scikit-learn, as the trainer reads them."""
    digits = load_digits()
    pixels = (digits.images[:, None] / 16).astype("float32")
    return [{"pixel_values": image, "labels": label} for image, label in zip(pixels, digits.target, strict=True)]


def accuracy(prediction: EvalPrediction) -> dict[str, float]:
    """Return the share of the digits that were recognized."""
    correct = prediction.predictions.argmax(axis=-1) == prediction.label_ids
    return {"accuracy": float(correct.mean())}


def main() -> None:
    """Train, and print how it ended."""
    set_seed(0)
    config = ViTConfig(
        image_size=8,
        patch_size=2,
        num_channels=1,
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=96,
        num_labels=10,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    arguments = TrainingArguments(
        output_dir=str(OUTPUT),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=64,
        per_device_eval_batch_size=400,
        learning_rate=3e-3,
        lr_scheduler_type="constant",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )
    training, evaluation = train_test_split(images(), test_size=400, random_state=0)
    monitor = EmissionsMonitor(location="DE", policies=[CarbonBudget("5 g"), MarginalGain("eval_accuracy")])
    trainer = Trainer(
        ViTForImageClassification(config),
        arguments,
        train_dataset=training,
        eval_dataset=evaluation,
        compute_metrics=accuracy,
        callbacks=[monitor],
    )
    trainer.train()
    run = monitor.accountant.close()
    print(f"{run.epochs} of {EPOCHS} epochs. {run.stop_reason}")
    print(f"eval_accuracy: {monitor.accountant.history.metric('eval_accuracy').values[-1]:.3f}")
    print(f"The records are in {run.ledger}.")


if __name__ == "__main__":
    main()
