import copy
import logging
import resource
from pathlib import Path

import keras
import numpy as np
import pytest
from support.disk import largest_file

from green_callbacks import CarbonBudget, Summary, read_ledger
from green_callbacks.errors import ConfigurationError
from green_callbacks.keras import EmissionsMonitor, FrontCheckpoint

SCORES = (0.1, 0.5, 0.4, 0.8, 0.85, 0.86, 0.87, 0.88)
EPOCH_KG = 300.0 * (3 * 1.0 + 2 * 0.5) / 3.6e6


class Scripted(keras.callbacks.Callback):
    """Sets the weights so that the validation finds one score after the other."""

    def __init__(self, scores=SCORES):
        super().__init__()
        self.scores = scores

    def on_test_begin(self, logs=None):
        weight = np.zeros((4, 1), "float32")
        weight[0, 0] = self.scores[self.epoch]
        self.model.layers[-1].set_weights([weight, np.zeros(1, "float32")])

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch


@pytest.fixture
def learn(fit, model_of, monkeypatch, tmp_path):
    """Fit a model whose ``val_mean`` goes through the scores: it is fed ones, and answers its weight."""
    monkeypatch.chdir(tmp_path)

    def run(monitor, *others, scores=SCORES, **options):
        x = np.zeros((10, 4), "float32")
        x[:, 0] = 1.0
        options = {"validation_data": (x, np.zeros((10, 1))), "epochs": len(scores), **options}
        model = options.pop("model", None) or model_of(metrics=[mean])
        return fit(monitor, model=model, before=[Scripted(scores)], after=others, **options)

    return run


@keras.saving.register_keras_serializable("tests")
def mean(y_true, y_pred):
    return keras.ops.mean(y_pred, axis=-1)


def epochs_of(checkpoint):
    return [point.epoch for point in checkpoint.points.values()]


def files(folder):
    return sorted(str(path) for path in Path(folder).rglob("*") if path.suffix in {".keras", ".h5"})


def warnings_in(caplog):
    ours = (record for record in caplog.records if record.name.startswith("green_callbacks"))
    return [record.getMessage() for record in ours if record.levelno >= logging.WARNING]


def front(**options):
    return FrontCheckpoint("val_mean", **{"mode": "max", **options})


@pytest.mark.backend
def test_the_best_the_knee_and_points_between_are_kept(learn, monitor_of, tmp_path):
    monitor, checkpoint = monitor_of(), front(keep=3)

    learn(monitor, checkpoint)

    folder = tmp_path / "green-callbacks" / monitor.accountant.run_id / "checkpoints"
    assert list(checkpoint.points) == [
        str(folder / "front-epoch=1-val_mean=0.5-kg=0.000667.keras"),
        str(folder / "front-epoch=3-val_mean=0.8-kg=0.00133.keras"),
        str(folder / "front-epoch=7-val_mean=0.88-kg=0.00267.keras"),
    ]
    assert files(tmp_path) == sorted(checkpoint.points)
    assert checkpoint.best_model_path == list(checkpoint.points)[-1]


@pytest.mark.backend
def test_every_file_holds_the_metric_that_it_claims(learn, monitor_of, tmp_path):
    checkpoint = front(dirpath=tmp_path / "kept")

    learn(monitor_of(), checkpoint)

    x = np.zeros((10, 4), "float32")
    x[:, 0] = 1.0
    assert len(checkpoint.points) == 5
    for path, point in checkpoint.points.items():
        found = keras.saving.load_model(path).evaluate(x, np.zeros((10, 1)), verbose=0, return_dict=True)
        assert found["mean"] == pytest.approx(point.value) == pytest.approx(SCORES[point.epoch])
        assert point.kg == pytest.approx((point.epoch + 1) * EPOCH_KG)


@pytest.mark.backend
def test_weights_alone_are_enough_for_a_model_that_cannot_be_saved(learn, monitor_of, model_of, tmp_path):
    checkpoint = front(keep=1, save_weights_only=True)

    learn(monitor_of(), checkpoint)

    assert files(tmp_path) == [checkpoint.best_model_path]
    assert checkpoint.best_model_path.endswith("-val_mean=0.88-kg=0.00267.weights.h5")
    model = model_of()
    model.load_weights(checkpoint.best_model_path)
    assert model.get_weights()[0][0, 0] == pytest.approx(0.88)


def test_the_summary_names_the_file_of_every_point(learn, monitor_of, tmp_path):
    texts = []
    monitor = monitor_of(sinks=[Summary(texts.append)], ledger=tmp_path / "run.jsonl")

    learn(monitor, front(keep=3, dirpath="kept"))

    assert (
        "On the way val_mean 0.5000 at 667 mg (epoch 1, kept/front-epoch=1-val_mean=0.5-kg=0.000667.keras), "
        "0.8000 at 1.33 g (epoch 3, the knee, kept/front-epoch=3-val_mean=0.8-kg=0.00133.keras), "
        "0.8800 at 2.67 g (epoch 7, kept/front-epoch=7-val_mean=0.88-kg=0.00267.keras)."
    ) in " ".join(texts[0].split())
    contents = read_ledger(tmp_path / "run.jsonl")
    assert (contents.monitor, contents.mode) == ("val_mean", "max")
    assert sorted(contents.checkpoints["val_mean"].rows) == files(tmp_path)


def test_a_loss_is_better_when_it_is_lower(learn, monitor_of):
    checkpoint = FrontCheckpoint("val_loss", keep=2)

    learn(monitor_of(), checkpoint, scores=(0.9, 0.5, 0.6, 0.1))

    assert epochs_of(checkpoint) == [1, 3]


def test_only_epochs_with_a_validation_can_be_points(learn, monitor_of):
    checkpoint = front()

    learn(monitor_of(), checkpoint, validation_freq=3)

    assert epochs_of(checkpoint) == [2, 5]


def test_a_run_that_goes_on_by_its_ledger_goes_on_with_its_files(learn, monitor_of, tmp_path):
    ledger, first, second = tmp_path / "run.jsonl", front(keep=3), front(keep=3)
    learn(monitor_of(ledger=ledger), first, epochs=4)

    learn(monitor_of(ledger=ledger), second, initial_epoch=4)

    assert epochs_of(first) == [0, 1, 3]
    assert epochs_of(second) == [1, 3, 7]
    assert files(tmp_path) == sorted(second.points)


def test_a_run_that_does_epochs_again_leaves_their_files_alone(learn, monitor_of, tmp_path):
    ledger, first, second = tmp_path / "run.jsonl", front(keep=1), front(keep=1)
    learn(monitor_of(ledger=ledger), first)

    learn(monitor_of(ledger=ledger), second, scores=(0.1, 0.2), epochs=2)

    assert files(tmp_path) == sorted([*first.points, *second.points])


def test_a_second_fit_and_another_run_overwrite_nothing(learn, monitor_of, tmp_path):
    monitor, checkpoint = monitor_of(), front(dirpath=tmp_path)
    learn(monitor, checkpoint, scores=(0.5, 0.6))
    learn(monitor, checkpoint, scores=(0.4, 0.9))
    other = front(dirpath=tmp_path)
    learn(monitor_of(), other, scores=(0.5,))

    assert epochs_of(checkpoint) == [0, 1, 1]
    assert other.best_model_path.endswith("front-epoch=0-val_mean=0.5-kg=0.000333-v1.keras")
    assert files(tmp_path) == sorted([*checkpoint.points, *other.points])


def test_a_policys_stop_leaves_the_model_of_its_last_epoch(learn, monitor_of):
    checkpoint = front()

    learn(monitor_of(policies=[CarbonBudget("3 kJ")]), checkpoint)

    assert epochs_of(checkpoint) == [0, 1]


def test_a_metric_that_is_missing_is_named_with_those_there_are(learn, monitor_of, caplog, tmp_path):
    learn(monitor_of(), FrontCheckpoint("val_accuracy"), scores=(0.5, 0.6))

    (said,) = warnings_in(caplog)
    assert said.startswith("FrontCheckpoint watches the metric 'val_accuracy' and cannot act so far: ")
    assert "val_mean" in said
    assert files(tmp_path) == []


def test_a_full_disk_is_one_warning_and_training_goes_on(learn, monitor_of, caplog, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    class Full(keras.callbacks.Callback):
        """The disk is full from epoch 3 on, and has room again in the last."""

        def on_epoch_begin(self, epoch, logs=None):
            resource.setrlimit(resource.RLIMIT_FSIZE, (64 if 2 < epoch < 7 else soft, hard))

    checkpoint = front(keep=3)
    with largest_file(soft):
        logs = learn(monitor_of(), Full(), checkpoint)

    (said,) = warnings_in(caplog)
    assert "front-epoch=3-val_mean=0.8-kg=0.00133.keras could not be saved" in said
    assert "Free the disk, or name another folder with dirpath=" in said
    assert len(logs.epoch) == 8
    assert epochs_of(checkpoint) == [0, 1, 7]
    assert files(tmp_path) == sorted(checkpoint.points), "and nothing is left of those that failed"


@pytest.mark.backend
def test_a_model_that_cannot_be_saved_whole_is_one_warning_with_the_remedy(monitor_of, passing, data, caplog):
    class Odd(keras.Model):
        def __init__(self, function):
            super().__init__()
            self.layer = keras.layers.Dense(1)

        def call(self, x):
            return self.layer(x)

    model = Odd(lambda: 0)
    model.compile("sgd", "mse")
    checkpoint = FrontCheckpoint("val_loss")
    model.fit(*data, validation_data=data, epochs=2, callbacks=[monitor_of(), passing, checkpoint], verbose=0)

    (said,) = warnings_in(caplog)
    assert "save_weights_only=True" in said
    assert "Free the disk" not in said
    assert "\\n" not in said
    assert not checkpoint.points


def test_a_file_that_cannot_be_removed_is_one_warning(learn, monitor_of, caplog, monkeypatch):
    def refuse(*_, **__):
        msg = "read-only"
        raise PermissionError(msg)

    checkpoint = front(keep=1)
    monkeypatch.setattr(Path, "unlink", refuse)
    learn(monitor_of(), checkpoint)

    (said,) = warnings_in(caplog)
    assert "PermissionError: read-only" in said
    assert epochs_of(checkpoint) == [7]


def test_a_model_that_cannot_be_saved_is_one_warning(learn, monitor_of, caplog, monkeypatch):
    def refuse(self, *_, **__):
        msg = "no get_config"
        raise NotImplementedError(msg)

    monkeypatch.setattr(keras.Model, "save", refuse)
    checkpoint = front()
    learn(monitor_of(), checkpoint)

    (said,) = warnings_in(caplog)
    assert "NotImplementedError: no get_config" in said
    assert checkpoint.best_model_path == ""


@pytest.mark.parametrize("callbacks", [[], ["after"]])
def test_without_a_monitor_before_it_there_is_no_fit(monitor_of, model_of, passing, data, clock, callbacks):
    after = [monitor_of() for _ in callbacks]
    model_of().fit(*data, callbacks=[monitor_of(), passing], verbose=0)  # of another fit
    before = clock.monotonic()

    with pytest.raises(ConfigurationError, match=r"none stands before it\. Write callbacks="):
        model_of().fit(*data, callbacks=[front(), *after, passing], verbose=0)

    assert clock.monotonic() == before


def test_a_monitor_of_a_fit_that_was_cut_short_is_none(learn, monitor_of, model_of, data):
    def interrupt(*_):
        raise KeyboardInterrupt

    model, monitor = model_of(metrics=[mean]), monitor_of()
    with pytest.raises(KeyboardInterrupt):
        learn(monitor, front(), keras.callbacks.LambdaCallback(on_epoch_end=interrupt), model=model)

    with pytest.raises(ConfigurationError, match="none stands before it"):
        model.fit(*data, callbacks=[front()], verbose=0)


@pytest.mark.parametrize("options", [{"monitor": "val_x"}, {"mode": "up"}, {"keep": 0}, {"keep": None}])
def test_options_that_cannot_work_are_refused_at_once(options):
    with pytest.raises(ConfigurationError):
        FrontCheckpoint(**{"monitor": "val_acc", **options})


def test_a_run_that_is_closed_meanwhile_is_left_alone(learn, monitor_of, tmp_path):
    class Close(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            monitor.accountant.close()

    monitor = monitor_of()
    learn(monitor, Close(), front())

    assert files(tmp_path) == []


def test_a_copy_leaves_the_model_behind(learn, monitor_of):
    checkpoint = front()
    learn(monitor_of(), checkpoint, scores=(0.5,))

    other = copy.deepcopy(checkpoint)

    assert other.model is None
    assert other.points == checkpoint.points


def test_it_needs_no_option_of_the_monitor(model_of, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monitor, checkpoint = EmissionsMonitor(), FrontCheckpoint("val_loss")

    model_of().fit(*data, validation_data=data, callbacks=[monitor, checkpoint], verbose=0)

    assert files(tmp_path) == [checkpoint.best_model_path]


@pytest.mark.parametrize("folder", ["s3://bucket/front", "gs://bucket/front", 7])
def test_a_folder_that_is_none_of_this_machine_is_refused(folder):
    with pytest.raises(ConfigurationError, match="Pass a local folder"):
        front(dirpath=folder)
