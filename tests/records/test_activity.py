from math import inf, nan

import pytest

from green_callbacks.errors import ConfigurationError
from green_callbacks.records import ActivityTotals, DeviceActivity, EpochRecord, History
from green_callbacks.records.activity import MEANS, mean_activity
from green_callbacks.sources import ScriptedSource

BUSY = DeviceActivity(60.0, 0.9, 1500.0, 70.0, 0.5, 0.2, 0.3, 0.0, 400.0)
IDLE = DeviceActivity(20.0, 0.1, 500.0, 40.0, 0.0, 0.0, 0.0, 0.0, 300.0)


def record(epoch=0, **activity):
    return EpochRecord.scripted(epoch=epoch, emissions_kg=0.1)._replace(activity=activity)


def test_the_means_are_the_fields_between_time_and_limit():
    assert DeviceActivity._fields == ("observed_seconds", *MEANS, "limit_watts")
    assert BUSY.means == BUSY[1:8]


def test_totals_weight_a_mean_by_the_time_in_which_it_was_reported():
    first = ActivityTotals(0.0)
    last = first.plus(DeviceActivity(3.0, utilization=1.0, sm_mhz=1000.0)).plus(DeviceActivity(1.0, utilization=0.0))
    seen = last.since(first, 60.0)
    assert (seen.observed_seconds, seen.utilization, seen.sm_mhz) == (4.0, 0.75, 1000.0)
    assert seen.throttled_share is None


def test_nothing_is_said_of_a_time_without_a_sample_or_of_another_beginning():
    totals = ActivityTotals(0.0).plus(BUSY)
    assert totals.since(totals, 60.0) is None
    assert totals.since(None, 60.0) is None
    assert totals.since(ActivityTotals(5.0), 60.0) is None


def test_a_sample_that_began_before_a_short_record_counts_as_long_as_the_record():
    assert ActivityTotals(0.0).plus(BUSY).since(ActivityTotals(0.0), 0.5).observed_seconds == 0.5


def test_a_mean_is_weighted_and_the_limit_is_the_last():
    whole = mean_activity([BUSY, IDLE])
    assert whole.observed_seconds == 80.0
    assert whole.utilization == pytest.approx((0.9 * 60 + 0.1 * 20) / 80)
    assert whole.limit_watts == 300.0
    assert mean_activity([]) is None


def test_a_history_keeps_activity_and_sums_it_inside_and_outside_epochs():
    rows = [record(0, gpu=BUSY), record(1), record(None, gpu=IDLE), record(2, gpu=IDLE)]
    history = History(rows)
    assert [row.activity for row in history] == [row.activity for row in rows]
    assert history.activity()["gpu"] == mean_activity([BUSY, IDLE])
    assert history.activity(outside=True) == {"gpu": mean_activity([IDLE])}
    assert History([record(0)]).activity() == {}
    assert [row.activity for row in history.copy()] == [row.activity for row in rows]


def test_a_checkpoint_keeps_activity_and_an_old_one_has_none():
    history = History([record(0, gpu=BUSY), record(1, gpu=IDLE, other=BUSY)])
    state = history.to_columns()
    assert [row.activity for row in History.from_columns(state)] == [row.activity for row in history]
    fields = state.get("columns", state)
    del fields["activity"]
    assert [row.activity for row in History.from_columns(state)] == [{}, {}]


@pytest.mark.parametrize("damaged", [[], [1, 2], None, ["", ""], "x", {"gpu": ["", ""]}])
def test_a_damaged_activity_in_a_checkpoint_is_refused(damaged):
    state = History([record(0, gpu=BUSY)]).to_columns()
    state["activity"] = {"gpu": damaged}
    with pytest.raises(ConfigurationError, match="damaged"):
        History.from_columns(state)


def test_repeated_epochs_keep_their_activity_outside_epochs():
    history = History([record(0, gpu=BUSY), record(1, gpu=IDLE)])
    history.rewind(1)
    assert history.activity()["gpu"] == mean_activity([BUSY])
    assert history.activity(outside=True)["gpu"] == mean_activity([IDLE])


@pytest.mark.parametrize("activity", [None, {"gpu": 3}, {"gpu": BUSY._replace(utilization=nan)}, {"gpu": (1.0,)}])
def test_a_record_with_an_impossible_activity_is_refused(activity):
    history = History()
    if activity == {"gpu": BUSY._replace(utilization=nan)}:
        history.append(record(0)._replace(activity=activity))  # NaN stands for None in a column
        assert history[0].activity["gpu"].utilization is None
        return
    with pytest.raises(ConfigurationError, match="activity"):
        history.append(record(0)._replace(activity=activity or 5))


@pytest.mark.parametrize("share", [50.0, -0.5])
def test_a_share_that_cannot_be_is_absent(share):
    seen = ActivityTotals(0.0).plus(BUSY._replace(utilization=share)).since(ActivityTotals(0.0), 60.0)
    assert (seen.utilization, seen.sm_mhz) == (None, BUSY.sm_mhz)


@pytest.mark.parametrize("watts", [-5.0, inf, nan])
def test_a_limit_that_cannot_be_is_absent(watts):
    last = ActivityTotals(0.0).plus(BUSY._replace(limit_watts=watts))
    assert last.since(ActivityTotals(0.0), 60.0).limit_watts is None


def test_a_script_in_percent_is_refused():
    with pytest.raises(ConfigurationError, match="shares of at most 1"):
        ScriptedSource(100.0, activity=DeviceActivity(1.0, utilization=95.0))
