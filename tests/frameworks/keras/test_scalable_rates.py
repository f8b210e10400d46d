"""What a landing refuses, and how the objects look that stand in for a learning rate."""

import copy
import pickle

import keras
import pytest
from frameworks.keras.slope import RATE, schedule, slope_of

from green_callbacks._frameworks.keras.landed_rates import LandedRate, LandedSchedule, Scale, of_user
from green_callbacks._frameworks.keras.model import Trained
from green_callbacks._frameworks.keras.scalable_rates import refusal
from green_callbacks.records.landing import Landing


class Own(keras.Sequential):
    def train_step(self, *arguments):
        return super().train_step(*arguments)


class Making(keras.Sequential):
    def make_train_function(self, force=False):  # noqa: FBT002  as of Keras
        super().make_train_function(force)


class Computed(keras.optimizers.SGD):
    @property
    def learning_rate(self):
        return keras.ops.convert_to_tensor(0.1)


class Pretending:
    """Something with the attributes that the adapter reads."""

    learning_rate = 0.1


class Several(keras.optimizers.SGD):
    optimizers = ()


def given(optimizer):
    model = slope_of("sgd")
    model.optimizer = optimizer
    return model


def uncounted():
    optimizer = keras.optimizers.SGD(RATE, gradient_accumulation_steps=2)
    vars(optimizer)["_iterations"] = None
    return given(optimizer)


REFUSED = {
    "no optimizer": lambda: given(None),
    "train_step() or make_train_function() of its own": lambda: slope_of("sgd", Own),
    "make_train_function() of its own": lambda: slope_of("sgd", Making),
    "Pretending is no optimizer of Keras 3": lambda: given(Pretending()),
    "Several has several optimizers": lambda: given(Several()),
    "Ftrl does not come to rest": lambda: slope_of("ftrl"),
    "ScheduleFreeAdamW does not come to rest": lambda: slope_of(keras.optimizers.ScheduleFreeAdamW()),
    "of SGD is a function": lambda: slope_of(keras.optimizers.SGD(lambda: 0.1)),
    "Computed computes its learning rate itself": lambda: slope_of(Computed()),
    "does not count its batches": uncounted,
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_refusal_says_why_and_what_to_do(reason):
    said = refusal(REFUSED[reason](), is_in_fit=True)

    assert reason in said
    assert said.count(". ") == 1, "a fact and a remedy"


def test_only_a_fit_can_be_scaled():
    model = slope_of("sgd")

    assert refusal(model, is_in_fit=True) is None
    assert "fit()" in refusal(model, is_in_fit=False)
    assert "fit()" in refusal(None, is_in_fit=True)


def test_variables_in_nnx_are_refused(monkeypatch):
    monkeypatch.setattr(keras.config, "is_nnx_enabled", lambda: True, raising=False)

    assert "NNX" in refusal(slope_of("sgd"), is_in_fit=True)


def scale():
    scale = Scale(Landing(first_step=10, steps=10, epoch=1), batches_a_step=1)
    scale.is_training = True
    return scale


def test_a_scaled_schedule_passes_for_the_schedule_of_the_user():
    of_the_user = schedule()
    landed = LandedSchedule(of_the_user, scale())

    assert isinstance(landed, type(of_the_user))
    assert landed.initial_learning_rate == of_the_user.initial_learning_rate
    assert keras.saving.serialize_keras_object(landed) == keras.saving.serialize_keras_object(of_the_user)
    assert of_user(landed) is of_the_user
    assert of_user(of_the_user) is of_the_user
    for copied in (copy.copy(landed), copy.deepcopy(landed), pickle.loads(pickle.dumps(landed))):
        assert type(copied) is type(of_the_user)
        assert copied.get_config() == of_the_user.get_config()


def test_a_scaled_variable_passes_for_the_variable_of_the_user():
    model = slope_of(keras.optimizers.SGD(RATE))
    trained = Trained(model)
    landed = LandedRate(trained.schedule, trained.counter, scale())
    landed.assign(0.5)

    assert float(keras.ops.convert_to_numpy(trained.schedule)) == 0.5
    assert float(keras.ops.convert_to_numpy(landed)) == 0.5, "before the landing the factor is 1"
    assert repr(landed) == repr(trained.schedule)


@pytest.mark.backend
def test_whole_numbers_are_subtracted_exactly():
    far = 2**30
    landing = Landing(first_step=far, steps=1000, epoch=1)
    factor = Scale(landing, batches_a_step=1)
    factor.is_training = True

    for done in (0, 1, 500, 999, 1000):
        scaled = float(keras.ops.convert_to_numpy(factor.times(1.0, keras.ops.convert_to_tensor(far + done, "int32"))))
        assert scaled == pytest.approx(landing.factor(far + done), abs=1e-7)
