"""The wait for data, on a scripted clock."""

from threading import Thread

import pytest

from green_callbacks import EnergyAccountant, EpochRecord, History
from green_callbacks.accountant.loops.data_waits import EXACT_STEPS, STRIDE, DataWaits
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource


class CountingClock(ScriptedClock):
    asked = 0

    def monotonic(self):
        self.asked += 1
        return super().monotonic()


def batches(clock, waits):
    """A loader that takes as many seconds for each batch."""
    for seconds in waits:
        clock.advance(seconds)
        yield seconds


def accountant(clock, **options):
    source = ScriptedSource(100.0, clock=clock)
    return EnergyAccountant(sources=[source], clock=clock, carbon_intensity=100.0, sinks=[], ledger=False, **options)


def trained(waits, *, epochs=1, step_seconds=1.0):
    clock = ScriptedClock()
    run = accountant(clock)
    with run:
        for _ in run.epochs(epochs):
            for _ in run.steps(batches(clock, waits)):
                clock.advance(step_seconds)
    return [record for record in run.history if record.epoch is not None]


@pytest.mark.parametrize("count", [1, 2, 30, EXACT_STEPS])
def test_a_short_epoch_is_measured_exactly(count):
    waits = [3.0, *(0.1 * at for at in range(count - 1))]
    (record,) = trained(waits)
    assert record.data_wait_seconds == pytest.approx(sum(waits))


@pytest.mark.parametrize("count", [51, 60, 97, 98, 500, 5_000])
@pytest.mark.parametrize("workers", [1, 2, 4, 8, 10])
def test_a_long_epoch_is_estimated_although_loaders_deliver_in_bursts(count, workers):
    waits = [0.4 if at % workers == 0 else 0.0 for at in range(count)]
    (record,) = trained(waits, step_seconds=0.1)
    assert record.data_wait_seconds == pytest.approx(sum(waits), rel=0.25)


def test_the_first_wait_counts_once():
    (record,) = trained([60.0, *[0.0] * 999])
    assert record.data_wait_seconds == pytest.approx(60.0)


def test_a_look_costs_no_more_in_a_long_epoch_than_every_47th_step():
    clock = CountingClock()
    waits = DataWaits(clock)
    for _ in waits.watched(range(EXACT_STEPS + 100 * STRIDE)):
        pass
    assert clock.asked <= 2 * (EXACT_STEPS + 101)


def test_every_epoch_has_its_own_wait():
    records = trained([0.5] * 10, epochs=3)
    assert [record.data_wait_seconds for record in records] == pytest.approx([5.0] * 3)


def test_two_passes_in_an_epoch_are_added():
    clock = ScriptedClock()
    with accountant(clock) as run:
        for _ in run.epochs(1):
            for _ in range(2):
                for _ in run.steps(batches(clock, [2.0, *[0.25] * 99])):
                    clock.advance(1.0)
    assert run.history[-1].data_wait_seconds == pytest.approx(2 * (2.0 + 0.25 * 99))


def test_parts_of_an_epoch_divide_its_wait():
    clock = ScriptedClock()
    with accountant(clock, decide_every="10 steps") as run:
        for _ in run.epochs(1):
            for _ in run.steps(batches(clock, [0.5] * 200)):
                clock.advance(1.0)
    parts = [record for record in run.history if record.epoch is not None]
    assert len(parts) > 10
    assert sum(record.data_wait_seconds or 0.0 for record in parts) == pytest.approx(100.0)


def test_what_is_done_between_batches_is_no_wait():
    (record,) = trained([0.0] * 120, step_seconds=30.0)
    assert record.data_wait_seconds == 0.0


def test_a_loop_that_the_accountant_does_not_see_has_no_wait():
    clock = ScriptedClock()
    with accountant(clock) as run:
        for _ in run.epochs(2):
            for _ in batches(clock, [0.5] * 3):
                run.observe(samples=1)
    assert {record.data_wait_seconds for record in run.history} == {None}


def test_a_loader_that_fails_leaves_the_waits_before():
    clock = ScriptedClock()

    def failing():
        yield from batches(clock, [1.0, 2.0])
        clock.advance(100.0)
        raise KeyError

    run = accountant(clock)
    with pytest.raises(KeyError), run:  # noqa: PT012
        for _ in run.epochs(1):
            for _ in run.steps(failing()):
                clock.advance(1.0)
    assert run.history[-1].data_wait_seconds == pytest.approx(3.0)
    assert run.history[-1].complete is False


def test_a_loop_that_is_left_early_and_an_empty_loader_count_what_came():
    clock = ScriptedClock()
    with accountant(clock) as run:
        for epoch in run.epochs(3):
            for number, _ in enumerate(run.steps(batches(clock, [0.5] * (0 if epoch == 1 else 9)))):
                clock.advance(1.0)
                if number == 3:
                    break
    waits = [record.data_wait_seconds for record in run.history if record.epoch is not None]
    assert waits == [pytest.approx(2.0), None, pytest.approx(2.0)]


def test_an_estimate_is_never_longer_than_its_interval():
    (record,) = trained([*[0.0] * 25, *[9.0] * 25, *[0.0] * 5_000], step_seconds=0.0)
    assert record.data_wait_seconds <= record.duration_seconds


def test_a_wait_survives_checkpoint_and_ledger(tmp_path):
    clock = ScriptedClock()
    source = ScriptedSource(100.0, clock=clock)
    run = EnergyAccountant(sources=[source], clock=clock, carbon_intensity=100.0, sinks=[], ledger=tmp_path / "a.jsonl")
    with run:
        for _ in run.epochs(2):
            for _ in run.steps(batches(clock, [0.5] * 4)):
                clock.advance(1.0)
    again = EnergyAccountant(ledger=tmp_path / "a.jsonl", sinks=[])
    resumed = EnergyAccountant(ledger=False, sinks=[])
    resumed.load_state_dict(run.state_dict())
    for history in (run.history, again.history, resumed.history):
        assert [record.data_wait_seconds for record in history if record.epoch is not None] == [2.0, 2.0]
        assert history.data_wait_seconds == 4.0


def test_a_state_of_an_earlier_version_has_no_waits():
    history = History([EpochRecord.scripted(epoch=0, emissions_kg=1.0)._replace(data_wait_seconds=0.5)])
    columns = history.to_columns()
    del columns["sparse"]["waits"]
    (record,) = History.from_columns(columns)
    assert (record.emissions_kg, record.data_wait_seconds) == (1.0, None)


def test_a_slow_beginning_does_not_stand_for_a_long_pass():
    (record,) = trained([*[1.0] * 30, *[0.0] * 970])
    assert record.data_wait_seconds == pytest.approx(30.0)


def test_the_loader_of_a_validation_is_no_wait_of_the_training():
    clock = ScriptedClock()
    with accountant(clock) as run:
        for _ in run.epochs(1):
            for _ in run.steps(batches(clock, [0.5] * 10)):
                clock.advance(1.0)
            with run.phase("validation"):
                for _ in run.steps(batches(clock, [9.0] * 10)):
                    clock.advance(1.0)
    assert run.history[-1].data_wait_seconds == pytest.approx(5.0)


@pytest.mark.parametrize("count", [100, 400, 5_000])
def test_a_single_stall_of_the_disk_stands_for_itself(count):
    """The stall is at a step that is looked at, with 46 others behind it."""
    waits = [0.0] * count
    waits[EXACT_STEPS + STRIDE if count > 100 else EXACT_STEPS] = 60.0
    (record,) = trained(waits)
    assert record.data_wait_seconds == pytest.approx(60.0)


def test_a_thread_that_fetches_ahead_keeps_nobody_waiting():
    clock = ScriptedClock()
    with accountant(clock) as run:
        for _ in run.epochs(2):
            ahead = Thread(target=lambda: list(run.steps(batches(clock, [0.5] * 9))))
            ahead.start()
            ahead.join()
    assert {record.data_wait_seconds for record in run.history} == {None}
