"""Samples are counted where they are certain, and nowhere else."""

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.backend

X = np.ones((20, 4), "float32")
Y = X[:, :1]


class StopAt(keras.callbacks.Callback):
    """Stops the training after some batches of its first epoch."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = batch + 1 == self.batches


class Evaluates(keras.callbacks.Callback):
    """Evaluates inside the epoch, which resets the mean of the loss."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            self.model.evaluate(X[:5], Y[:5], verbose=0)


@pytest.fixture
def samples_of(monitor_of, model_of, passing):
    """Fit a model to data; return the samples that were recorded of every epoch."""

    def run(*data, model=None, callbacks=(), **options):
        monitor = monitor_of()
        options = {"epochs": 2, "verbose": 0, "shuffle": False, **options}
        others = [passing, *callbacks] if callbacks is not None else []
        (model or model_of()).fit(*data, callbacks=[monitor, *others], **options)
        return [record.samples for record in monitor.accountant.history]

    return run


def own_step_of(steps):
    class Own(keras.Sequential):
        def train_step(self, *arguments):
            for _ in range(steps):
                answer = super().train_step(*arguments)
            return answer

    model = Own([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_arrays_are_counted(samples_of):
    assert samples_of(X, Y, batch_size=8) == [20, 20]
    assert samples_of(X, Y, batch_size=8, validation_split=0.5) == [10, 10]
    assert samples_of(X, Y, batch_size=5, sample_weight=np.full(20, 0.5)) == [20, 20]


def test_arrays_are_counted_whatever_the_step_does(samples_of):
    assert samples_of(X, Y, batch_size=8, model=own_step_of(2)) == [20, 20]


def test_an_evaluation_inside_the_epoch_changes_nothing(samples_of):
    assert samples_of(X, Y, batch_size=8, callbacks=[Evaluates()]) == [20, 20]


def test_an_epoch_that_is_cut_short_is_counted_to_there(samples_of):
    assert samples_of(X, Y, batch_size=8, callbacks=[StopAt(2)]) == [16]


def test_steps_of_an_epoch_that_are_given_are_counted(samples_of):
    assert samples_of(X, Y, batch_size=5, steps_per_epoch=2) == [10, 10]


@pytest.mark.parametrize(
    "options",
    [
        {"callbacks": [Evaluates()], "steps_per_epoch": 3},
        {"callbacks": [StopAt(3), Evaluates()]},
        {"model": 2, "steps_per_epoch": 2},
    ],
    ids=["reset in steps", "reset and cut short", "own step"],
)
def test_what_does_not_fit_the_batches_is_not_taken_for_it(samples_of, options):
    if "model" in options:
        options = {**options, "model": own_step_of(options["model"])}
    assert samples_of(X, Y, batch_size=4, epochs=1, **{k: v for k, v in options.items() if k != "epochs"}) == [None]


def test_what_a_dataset_of_the_users_own_hands_out_is_not_known(samples_of):
    class Graphs(keras.utils.PyDataset):
        """One graph a batch: its nodes are no samples."""

        def __len__(self):
            return 3

        def __getitem__(self, index):
            return np.ones((5 + index, 4), "float32"), np.ones((5 + index, 1), "float32")

    assert samples_of(Graphs()) == [None, None]


@pytest.mark.parametrize(("drop_last", "expected"), [(False, 20), (True, 16)])
def test_a_loader_of_torch_is_counted_by_its_sampler(samples_of, drop_last, expected):
    data = pytest.importorskip("torch.utils.data")
    torch = pytest.importorskip("torch")
    pairs = data.TensorDataset(torch.ones(20, 4), torch.ones(20, 1))

    assert samples_of(data.DataLoader(pairs, batch_size=8, drop_last=drop_last)) == [expected] * 2
    half = data.SubsetRandomSampler(range(10))
    assert samples_of(data.DataLoader(pairs, batch_size=5, sampler=half)) == [10, 10]


def test_a_pipeline_is_counted_by_its_batches(samples_of):
    tf = pytest.importorskip("tensorflow")
    pairs = tf.data.Dataset.from_tensor_slices((X, Y))

    assert samples_of(pairs.batch(8), callbacks=None) == [20, 20]
    assert samples_of(pairs.batch(8)) == [None, None], "another callback may have evaluated the model"
    assert samples_of(pairs.shuffle(20).batch(8, drop_remainder=True).prefetch(1)) == [16, 16]
    assert samples_of(pairs.repeat().batch(8), steps_per_epoch=2) == [16, 16]
    halved = pairs.batch(8).map(lambda x, y: (x[:2], y[:2]))
    assert samples_of(halved, callbacks=None) == [None, None], "who changes a batch after it is made may do anything"
