import pytest

from green_callbacks import EpochRecord, History, Plan

HISTORY = History(
    [
        EpochRecord.scripted(epoch=epoch, emissions_kg=0.1, duration_seconds=10.0, step=100 * (epoch + 1))
        for epoch in (3, 4)
    ]
)


@pytest.mark.parametrize(
    ("plan", "progress"),
    [
        (Plan(), None),
        (Plan(epochs=10), 0.5),
        (Plan(steps=2000), 0.25),
        (Plan(seconds=80.0), 0.25),
        (Plan(emissions_kg=0.25), 0.8),
        (Plan(epochs=10, steps=2000, seconds=80.0, emissions_kg=0.25), 0.8),
        (Plan(epochs=4), 1.25),
    ],
)
def test_what_binds_first_tells_the_progress(plan, progress):
    assert plan.progress(HISTORY) == (None if progress is None else pytest.approx(progress))


def test_nothing_done_is_no_progress():
    assert Plan(epochs=10, steps=10).progress(History()) == 0.0
    assert History().epochs_done() == 0


def test_epochs_before_the_first_record_count_as_done():
    assert HISTORY.epochs_done() == 5
