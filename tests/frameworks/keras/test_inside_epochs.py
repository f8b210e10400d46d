"""Records and decisions inside an epoch, in real fits."""

import copy
import pickle

import keras
import pytest

from green_callbacks import CarbonBudget

pytestmark = pytest.mark.backend

STEP_JOULES, VALIDATION_JOULES = 300.0, 300.0 * 2 * 0.5
BATCHES = 10


@pytest.fixture
def fit_inside(fit, passing):
    """Fit epochs of ten batches; time passes before the monitor looks."""

    def run(monitor, **options):
        return fit(monitor, callbacks=[passing, monitor], **{"batch_size": 2, "validation_batch_size": 8, **options})

    return run


def parts_of(monitor):
    return [record for record in monitor.accountant.history if record.epoch is not None]


def test_the_records_of_an_epoch_partition_it(fit_inside, monitor_of):
    monitor = monitor_of(decide_every=4)
    fit_inside(monitor, epochs=2)

    parts = parts_of(monitor)
    assert [(part.epoch, part.step, part.closes_epoch) for part in parts] == [
        (0, 4, False),
        (0, 8, False),
        (0, 10, True),
        (1, 14, False),
        (1, 18, False),
        (1, 20, True),
    ]
    joules = [4 * STEP_JOULES, 4 * STEP_JOULES, 2 * STEP_JOULES + VALIDATION_JOULES]
    assert [part.energy_joules for part in parts] == pytest.approx(joules * 2, rel=1e-9)
    assert "loss" in parts[0].metrics
    assert "val_loss" not in parts[0].metrics
    assert "val_loss" in parts[2].metrics
    assert monitor.accountant.history.finished_epochs == 2


def test_time_is_an_interval_too(fit_inside, monitor_of):
    monitor = monitor_of(decide_every="5 s")
    fit_inside(monitor, epochs=1)
    assert [part.duration_seconds for part in parts_of(monitor)] == pytest.approx([5.0, 5.0, 1.0])


def test_a_budget_stops_a_fit_inside_an_epoch_with_room_for_its_validation(fit_inside, monitor_of, model_of):
    budget = BATCHES * STEP_JOULES + VALIDATION_JOULES + 5.5 * STEP_JOULES
    monitor, model = monitor_of(decide_every=1, policies=[CarbonBudget(f"{budget} J")]), model_of()
    history = fit_inside(monitor, model=model, epochs=5)

    run = monitor.accountant.close()
    assert int(model.optimizer.iterations) == BATCHES + 4
    assert run.energy_joules == pytest.approx(budget - 0.5 * STEP_JOULES, rel=1e-9)
    assert (run.epochs, len(history.history["loss"])) == (1, 2)
    assert [part.complete for part in parts_of(monitor)][-1] is False


def test_the_model_of_a_stopped_fit_is_saved_and_goes_on(fit_inside, fit, monitor_of, model_of, passing, tmp_path):
    saved = keras.callbacks.ModelCheckpoint(tmp_path / "last.keras")
    ledger = tmp_path / "run.jsonl"
    first = monitor_of(decide_every=1, ledger=ledger, policies=[CarbonBudget(f"{6.5 * STEP_JOULES} J")])
    fit(first, callbacks=[passing, first, saved], batch_size=2, validation_batch_size=8, epochs=2)
    spent = first.accountant.close().energy_joules

    model = keras.saving.load_model(tmp_path / "last.keras")
    assert int(model.optimizer.iterations) == 6
    more = monitor_of(decide_every=1, ledger=ledger, policies=[CarbonBudget("1 MWh")])
    fit_inside(more, model=model, epochs=2)

    run = more.accountant.close()
    assert run.energy_joules == pytest.approx(spent + 2 * (BATCHES * STEP_JOULES + VALIDATION_JOULES), rel=1e-9)
    assert run.epochs == 2


def test_batches_are_not_looked_at_unless_that_is_asked_for(monitor_of):
    assert getattr(monitor_of().on_train_batch_end, "_is_default", False)
    assert not getattr(monitor_of(decide_every=1).on_train_batch_end, "_is_default", False)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda monitor: pickle.loads(pickle.dumps(monitor))])
def test_a_copy_counts_its_own_steps(fit_inside, monitor_of, copied):
    monitor = monitor_of(decide_every=4)
    other = copied(monitor)
    fit_inside(monitor, epochs=1)
    assert len(parts_of(monitor)) == 3
    assert len(other.accountant.history) == 0
    assert other.on_train_batch_end.__self__ is other


def test_gradients_that_are_accumulated_count_as_one_step(fit_inside, monitor_of, model_of):
    monitor = monitor_of(decide_every=2)
    fit_inside(monitor, model=model_of(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)), epochs=1)

    assert [part.step for part in parts_of(monitor)] == [2, 4, 5]
    assert [part.duration_seconds for part in parts_of(monitor)] == pytest.approx([4.0, 4.0, 3.0])
