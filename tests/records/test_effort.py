"""The energy of training per unit of work, of records and histories."""

import random
from datetime import UTC, datetime

import pytest

from green_callbacks.records import DeviceEnergy, Effort, EpochRecord, History, Intensity, PhaseEnergy, Ratio, Work
from green_callbacks.records.effort import decode_effort, encode_effort

GRID = Intensity(g_per_kwh=400.0, low_g_per_kwh=300.0, high_g_per_kwh=500.0, source="test", found_by="argument")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def near(value):
    return pytest.approx(value, rel=1e-12)


def made(epoch=0, *, train=60.0, whole=100.0, phases=True, **fields):
    device = DeviceEnergy(
        whole, "gpu", "counter", 1.0, None if whole is None else 0.9 * whole, None if whole is None else 1.2 * whole
    )
    parts = {"train": PhaseEnergy(train, 0.6), "validation": PhaseEnergy(40.0, 0.4)} if phases else {}
    if train is None:
        del parts["train"]
    record = EpochRecord(epoch, BEGAN, 1.0, {"gpu:0": device}, GRID, 1.5, phases=parts)
    return record._replace(**fields)


def test_a_record_has_the_energy_of_its_training_with_scaled_bounds():
    effort = made(steps=10, samples=20, tokens=200, flops=1e18).effort

    assert effort.joules_per_step == near(Ratio(6.0, 5.4, 7.2))
    assert effort.joules_per_sample == near(Ratio(3.0, 2.7, 3.6))
    assert effort.joules_per_token == near(Ratio(0.3, 0.27, 0.36))
    grams = 60.0 / 3.6e6 * 1.5
    assert effort.grams_per_exaflop == near(Ratio(grams * 400.0, 0.9 * grams * 300.0, 1.2 * grams * 500.0))


def test_a_record_without_phases_counts_whole():
    assert made(phases=False, samples=10).effort.joules_per_sample == near(Ratio(10.0, 9.0, 12.0))


@pytest.mark.parametrize(
    "record",
    [
        made(),
        made(whole=None, samples=10, phases=False),
        made(train=None, samples=10),
        made(None, samples=10, phases=False),
        made(samples=0, steps=0),
    ],
    ids=["no count", "no energy", "no training", "outside epochs", "no work"],
)
def test_what_is_not_known_is_absent(record):
    assert record.effort.ratios() == {}
    assert History([record]).effort.ratios() == {}


def test_only_records_with_a_count_are_in_its_energy():
    history = History([made(0, samples=10), made(1), made(2, samples=20, whole=200.0, train=120.0)])

    assert history.effort.samples == near(Work(30.0, 180.0, 162.0, 216.0))
    assert history.samples_joules == near(180.0)


def test_a_count_at_the_end_of_an_epoch_covers_its_parts():
    parts = [made(0, closes_epoch=False), made(0, closes_epoch=False), made(0, samples=18)]
    history = History([*parts, made(1, samples=6)])

    assert history.effort.samples == near(Work(24.0, 240.0, 216.0, 288.0))
    assert history.effort_at(2).samples == near(Work(18.0, 180.0, 162.0, 216.0))
    assert history.effort_at(3) == history[3].effort == history.last_effort
    assert history.effort_at(0) == Effort()


def test_a_part_that_never_got_its_count_is_in_no_later_epoch():
    history = History([made(0, closes_epoch=False), made(1, samples=6)])

    assert history.effort.samples == near(Work(6.0, 60.0, 54.0, 72.0))


def test_a_part_whose_energy_is_unknown_takes_its_count_along():
    history = History([made(0, closes_epoch=False), made(0, samples=6, whole=None, train=None), made(1, samples=6)])

    assert history.effort.samples == near(Work(6.0, 60.0, 54.0, 72.0))


def test_work_that_was_repeated_was_done():
    history = History([made(0, steps=5, step=5), made(1, steps=3, step=8, complete=False)])
    history.rewind(1)
    history.append(made(1, steps=5, step=10))

    assert history.effort.steps == near(Work(13.0, 180.0, 162.0, 216.0))


def test_the_sums_of_a_growing_history_are_those_of_a_new_one():
    chance = random.Random(1)
    records = []
    for number in range(200):
        counts = {name: chance.randrange(9) for name in ("steps", "samples", "tokens") if chance.random() < 0.7}
        epoch = None if chance.random() < 0.1 else number // 3
        records.append(made(epoch, train=chance.random() * 99, closes_epoch=number % 3 == 2, **counts))
    growing = History()
    for record in records:
        growing.append(record)
        if chance.random() < 0.3:
            assert growing.effort is not None

    assert growing.effort == History(records).effort == growing.copy().effort
    back = History.from_columns(History(records).to_columns())
    assert back.effort == growing.effort


def test_a_thinned_history_keeps_its_effort_and_goes_on():
    history = History([made(number, steps=2, samples=3) for number in range(12_000)])
    back = History.from_columns(history.to_columns())

    assert back.is_thinned
    assert back.effort == history.effort
    for each in (history, back):
        each.append(made(12_000, steps=2, samples=3))
    assert back.effort == history.effort
    assert History.from_columns(back.to_columns()).effort == history.effort


def test_the_state_of_an_earlier_version_has_no_steps():
    state = History([made(0, steps=2, samples=3)]).to_columns()
    del state["sparse"]["steps_done"]

    back = History.from_columns(state)
    assert back.effort.steps is None
    assert back.effort.samples is not None


def test_an_effort_is_read_as_it_was_written():
    effort = made(steps=10, samples=20).effort

    assert decode_effort(encode_effort(effort)) == effort
