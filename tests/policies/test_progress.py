import pytest

from green_callbacks.records import EpochRecord, History, Plan

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


def second_fit(*, closed):
    last = EpochRecord.scripted(epoch=0, emissions_kg=0.1, duration_seconds=10.0, step=50)
    between = EpochRecord.scripted(emissions_kg=5.0, duration_seconds=1e3)
    return History([*HISTORY, between, last._replace(closes_epoch=closed)])


@pytest.mark.parametrize(
    "plan",
    [Plan(epochs=8), Plan(steps=400), Plan(seconds=80.0), Plan(emissions_kg=0.8)],
    ids=["epochs", "steps", "s", "kg"],
)
def test_a_second_fit_has_its_plan_before_it(plan):
    assert plan.progress(second_fit(closed=True)) == pytest.approx(1 / 8)


def test_an_open_first_epoch_of_a_second_fit_is_not_done():
    assert second_fit(closed=False).epochs_done() == 0
    assert second_fit(closed=True).epochs_done() == 1


def test_epochs_before_a_resumed_history_count():
    assert History([EpochRecord.scripted(epoch=6)]).epochs_done() == 7
    assert History().epochs_done() == 0
