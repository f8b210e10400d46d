import pytest

from green_callbacks.records import EpochRecord, History, Plan
from green_callbacks.records.plan import epochs_done

HISTORY = History(
    EpochRecord.scripted(epoch=at, emissions_kg=0.1, duration_seconds=10.0, step=100 * (at + 1)) for at in range(4)
)


@pytest.mark.parametrize(
    ("plan", "share"),
    [
        (Plan(epochs=8), 0.5),
        (Plan(steps=500), 0.8),
        (Plan(seconds=400.0), 0.1),
        (Plan(emissions_kg=4.0), 0.1),
        (Plan(epochs=40, steps=500, seconds=400.0), 0.8),
        (Plan(epochs=2), 2.0),
    ],
)
def test_progress_is_by_whichever_binds_first(plan, share):
    assert plan.progress(HISTORY) == pytest.approx(share)


def test_without_a_plan_there_is_no_progress():
    assert Plan().progress(HISTORY) is None
    assert Plan(epochs=10).progress(History()) == 0.0


def test_epochs_before_a_resumed_history_count():
    assert epochs_done(History([EpochRecord.scripted(epoch=6)])) == 7
    assert epochs_done(History()) == 0
