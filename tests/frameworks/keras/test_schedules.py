import keras
import pytest

from green_callbacks._frameworks.keras.schedules import Batches, schedule_plan
from green_callbacks.records import Plan

schedules = keras.optimizers.schedules
TEN_EPOCHS = Plan(epochs=10)
HUNDRED = Batches(per_epoch=100)


def read(schedule):
    return schedule_plan(schedule, TEN_EPOCHS, HUNDRED)


@pytest.mark.parametrize(
    ("schedule", "drops"),
    [
        (schedules.PiecewiseConstantDecay([300, 650, 800], [1.0, 0.1, 0.09, 0.01]), (3, 8)),
        (schedules.PiecewiseConstantDecay([2000], [1.0, 0.1]), ()),
        (schedules.ExponentialDecay(1.0, 400, 0.1, staircase=True), (4, 8)),
        (schedules.ExponentialDecay(1.0, 400, 0.9, staircase=True), ()),
        (schedules.ExponentialDecay(1.0, 400, 0.1), ()),
        (schedules.InverseTimeDecay(1.0, 400, 0.1), ()),
    ],
)
def test_drops_are_known_by_epoch(schedule, drops):
    assert read(schedule) == Plan(epochs=10, learning_rate_drops=drops)


@pytest.mark.parametrize(
    ("schedule", "anneals"),
    [
        (schedules.CosineDecay(1.0, 1000), True),
        (schedules.CosineDecay(0.0, 900, warmup_target=1.0, warmup_steps=100), True),
        (schedules.CosineDecay(1.0, 1000, alpha=0.1), True),
        (schedules.CosineDecay(1.0, 1000, alpha=0.11), False),
        (schedules.CosineDecay(1.0, 1000, alpha=0.5), False),
        (schedules.CosineDecay(1.0, 10_000), False),
        (schedules.PolynomialDecay(1.0, 1000, end_learning_rate=1e-3), True),
    ],
)
def test_annealing_is_what_ends_near_zero_within_the_plan(schedule, anneals):
    assert read(schedule) == Plan(epochs=10, anneals=anneals)


class OfTheUsersOwn(schedules.LearningRateSchedule):
    def __call__(self, step):
        return 1.0 / (step + 1.0)


@pytest.mark.parametrize("schedule", [schedules.CosineDecayRestarts(1.0, 100), OfTheUsersOwn(), lambda: 0.1])
def test_what_is_not_known_is_said_to_be_unreadable(schedule):
    assert read(schedule) == Plan(epochs=10, schedule_unreadable=True)


@pytest.mark.parametrize(("epochs", "steps"), [(None, 100), (10, None)])
def test_a_length_that_is_not_known_makes_a_schedule_unreadable(epochs, steps):
    plan = schedule_plan(schedules.CosineDecay(1.0, 1000), Plan(epochs=epochs), Batches(per_epoch=steps))

    assert plan.schedule_unreadable


def test_a_fit_goes_on_where_the_optimizer_is():
    schedule = schedules.PiecewiseConstantDecay([150, 600, 900], [1.0, 0.1, 0.01, 0.001])

    again = schedule_plan(schedule, Plan(epochs=10), Batches(per_epoch=100, done=500))
    late = schedule_plan(schedule, Plan(epochs=10), Batches(per_epoch=100, done=500, first_epoch=5))

    assert again.learning_rate_drops == (1, 4), "the first is past"
    assert late.learning_rate_drops == (6, 9)


def test_a_plain_rate_is_no_schedule():
    assert read(0.1) == TEN_EPOCHS


def plan_of(fit, monitor_of, **options):
    plans = []

    def look(history, plan):
        plans.append(plan)

    fit(monitor_of(policies=[look]), **options)
    return plans[0]


@pytest.mark.backend
def test_a_fit_plans_its_epochs_and_its_schedule(fit, monitor_of, model_of):
    model = model_of(keras.optimizers.SGD(schedules.PiecewiseConstantDecay([3], [0.1, 0.01])))

    assert plan_of(fit, monitor_of, model=model) == Plan(epochs=3, epoch_steps=3, learning_rate_drops=(1,))


@pytest.mark.backend
def test_the_schedule_within_a_loss_scale_is_read(fit, monitor_of, model_of):
    inner = keras.optimizers.SGD(schedules.PiecewiseConstantDecay([3], [0.1, 0.01]))
    model = model_of(keras.optimizers.LossScaleOptimizer(inner))

    assert plan_of(fit, monitor_of, model=model).learning_rate_drops == (1,)


def test_the_one_epoch_of_keras_default_is_no_plan(fit, monitor_of):
    assert plan_of(fit, monitor_of, epochs=1) == Plan(epoch_steps=3)
    assert plan_of(fit, monitor_of, epochs=8, initial_epoch=7) == Plan(epoch_steps=3), "a loop counts them itself"


@pytest.mark.backend
def test_a_fit_that_goes_on_plans_from_where_the_optimizer_is(fit, monitor_of, model_of):
    model = model_of(keras.optimizers.SGD(schedules.PiecewiseConstantDecay([3, 15], [0.1, 0.01, 0.001])))
    fit(monitor_of(), model=model)

    assert plan_of(fit, monitor_of, model=model, epochs=4).learning_rate_drops == (2,), "after 9 batches and 6"


@pytest.mark.parametrize("rate", ["LearningRateScheduler", "ReduceLROnPlateau"])
def test_a_rate_that_a_callback_sets_cannot_be_read_ahead(fit, monitor_of, rate):
    made = getattr(keras.callbacks, rate)
    callback = made(lambda epoch, rate: rate) if rate == "LearningRateScheduler" else made()

    assert plan_of(fit, monitor_of, after=[callback]).schedule_unreadable


def test_steps_of_the_users_own_are_not_taken_for_batches(fit, monitor_of):
    class Own(keras.Sequential):
        def train_step(self, *arguments):
            for _ in range(2):
                answer = super().train_step(*arguments)
            return answer

    model = Own([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(schedules.PiecewiseConstantDecay([3], [0.1, 0.01])), "mse")

    assert plan_of(fit, monitor_of, model=model) == Plan(epochs=3, schedule_unreadable=True)


@pytest.mark.backend
@pytest.mark.parametrize(("gathered", "steps"), [(3, 1), (2, None)])
def test_steps_of_an_epoch_are_those_of_the_optimizer(fit, monitor_of, model_of, gathered, steps):
    model = model_of(keras.optimizers.SGD(0.1, gradient_accumulation_steps=gathered))

    assert plan_of(fit, monitor_of, model=model).epoch_steps == steps
