"""Whole fits that land: the rate of every step, the ends, resuming, and all that stays as it was."""

import keras
import numpy as np
import pytest
from frameworks.keras.slope import (
    COMPILES,
    EXACT,
    RATE,
    RATE_OR_RATES,
    Slope,
    Weights,
    schedule,
    slope_of,
)

from green_callbacks import CarbonBudget, MarginalGain
from green_callbacks._frameworks.keras.model import Trained

pytestmark = pytest.mark.backend

BATCHES, BATCH_SIZE = 4, 2
STEP_JOULES, EPOCH_JOULES = 300.0, 300.0 * (BATCHES + 0.5)


class Level(keras.callbacks.Callback):
    """Adds a score that soon gains nothing more."""

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = min(epoch, 3) / 3


@pytest.fixture
def land(passing):
    """Fit a model in epochs of four batches, with a monitor, and return how far its weight moved in each batch."""

    def run(monitor, model, *, before=(), after=(), batches=BATCHES, epochs=30):
        x, weights = np.ones((batches * BATCH_SIZE, 1), "float32"), Weights()
        model.fit(
            x,
            x,
            batch_size=BATCH_SIZE,
            epochs=epochs,
            shuffle=False,
            validation_data=(x[:BATCH_SIZE], x[:BATCH_SIZE]),
            callbacks=[Level(), *before, passing, *([monitor] if monitor else []), weights, *after],
            verbose=0,
        )
        return weights.moves

    return run


def factors(landing, steps):
    return np.array([landing.factor(step) if step >= landing.first_step else 1.0 for step in range(steps)])


def gain(landing=0.2):
    return MarginalGain("score", landing=landing)


def budget(joules, landing=0.1):
    return CarbonBudget(f"{joules} J", landing=landing)


@RATE_OR_RATES
def test_a_rule_lands_over_whole_epochs(land, monitor_of, rate, of_steps):
    monitor, model = monitor_of(policies=[gain()]), slope_of(keras.optimizers.SGD(rate()))
    of_user = Trained(model).schedule
    moves = land(monitor, model)

    landing, steps = monitor.accountant.landing, len(moves)
    assert landing.first_step % BATCHES == 0
    assert steps == landing.end == (landing.last_epoch + 1) * BATCHES
    assert moves == pytest.approx(factors(landing, steps) * of_steps(np.arange(steps)), abs=EXACT)
    assert max(landing.factor(steps), landing.factor(steps + 1)) == 0.0
    assert vars(model.optimizer)["_learning_rate"] is of_user
    assert len(model.history.history["val_loss"]) == len(model.history.epoch) == landing.last_epoch + 1
    records = list(monitor.accountant.history)[landing.epoch :]
    assert all(record.complete for record in records)
    assert [record.learning_rate for record in records] == pytest.approx(
        [landing.left(record.step) * of_steps([record.step])[0] for record in records], abs=EXACT
    )


@RATE_OR_RATES
def test_a_rule_lands_inside_a_long_epoch(land, monitor_of, rate, of_steps, tmp_path):
    monitor, model = monitor_of(policies=[gain(landing=0.05)]), slope_of(keras.optimizers.SGD(rate()))
    moves = land(monitor, model, after=[keras.callbacks.ModelCheckpoint(tmp_path / "last.keras")], batches=12)

    landing, steps = monitor.accountant.landing, len(moves)
    assert landing.last_epoch is None
    assert steps == landing.end == Trained(model).steps
    assert steps % 12 != 0
    assert moves == pytest.approx(factors(landing, steps) * of_steps(np.arange(steps)), abs=12 * EXACT)
    assert len(model.history.history["val_loss"]) == len(model.history.epoch)
    last = keras.saving.load_model(tmp_path / "last.keras", custom_objects={"Slope": Slope})
    assert Trained(last).steps == steps
    assert monitor.accountant.history[-1].complete is False


@RATE_OR_RATES
def test_a_budget_lands_within_itself(land, monitor_of, rate, of_steps, tmp_path):
    joules = 10.4 * EPOCH_JOULES
    monitor, model = monitor_of(policies=[budget(joules)]), slope_of(keras.optimizers.SGD(rate()))
    of_user = Trained(model).schedule
    moves = land(monitor, model, after=[keras.callbacks.ModelCheckpoint(tmp_path / "last.keras")])

    landing, steps = monitor.accountant.landing, len(moves)
    assert steps == landing.end
    assert moves == pytest.approx(factors(landing, steps) * of_steps(np.arange(steps)), abs=EXACT)
    assert joules - EPOCH_JOULES <= monitor.accountant.close().energy_joules <= joules
    assert vars(model.optimizer)["_learning_rate"] is of_user
    assert len(model.history.history["val_loss"]) == len(model.history.epoch)
    last = keras.saving.load_model(tmp_path / "last.keras", custom_objects={"Slope": Slope})
    assert Trained(last).steps == steps


@pytest.mark.parametrize("together", [1, 2] if COMPILES else [1])
def test_a_budget_lands_with_a_loss_scale_and_with_steps_that_are_executed_together(land, monitor_of, together):
    joules = 10.4 * EPOCH_JOULES / together
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(RATE), initial_scale=1.0)
    monitor, model = monitor_of(policies=[budget(joules, 0.2)]), slope_of(optimizer, steps_per_execution=together)
    moves = land(monitor, model)

    landing, steps = monitor.accountant.landing, Trained(model).steps
    assert landing.end <= steps < landing.end + together
    expected = (factors(landing, steps) * RATE).reshape(-1, together).sum(axis=1)
    assert moves == pytest.approx(expected, abs=10 * EXACT)
    assert monitor.accountant.close().energy_joules <= joules


class Breaking(keras.callbacks.Callback):
    """Ends the fit in the sixth batch of a landing."""

    def __init__(self, monitor):
        super().__init__()
        self.accountant, self.steps = monitor.accountant, 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += self.accountant.landing is not None
        if self.steps == BATCHES + 2:
            raise KeyboardInterrupt


RESUMED = {
    "SGD-float": lambda: keras.optimizers.SGD(RATE),
    "Adam-schedule": lambda: keras.optimizers.Adam(schedule(), weight_decay=0.01),
}
if not COMPILES:
    RESUMED |= {
        "SGD-schedule": lambda: keras.optimizers.SGD(schedule()),
        "Adam-float": lambda: keras.optimizers.Adam(RATE, weight_decay=0.01),
    }


@pytest.mark.parametrize("optimizer_of", RESUMED.values(), ids=RESUMED)
def test_a_resumed_fit_lands_as_if_nothing_had_happened(land, monitor_of, tmp_path, optimizer_of):
    def model_of():
        return slope_of(optimizer_of())

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False)

    whole = monitor_of(policies=[gain()])
    moves = land(whole, model_of())
    landing = whole.accountant.landing
    first = monitor_of(policies=[gain()], ledger=tmp_path / "run.jsonl")
    with pytest.raises(KeyboardInterrupt):
        land(first, model_of(), after=[backup(), Breaking(first)])
    first.accountant.close()
    again = monitor_of(policies=[gain()], ledger=tmp_path / "run.jsonl")
    rest = land(again, model_of(), after=[backup()])

    assert again.accountant.landing == landing
    assert rest == pytest.approx(moves[landing.first_step + BATCHES :], abs=EXACT)


def test_a_landing_that_is_cut_short_scales_no_other_fit(land, monitor_of):
    model, monitor = slope_of(keras.optimizers.SGD(RATE)), monitor_of(policies=[gain()])
    with pytest.raises(KeyboardInterrupt):
        land(monitor, model, after=[Breaking(monitor)])
    assert monitor.accountant.landing is not None

    assert land(None, model, epochs=2) == pytest.approx([RATE] * 2 * BATCHES, abs=10 * EXACT)


def test_a_loop_of_fits_of_one_epoch_lands(land, monitor_of):
    model, monitor = slope_of(keras.optimizers.SGD(RATE)), monitor_of(policies=[gain()])
    moves = []
    while monitor.accountant.stop_reason is None and len(moves) < 200:
        moves.extend(land(monitor, model, epochs=1))

    landing = monitor.accountant.landing
    assert len(moves) == landing.end
    assert moves == pytest.approx(factors(landing, len(moves)) * RATE, abs=10 * EXACT)


class Functions(keras.callbacks.Callback):
    """Notes the training function and the learning rate of each epoch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((self.model.train_function, vars(self.model.optimizer)["_learning_rate"]))


@pytest.mark.parametrize("policies", [[], [gain()], [MarginalGain("score")], [budget(10**9)]], ids=str)
def test_outside_a_landing_all_is_as_without(land, monitor_of, policies):
    monitor, functions = monitor_of(policies=policies), Functions()
    model = slope_of(keras.optimizers.SGD(schedule()))
    land(monitor, model, after=[functions], epochs=3)

    assert len(set(map(id, functions.seen[0]))) == 2
    assert all(each[0] is functions.seen[0][0] and each[1] is functions.seen[0][1] for each in functions.seen)
    assert type(functions.seen[0][1]).__module__.startswith("keras.")
    assert getattr(monitor.on_train_batch_end, "_is_default", False)
    assert getattr(monitor.on_train_batch_begin, "_is_default", False) is not (policies == [budget(10**9)])


class Remaking(keras.callbacks.Callback):
    """Makes the training function anew before each epoch, as after freezing a layer."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.make_train_function(force=True)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_training_function_that_is_replaced_is_replaced_again_or_named(land, monitor_of, caplog, is_first):
    monitor, model = monitor_of(policies=[gain()]), slope_of(keras.optimizers.SGD(RATE))
    moves = land(monitor, model, **{"before" if is_first else "after": [Remaking()]})

    landing = monitor.accountant.landing
    lands = moves == pytest.approx(factors(landing, len(moves)) * RATE, abs=10 * EXACT)
    assert (lands, "has replaced" in caplog.text) == (is_first, not is_first)


class Own(keras.Sequential):
    """A model with a training step of its own."""

    def train_step(self, *arguments):
        return super().train_step(*arguments)


def test_a_rate_that_cannot_be_scaled_is_named_and_the_run_stops_at_once(land, monitor_of, caplog):
    monitor, model = monitor_of(policies=[gain()]), slope_of("sgd", Own)
    land(monitor, model)

    assert "train_step() or make_train_function() of its own" in caplog.text
    assert monitor.accountant.landing is None
    assert monitor.accountant.stop_reason is not None
