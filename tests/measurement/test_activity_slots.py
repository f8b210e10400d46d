"""What the GPUs of other ranks do."""

import pytest
from support.runs import WATTS, scripted, train
from support.thread_ranks import on_ranks

from green_callbacks.accountant.energy.lap_vectors import DeviceSlot, Lap, LapVectors
from green_callbacks.clock import ScriptedClock
from green_callbacks.measurement.activity_slots import ActivitySlots
from green_callbacks.records import DeviceActivity, DeviceInfo
from green_callbacks.sources import ScriptedSource

BUSY = DeviceActivity(10.0, 0.5, 1500.0, 60.0, 0.25, 0.0, 0.25, 0.0, 300.0)


def slot(number, rank=0, component="gpu"):
    return DeviceSlot(f"host/{component}:{number}", f"{component}:{number}", rank, component, (), DeviceInfo())


def test_the_record_of_rank_0_holds_what_the_gpus_of_all_ranks_did():
    def body(ranks):
        clock = ScriptedClock()
        seen = BUSY._replace(utilization=ranks.rank / 4)
        source = ScriptedSource(WATTS, name=f"gpu:{ranks.rank}", activity=seen if ranks.rank else None, clock=clock)
        accountant, _ = scripted(clock, sources=[source])
        accountant.start(ranks=ranks)
        records = train(accountant, clock, range(2))
        return records, accountant.close()

    (records, run), *_ = on_ranks(3, body)
    for record in records:
        assert {name: each.utilization for name, each in record.activity.items()} == {"gpu:1": 0.25, "gpu:2": 0.5}
    assert run.activity["gpu:1"].observed_seconds == 20.0


def test_absent_values_stay_absent_on_their_way():
    slots = ActivitySlots([("a", "a", True), ("b", "b", False)])
    seen = {"a": DeviceActivity(5.0, utilization=0.0)}
    assert slots.activity(slots.numbers(seen)) == seen
    assert slots.activity(slots.numbers({})) == {}
    assert slots.own({"a": BUSY, "b": BUSY}) == {"a": BUSY}


def test_a_rank_that_is_alone_keeps_its_own():
    vectors = LapVectors([slot(0), slot(1, rank=1), slot(0, component="cpu")], 0)
    lap = Lap(1.0, {}, {}, None, [], activity={"gpu:0": BUSY})
    assert vectors.alone(lap).activity == {"host/gpu:0": BUSY}
    assert vectors.lap(lap, vectors.of(lap)).activity == {"host/gpu:0": BUSY}


@pytest.mark.parametrize(("gpus", "is_held"), [(64, True), (65, False)])
def test_a_vector_of_very_many_gpus_holds_no_activity(gpus, is_held):
    vectors = LapVectors([slot(number, rank=number) for number in range(gpus)], 0)
    lap = Lap(1.0, {}, {}, None, [], activity={"gpu:0": BUSY})
    assert bool(vectors.lap(lap, vectors.of(lap)).activity) is is_held
    assert len(vectors.of(lap)) == 7 * gpus + 8 + (9 * gpus if is_held else 0)
