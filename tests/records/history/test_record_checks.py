"""Records that cannot be kept are refused before anything has changed."""

import pytest
from support.scripted_run import GERMANY, device, record
from support.strategies import comparable

from green_callbacks import EpochRecord, History
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import PhaseEnergy

INTENSITY = GERMANY.__class__
NAN = float("nan")
WRONG = {
    "epoch is not a 64-bit integer": {"epoch": 2**70},
    "step is not a 64-bit integer": {"step": 1e19},
    "duration_seconds is no finite number": {"duration_seconds": NAN},
    "pue is no finite number": {"pue": float("inf")},
    "samples is no number": {"samples": "many"},
    "tokens is no number": {"tokens": 10**400},
    "flops is no number": {"flops": [1.0]},
    "learning_rate is no number": {"learning_rate": 1j},
    "started_at is no time": {"started_at": "now"},
    "one of its metrics is no number": {"metrics": {"val_acc": "high"}},
    "metrics are no mapping": {"metrics": [1.0]},
    "devices are no mapping of DeviceEnergy": {"devices": {"gpu:0": 3.0}},
    "a number of one of its devices is not finite": {"devices": {"gpu:0": device(float("inf"))}},
    "the flags of one of its devices are no tuple": {"devices": {"gpu:0": device(1.0, flags=["shared"])}},
    "phases are no mapping of PhaseEnergy": {"phases": {"train": (1.0, 2.0, 3.0)}},
    "a number of one of its phases is not finite": {"phases": {"train": PhaseEnergy(1.0, "long")}},
    "intensity is no Intensity": {"intensity": 300.0},
    "carbon intensity is not finite": {"intensity": INTENSITY(g_per_kwh=NAN, source="x", found_by="argument")},
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_kept_is_said_with_the_remedy(what):
    history = History([record(0)])
    before = [comparable(each) for each in history]
    columns = history.to_columns()
    with pytest.raises(ConfigurationError, match=what) as refusal:
        history.append(record(1)._replace(**WRONG[what]))
    assert str(refusal.value).endswith(". Correct it and add it again.")
    assert [comparable(each) for each in history] == before
    assert history.to_columns() == columns
    history.append(record(1))
    assert [each.epoch for each in history] == [0, 1]


def test_what_is_no_record_is_refused():
    with pytest.raises(ConfigurationError, match=r"keeps records, not dict\. Make a record with EpochRecord"):
        History([{"epoch": 1}])


def test_sums_that_would_overflow_are_refused():
    history = History([record(0)._replace(duration_seconds=1e308)])
    with pytest.raises(ConfigurationError, match="the sum of its energy, emissions or time would not be finite"):
        history.append(record(1)._replace(duration_seconds=1e308))
    assert len(history) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"epoch": -1},
        {"epoch": 2**62, "step": 2**62},
        {"samples": 1e300},
        {"metrics": {"val_acc": NAN, "val_loss": float("inf")}},
        {"devices": {}, "phases": {}},
    ],
)
def test_what_is_odd_and_can_be_kept_is_kept(fields):
    given = EpochRecord.scripted(epoch=0)._replace(**fields)
    back = History.from_columns(History([given]).to_columns())
    assert comparable(back[0]) == comparable(
        given._replace(samples=None if given.samples is None else int(given.samples))
    )
