"""Records of any kind lead to findings with sound numbers, or to none."""

from math import isfinite

from hypothesis import given
from hypothesis import strategies as st
from support.strategies import records

from green_callbacks.analysis.findings import findings
from green_callbacks.records import DeviceActivity, DeviceInfo, History

SHARES = st.none() | st.floats(0, 1)
ACTIVITIES = st.builds(
    DeviceActivity,
    observed_seconds=st.floats(0, 1e6),
    utilization=SHARES,
    thermal_share=SHARES,
    power_cap_share=SHARES,
    hardware_share=SHARES,
    limit_watts=st.none() | st.floats(0, 1e3),
)


@st.composite
def told(draw):
    record = draw(records(st.none() | st.integers(0, 9)))
    activity = {name: draw(ACTIVITIES) for name in record.devices if draw(st.booleans())}
    waits, counts = st.none() | st.floats(0, 1e6), st.none() | st.integers(0, 10**6)
    return record._replace(
        activity=activity, data_wait_seconds=draw(waits), steps=draw(counts), tokens=draw(counts), verdicts=()
    )


@given(st.lists(told(), max_size=12), st.sampled_from([None, 0.0, 400.0]))
def test_any_records_have_sound_findings_or_none(rows, limit):
    infos = {f"gpu:{at}": DeviceInfo(default_limit_watts=limit) for at in range(2)}
    for finding in findings(History(rows), infos):
        assert isfinite(finding.value)
        assert finding.value >= 0
        assert finding.emissions_kg is None or finding.emissions_kg >= 0
        assert finding.text
