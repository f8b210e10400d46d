"""Rates of a landing, seen by how far a weight moves in each batch: its gradient is always 1."""

import gc
import weakref

import keras
import numpy as np
import pytest
from frameworks.keras.slope import (
    COMPILES,
    EXACT,
    RATE,
    RATE_OR_RATES,
    RATES,
    STILL,
    Slope,
    schedule,
    slope_of,
    weight_of,
)

from green_callbacks._frameworks.common.running_call import RunningCall
from green_callbacks._frameworks.keras.landing_rates import KerasRates
from green_callbacks._frameworks.keras.model import Trained
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.landing.course import Course
from green_callbacks.records.landing import Landing

pytestmark = pytest.mark.backend

BACKEND = keras.backend.backend()
BATCHES, BATCH_SIZE, EPOCHS = 4, 2, 6
TO_ZERO = [0.95, 0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15, 0.05]


def steps_of(model):
    return Trained(model).steps or 0


class Landed(keras.callbacks.Callback):
    """Lands after some batches, and notes the weight and the rate that users see after each batch."""

    def __init__(self, at=None, steps=10, *, inside=False, shorter=None):
        super().__init__()
        self.at, self.steps, self.inside, self.shorter = at, steps, inside, shorter
        self.batches, self.weights, self.seen, self.ended = 0, [], [], None
        self.course = Course()

    def on_train_begin(self, logs=None):
        call = RunningCall.innermost("keras", ("fit",), made="epoch_iterator")
        self.rates = KerasRates(self.model, call, Guarded(), self.stop)
        assert self.rates.refusal() is None
        self.weights.append(weight_of(self.model))
        self.land()

    def stop(self, step):
        self.ended = step
        self.rates._model().stop_training = True

    def land(self):
        if self.batches == self.at:
            self.begin(self.steps, 1.0)
        elif self.shorter and self.batches == self.shorter[0]:
            self.begin(self.shorter[1], self.course.landing.left(steps_of(self.model)))

    def begin(self, steps, factor):
        last = None if self.inside else EPOCHS
        done = steps_of(self.model)
        self.course.landing = Landing(first_step=done, steps=steps, epoch=0, last_epoch=last, from_factor=factor)
        self.rates.begin(self.course)

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        self.weights.append(weight_of(self.model))
        self.seen.append(float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))
        self.land()

    def on_train_end(self, logs=None):
        self.rates.end()

    @property
    def moves(self):
        return -np.diff(self.weights)


def fit(model, *callbacks, samples=BATCHES * BATCH_SIZE, gradient=1.0):
    x = np.full((samples, 1), gradient, "float32")
    model.fit(x, x, batch_size=BATCH_SIZE, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[*callbacks])


def trained_with(model, before=(), after=(), **options):
    landed = Landed(**options)
    fit(model, *before, landed, *after)
    return landed


def factors(at, steps=24, to_zero=TO_ZERO):
    return np.array([1.0] * at + to_zero + [0.0] * steps)[:steps]


EAGERLY, COMPILED = {"run_eagerly": True}, {"jit_compile": BACKEND == "tensorflow"}
"""Ways to train other than the backend's own. Only JAX compiles by XLA unless told otherwise."""
WAYS = [(5, {}), (5, EAGERLY), *([(5, COMPILED)] if COMPILES else [(0, {}), (4, {})])]


@RATES
@pytest.mark.parametrize(("at", "options"), WAYS, ids=str)
def test_every_step_has_its_rate_and_users_see_their_own(rate, of_steps, at, options):
    model = slope_of(keras.optimizers.SGD(rate()), **options)
    landed, again = trained_with(model, at=at), trained_with(model)

    assert landed.moves == pytest.approx(factors(at) * of_steps(np.arange(24)), abs=EXACT)
    assert max(abs(landed.moves[at + 10 :])) <= STILL
    assert landed.seen == pytest.approx(of_steps(np.arange(1, 25)), abs=EXACT)
    assert again.moves == pytest.approx(of_steps(np.arange(24, 48)), abs=EXACT), "after it nothing is scaled"


@RATE_OR_RATES
def test_a_landing_ends_inside_an_epoch_after_its_last_step(rate, of_steps):
    landed = trained_with(slope_of(keras.optimizers.SGD(rate())), at=5, inside=True)

    assert landed.ended == 15
    assert landed.moves == pytest.approx(factors(5, 15) * of_steps(np.arange(15)), abs=EXACT)


@RATE_OR_RATES
def test_a_landing_is_shortened_from_where_it_is(rate, of_steps):
    landed = trained_with(slope_of(keras.optimizers.SGD(rate())), at=5, shorter=(8, 3))

    to_zero = [0.95, 0.85, 0.75, 0.7 * 5 / 6, 0.7 * 3 / 6, 0.7 * 1 / 6]
    assert landed.moves == pytest.approx(factors(5, to_zero=to_zero) * of_steps(np.arange(24)), abs=EXACT)


@RATE_OR_RATES
def test_another_fit_lands_too(rate, of_steps):
    model = slope_of(keras.optimizers.SGD(rate()))
    trained_with(model, at=5, inside=True)
    landed = trained_with(model, at=1, steps=2)

    assert landed.moves == pytest.approx(factors(1, to_zero=[0.75, 0.25]) * of_steps(np.arange(15, 39)), abs=EXACT)


@RATES
def test_the_users_rate_is_back_after_the_fit(rate, of_steps):
    model = slope_of(keras.optimizers.SGD(rate()))
    before = Trained(model).schedule
    trained_with(model, at=5)

    assert vars(model.optimizer)["_learning_rate"] is before
    assert Trained(model).learning_rate == pytest.approx(of_steps([24])[0])
    assert len(model.optimizer.variables) == (1 if callable(before) else 2)


@RATE_OR_RATES
def test_a_loss_scale_lands_with_its_inner_optimizer(rate, of_steps):
    model = slope_of(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(rate())))
    landed = trained_with(model, at=5, inside=True)

    assert landed.ended == 15
    assert landed.moves == pytest.approx(factors(5, 15) * of_steps(np.arange(15)), abs=EXACT)


def test_a_step_that_a_loss_scale_skips_is_no_step():
    gradient, most = 16.0, 2.0**127
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(RATE), initial_scale=most)
    model, landed = slope_of(scaled), Landed(at=0, inside=True)
    fit(model, landed, gradient=gradient)

    skipped = int(np.sum(landed.moves == 0.0))
    assert skipped in {4, 5}
    assert (landed.ended, len(landed.moves)) == (10, 10 + skipped)
    assert landed.moves[skipped:] == pytest.approx(np.array(TO_ZERO) * RATE * gradient, abs=gradient * EXACT)


@RATE_OR_RATES
def test_accumulated_gradients_are_one_step(rate, of_steps):
    model = slope_of(keras.optimizers.SGD(rate(), gradient_accumulation_steps=2))
    landed = trained_with(model, at=4, steps=4, inside=True)

    assert landed.ended == 6
    to_zero = [0.0, 7 / 8, 0.0, 5 / 8, 0.0, 3 / 8, 0.0, 1 / 8]
    assert landed.moves == pytest.approx(np.array([0, 1, 0, 1, *to_zero]) * of_steps(np.arange(12)), abs=EXACT)


@pytest.mark.skipif(BACKEND == "torch", reason="torch executes one at a time")
@pytest.mark.parametrize(("together", "last"), [(2, 14), (3, 15)])
def test_steps_that_are_executed_together_have_their_own_rates(together, last):
    model = slope_of(keras.optimizers.SGD(RATE), steps_per_execution=together)
    landed = trained_with(model, at=2, inside=True)

    assert landed.ended == steps_of(model) == last
    assert -weight_of(model) == pytest.approx(RATE * (4 + sum(TO_ZERO)), abs=EXACT)


@RATE_OR_RATES
def test_a_smaller_last_batch_is_scaled_too(rate, of_steps):
    model, landed = slope_of(keras.optimizers.SGD(rate())), Landed(at=3)
    fit(model, landed, samples=BATCHES * BATCH_SIZE - 1)

    assert landed.moves == pytest.approx(factors(3) * of_steps(np.arange(24)), abs=EXACT)


OPTIMIZERS = {
    "AdamW": lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.1),
    "EMA": lambda rate: keras.optimizers.SGD(rate, use_ema=True),
}
if BACKEND != "tensorflow":  # where they are the same code as with JAX
    OPTIMIZERS |= {
        "SGD": lambda rate: keras.optimizers.SGD(rate, weight_decay=0.1),
        "Adafactor": keras.optimizers.Adafactor,
        "Lion": keras.optimizers.Lion,
        "Nadam": keras.optimizers.Nadam,
        "RMSprop": lambda rate: keras.optimizers.RMSprop(rate, centered=True),
    }


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_no_weight_moves_after_the_end(optimizer):
    """Momentum of SGD is left out, because Keras keeps the rates of earlier steps in it."""
    landed = trained_with(slope_of(optimizer(schedule())), at=5)

    assert min(abs(landed.moves[:14])) > STILL
    assert max(abs(landed.moves[15:])) <= STILL


class Halving(keras.callbacks.Callback):
    """Halves the learning rate that it reads, before each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        optimizer = self.model.optimizer
        optimizer.learning_rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate)) / 2


HALVING = {
    "own": Halving,
    "scheduler": lambda: keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
}


@pytest.mark.parametrize("halving", HALVING.values(), ids=HALVING)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_rate_that_a_callback_sets_is_scaled_and_nothing_is_scaled_twice(halving, is_first):
    model = slope_of(keras.optimizers.SGD(RATE))
    landed = trained_with(model, at=6, **{"before" if is_first else "after": [halving()]})

    rates = RATE * 0.5 ** (np.arange(24) // BATCHES + 1)
    assert landed.moves == pytest.approx(factors(6) * rates, abs=EXACT)
    assert Trained(model).learning_rate == pytest.approx(rates[-1])


def test_a_plateau_lowers_the_users_rate():
    model = slope_of(keras.optimizers.SGD(RATE))
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0)
    landed = trained_with(model, at=6, after=[plateau])

    rates = RATE * 0.5 ** np.maximum(np.arange(24) // BATCHES - 1, 0)
    assert landed.moves == pytest.approx(factors(6) * rates, abs=EXACT)


@pytest.mark.parametrize("rate", [lambda: RATE, schedule], ids=["float", "schedule"])
def test_a_model_that_is_saved_in_a_landing_has_the_users_rate(rate, tmp_path):
    model = slope_of(keras.optimizers.Adam(rate()))
    before = keras.optimizers.serialize(model.optimizer)
    path = tmp_path / "saved.keras"
    trained_with(model, at=5, steps=30, after=[keras.callbacks.ModelCheckpoint(path, save_freq=7)])

    saved = keras.saving.load_model(path, custom_objects={"Slope": Slope})
    assert keras.optimizers.serialize(saved.optimizer) == before
    assert type(saved.optimizer._learning_rate).__module__.startswith("keras.")
    assert Trained(saved).steps == 21


class Breaking(keras.callbacks.Callback):
    def __init__(self, error):
        super().__init__()
        self.error, self.batches = error, 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        if self.batches == 8:
            raise self.error


@RATE_OR_RATES
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_landing_that_is_cut_short_scales_no_other_fit(rate, of_steps, error):
    model, landed = slope_of(keras.optimizers.SGD(rate())), Landed(at=5)
    with pytest.raises(error):
        fit(model, landed, Breaking(error()))
    assert Trained(model).learning_rate == pytest.approx(of_steps([8])[0]), "even before anyone has noticed"
    again = trained_with(model)

    assert again.moves == pytest.approx(of_steps(np.arange(8, 32)), abs=EXACT)
    assert vars(model.optimizer)["_learning_rate"] is Trained(model).schedule


def test_the_rates_keep_no_model_alive():
    model = slope_of(keras.optimizers.SGD(schedule()))
    landed = Landed(at=5)
    with pytest.raises(RuntimeError):
        fit(model, landed, Breaking(RuntimeError()))
    seen, rates = weakref.ref(model), landed.rates
    del model, landed
    keras.backend.clear_session()
    gc.collect()

    assert seen() is None
    rates.end()


@pytest.mark.parametrize("inside", [True, False])
def test_an_optimizer_that_counts_anew_after_a_resume_lands_where_the_run_was(inside):
    model, landed = slope_of(keras.optimizers.SGD(RATE)), Landed(at=0, inside=inside)
    landed.begin = lambda steps, factor: resume(landed)

    def resume(landed):
        landed.course.step = 53
        landed.course.landing = Landing(first_step=50, steps=10, epoch=0, last_epoch=None if inside else EPOCHS)
        landed.rates.begin(landed.course)

    fit(model, landed)

    assert landed.ended == (60 if inside else None)
    assert landed.moves == pytest.approx(factors(0, len(landed.moves), TO_ZERO[3:]) * RATE, abs=EXACT)
