"""An open interval: what its laps came to, and what was observed in it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import inf, nan

import pytest

from green_callbacks.accountant.energy.observations import MAX_COUNT, MAX_METRICS, Observations
from green_callbacks.accountant.energy.open_interval import OpenInterval
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.meter import Snapshot, Tally
from green_callbacks.records import Reading

START = datetime(2026, 3, 1, tzinfo=UTC)
OWNED = {"gpu:0", "cpu:0"}
WATTS = {"gpu:0": 300.0, "cpu:0": 100.0, "gpu:1": 1000.0}


def edge(seconds):
    """All devices at a time; the last is another rank's."""
    tallies = {
        name: Tally(watts * seconds, Reading(watts * seconds, name[:3], "counter"), 0, seconds)
        for name, watts in WATTS.items()
    }
    return Snapshot(seconds, START + timedelta(seconds=seconds), tallies)


def noted(metrics=None, **counts):
    observations = Observations()
    observations.note(metrics or {}, counts, Guarded())
    return observations


def test_an_interval_of_one_lap_is_that_lap_and_no_other_ranks_devices_count():
    interval = OpenInterval.begun(edge(0.0), "train", 3).marked(edge(10.0), OWNED)
    lap = interval.lap(OWNED)
    assert {name: device.joules for name, device in lap.devices.items()} == {"gpu:0": 3000.0, "cpu:0": 1000.0}
    assert (lap.seconds, lap.phases["train"].joules, lap.phases["train"].seconds) == (10.0, 4000.0, 10.0)
    assert (interval.epoch, interval.seconds) == (3, 10.0)


def test_phases_partition_the_interval_also_where_one_comes_twice():
    interval = OpenInterval.begun(edge(0.0), "train", 0)
    for end, phase in ((4.0, "validation"), (5.0, "train"), (9.0, "other"), (10.0, None)):
        interval = interval.marked(edge(end), OWNED, phase)
    lap = interval.lap(OWNED)
    assert {name: phase.seconds for name, phase in lap.phases.items()} == {
        "train": 8.0,
        "validation": 1.0,
        "other": 1.0,
    }
    assert sum(phase.joules for phase in lap.phases.values()) == 4000.0
    assert sum(device.joules for device in lap.devices.values()) == 4000.0


def test_marking_leaves_the_interval_before_as_it_was():
    before = OpenInterval.begun(edge(0.0), "train", 0).marked(edge(1.0), OWNED, "validation")
    after = before.marked(edge(3.0), OWNED)
    assert (before.seconds, list(before.phases), len(before.pieces)) == (1.0, ["train"], 1)
    assert (after.seconds, list(after.phases), len(after.pieces)) == (3.0, ["train", "validation"], 2)
    assert after.observations is before.observations


def test_an_interval_without_a_lap_has_no_time_and_one_piece():
    lap = OpenInterval.begun(edge(5.0), "other").lap(OWNED)
    assert (lap.seconds, lap.phases, len(lap.pieces)) == (0.0, {}, 1)
    assert {device.joules for device in lap.devices.values()} == {0.0}


@pytest.mark.parametrize("laps", [1, 63, 64, 65, 1000])
def test_an_interval_of_many_laps_keeps_few_pieces_that_hold_all(laps):
    interval = OpenInterval.begun(edge(0.0), "train", 0)
    for end in range(1, laps + 1):
        interval = interval.marked(edge(float(end)), OWNED)
    pieces = interval.pieces
    assert len(pieces) <= 65
    assert (pieces[0].start, pieces[-1].end) == (START, START + timedelta(seconds=laps))
    assert sum(piece.joules for piece in pieces) == pytest.approx(400.0 * laps)
    assert all(one.end == two.start for one, two in pairwise(pieces))


def test_what_a_device_does_not_tell_is_no_energy_of_its_phase():
    lost = edge(10.0)
    tally = lost.tallies["gpu:0"]
    reading = tally.reading._replace(joules=None, reason="lost")
    silent = Snapshot(lost.seconds, lost.when, {**lost.tallies, "gpu:0": Tally(0.0, reading, 0, 0.0)})
    interval = OpenInterval.begun(edge(0.0), "train", 0).marked(silent, {"gpu:0"})
    assert interval.phases["train"].joules is None
    assert interval.marked(edge(20.0), {"cpu:0"}).phases["train"].joules == 1000.0


def test_counts_add_up_and_states_are_replaced():
    observations = Observations()
    for step in (10, 20):
        counts = {"samples": 100, "tokens": 1000, "flops": 1e12, "step": step, "learning_rate": 1 / step}
        observations.note({"loss": float(step)}, counts, Guarded())
    assert (observations.samples, observations.tokens, observations.flops) == (200, 2000, 2e12)
    assert (observations.step, observations.learning_rate, observations.metrics) == (20, 0.05, {"loss": 20.0})


@pytest.mark.parametrize("name", ["samples", "tokens", "step", "flops"])
@pytest.mark.parametrize("value", [-1, 1e300, nan, inf, "many"], ids=str)
def test_a_count_that_cannot_be_is_said_and_not_recorded(name, value, caplog):
    assert getattr(noted(**{name: value}), name) is None
    assert len(caplog.records) == 1


@pytest.mark.parametrize("name", ["samples", "tokens"])
def test_a_count_never_passes_what_a_float_counts_by_ones(name):
    observations = Observations()
    for _ in range(3):
        observations.note({}, {name: MAX_COUNT - 1}, Guarded())
    assert getattr(observations, name) == MAX_COUNT


def test_too_many_metrics_are_said_and_the_first_are_kept(caplog):
    observations = noted({f"metric {number}": 1.0 for number in range(MAX_METRICS + 10)})
    assert len(observations.metrics) == MAX_METRICS
    assert "metric 0" in observations.metrics
    assert len(caplog.records) == 1


def test_a_mapping_that_raises_costs_nothing_else(caplog):
    class Hostile(dict):
        def keys(self):
            raise RuntimeError

        def items(self):
            raise RuntimeError

        __iter__ = keys

    observations = noted(Hostile(loss=1.0), samples=5)
    assert observations.samples == 5
