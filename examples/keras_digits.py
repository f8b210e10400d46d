"""Train a small convolutional network on handwritten digits with Keras, and stop when it no longer pays."""

import os
import time
from pathlib import Path

# Set before TensorFlow is imported, because it would report details of its kernels otherwise.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from green_callbacks import CarbonBudget, MarginalGain, Summary, TensorBoardSink
from green_callbacks.keras import EmissionsMonitor

LOGS = Path("logs")
MAX_EPOCHS = 60


def digit_classifier() -> keras.Model:
    """Return a network of two convolutions and a linear layer, for images of 8 by 8 pixels."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(16, 3, padding="same", activation="relu"),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.MaxPool2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    """Train, and print the energy and the emissions."""
    folder = LOGS / "keras" / time.strftime("%Y%m%d-%H%M%S")  # one folder per run, as TensorBoard needs
    keras.utils.set_random_seed(1)
    digits = load_digits()
    images = digits.images[..., None].astype("float32") / 16
    x, x_val, y, y_val = train_test_split(images, digits.target, test_size=0.2, random_state=1)
    monitor = EmissionsMonitor(
        location="DE",
        policies=[CarbonBudget("1 g"), MarginalGain("val_accuracy")],
        sinks=[TensorBoardSink(folder), Summary(print)],
        ledger=folder / "green-callbacks" / "ledger.jsonl",  # in the folder that project budgets and summaries search
    )
    digit_classifier().fit(
        x, y, validation_data=(x_val, y_val), epochs=MAX_EPOCHS, batch_size=32, callbacks=[monitor], verbose=0
    )
    print(f"\nTo see the charts, run: tensorboard --logdir {LOGS}")


if __name__ == "__main__":
    main()
