"""Train with Keras, judge the average of the recent weights, and keep this average when the rule stops the run."""

import keras
from keras_digits import digit_classifier
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from green_callbacks import MarginalGain
from green_callbacks.keras import EmissionsMonitor

MAX_EPOCHS = 60
BATCH_SIZE = 32


def main() -> None:
    """Train, and evaluate the averaged weights."""
    keras.utils.set_random_seed(1)
    digits = load_digits()
    images = digits.images[..., None].astype("float32") / 16
    x, x_val, y, y_val = train_test_split(images, digits.target, test_size=0.2, random_state=1)
    steps = MAX_EPOCHS * -(-len(x) // BATCH_SIZE)
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    # The mean age of the averaged weights is a twentieth of the plan.
    optimizer = keras.optimizers.Adam(schedule, use_ema=True, ema_momentum=1 - 20 / steps)
    model = digit_classifier()
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    # The average need not wait until the learning rate is zero.
    monitor = EmissionsMonitor(location="DE", policies=[MarginalGain("val_accuracy", on_annealing="stop")])
    # Without swap_on_epoch. With it, Keras leaves the last weights in the model when a rule stops the fit.
    average = keras.callbacks.SwapEMAWeights()
    history = model.fit(
        x,
        y,
        validation_data=(x_val, y_val),
        epochs=MAX_EPOCHS,
        batch_size=BATCH_SIZE,
        callbacks=[monitor, average],
        verbose=0,
    )
    print(f"{len(history.epoch)} of {MAX_EPOCHS} epochs. {monitor.accountant.stop_reason}")
    _, accuracy = model.evaluate(x_val, y_val, verbose=0)
    print(f"val_accuracy of the average, which is in the model now: {accuracy:.4f}")


if __name__ == "__main__":
    main()
