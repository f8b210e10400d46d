"""Trains small networks at random settings, and writes their learning curves for bench_pruners.py::

    python tests/benchmarks/searches/make_curves.py

The table has a line per training, with the accuracy after each epoch in thousandths. It takes about ten minutes.
"""

import csv
import random
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, make_classification
from sklearn.neural_network import MLPClassifier

TABLE = Path(__file__).with_name("curves.csv")
RUNS, EPOCHS = 60, 27


def digits(noise):
    """Return handwritten digits, of which a share is labeled at random."""
    found, draw = load_digits(), np.random.default_rng(1)
    x, y = found.data / 16, found.target.copy()
    wrong = draw.random(len(y)) < noise
    y[wrong] = draw.integers(0, 10, wrong.sum())
    return x, y


def clusters(classes, informative):
    return make_classification(
        2000, 30, n_informative=informative, n_redundant=5, n_classes=classes, n_clusters_per_class=3, random_state=1
    )


WORKLOADS = {
    "digits": lambda: digits(0.0),
    "noisy digits": lambda: digits(0.3),
    "four classes": lambda: clusters(4, 8),
    "ten classes": lambda: clusters(10, 15),
}


def settings(draw):
    """Return random settings, of which many are bad, as in a search."""
    return {
        "hidden_layer_sizes": (round(2 ** draw.uniform(2, 7)),) * draw.choice((1, 2)),
        "solver": draw.choice(("sgd", "adam")),
        "learning_rate_init": 10 ** draw.uniform(-4.5, 0),
        "batch_size": round(2 ** draw.uniform(4, 8)),
        "alpha": 10 ** draw.uniform(-6, 0),
    }


def train(x, y, chosen):
    """Return the accuracies on the validation and the test set after each epoch."""
    order = np.random.default_rng(2).permutation(len(x))
    parts = np.split(order, [int(0.6 * len(x)), int(0.8 * len(x))])
    model = MLPClassifier(**chosen, random_state=3)
    accuracies = []
    for _ in range(EPOCHS):
        try:
            model.partial_fit(x[parts[0]], y[parts[0]], classes=np.unique(y))
            accuracies.append([model.score(x[part], y[part]) for part in parts[1:]])
        except ValueError:  # the weights are no longer finite
            accuracies.append([1 / len(np.unique(y))] * 2)
    return zip(*accuracies, strict=True)


def main():
    warnings.simplefilter("ignore")
    with TABLE.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["workload", "run", "val", "test"])
        for name, data in WORKLOADS.items():
            draw = random.Random(name)
            x, y = data()
            for run in range(RUNS):
                curves = train(x, y, settings(draw))
                table.writerow([name, run, *(" ".join(str(round(1000 * each)) for each in curve) for curve in curves)])
            print(name, file=sys.stderr)


if __name__ == "__main__":
    main()
