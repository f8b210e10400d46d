"""Records and runs as hypothesis makes them up."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from green_callbacks.records import DeviceActivity, DeviceEnergy, EpochRecord, Intensity, PhaseEnergy, Verdict

JOULES = st.floats(0, 1e12, allow_subnormal=False)
NAMES = st.sampled_from(["gpu:0", "gpu:1", "cpu:package-0", "dram:0", "platform:é"])
FLAGS = st.lists(st.sampled_from(["shared", "reset", "stale"]), unique=True).map(tuple)
METRICS = st.dictionaries(st.sampled_from(["val_acc", "val_loss", "ε"]), st.floats(), max_size=3)


@st.composite
def devices(draw):
    joules = draw(st.none() | JOULES)
    margin = draw(st.floats(0, 1e3))
    duration = draw(st.floats(0, 1e6))
    return DeviceEnergy(
        joules=joules,
        low_joules=None if joules is None else max(0.0, joules - margin),
        high_joules=None if joules is None else joules + margin,
        component=draw(st.sampled_from(["gpu", "cpu", "dram"])),
        method=draw(st.sampled_from(["counter", "sampled", "modelled"])),
        duration_seconds=duration,
        gap_seconds=draw(st.just(0.0) | st.floats(0, 1e6)),
        tolerance=draw(st.sampled_from([0.0, 0.05, 0.3])),
        flags=draw(FLAGS),
    )


INTENSITIES = st.builds(
    Intensity,
    g_per_kwh=st.floats(0, 1500),
    low_g_per_kwh=st.none() | st.just(0.0),
    high_g_per_kwh=st.none() | st.just(1500.0),
    zone=st.none() | st.sampled_from(["DE", "FR"]),
    year=st.none() | st.integers(2000, 2030),
    source=st.just("a table"),
    found_by=st.just("argument"),
    flags=FLAGS,
)
VERDICTS = st.builds(
    Verdict,
    st.booleans(),
    st.sampled_from(["waiting", "active", "warning", "stopping"]),
    st.text(max_size=10),
    st.dictionaries(st.just("green/budget_left_kg"), st.floats(allow_nan=False)),
)


EPOCHS = st.none() | st.integers(0, 10**6)


ACTIVITIES = st.sampled_from(
    [
        DeviceActivity(59.9, 0.9, 1500.0, 70.5, 0.5, 0.2, 0.3, 0.0, 400.0),
        DeviceActivity(0.001, utilization=0.0, limit_watts=300.0),
        DeviceActivity(1e6, throttled_share=0.0, thermal_share=1.0),
        DeviceActivity(3.0),
    ]
)


@st.composite
def records(draw, epochs=EPOCHS):
    """A record that any source, framework and user may have led to."""
    duration = draw(st.floats(0, 1e6))
    used = draw(st.dictionaries(NAMES, devices(), max_size=3))
    phases = st.dictionaries(
        st.sampled_from(["train", "validation", "other"]),
        st.builds(PhaseEnergy, st.none() | JOULES, st.floats(0, 1e6)),
        max_size=3,
    )
    return EpochRecord(
        epoch=draw(epochs),
        step=draw(st.none() | st.integers(0, 10**9)),
        closes_epoch=draw(st.booleans()),
        complete=draw(st.booleans()),
        started_at=datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=draw(st.integers(0, 10**15 * 3))),
        duration_seconds=duration,
        devices={name: lasting(device, duration) for name, device in used.items()},
        phases=draw(phases),
        intensity=draw(INTENSITIES),
        pue=draw(st.sampled_from([1.0, 1.1, 1.58])),
        metrics=draw(METRICS),
        learning_rate=draw(st.none() | st.floats(0, 10)),
        samples=draw(st.none() | st.integers(0, 10**9)),
        steps=draw(st.none() | st.integers(0, 10**6)),
        verdicts=tuple(draw(st.lists(VERDICTS, max_size=2))),
        activity={name: draw(ACTIVITIES) for name in used if name.startswith("gpu") and draw(st.booleans())},
    )


def lasting(device, seconds):
    """The device over the record's own time."""
    return device._replace(duration_seconds=seconds, gap_seconds=min(seconds, device.gap_seconds))


def comparable(record):
    """What must survive: everything but verdicts; NaN equal to itself, mappings in any order."""
    return repr(
        {
            **{name: getattr(record, name) for name in record._fields if name != "verdicts"},
            **{name: sorted(getattr(record, name).items()) for name in ("devices", "phases", "metrics", "activity")},
        }
    )


def totals_of(history):
    """All that is summed over a history, for comparisons."""
    return repr(
        [
            list(history.cumulative_kg),
            list(history.cumulative_kwh),
            list(history.cumulative_seconds),
            list(history.epoch_rows),
            history.last_epoch,
            history.fit_row,
            history.energy_joules,
            history.epochs_joules,
            history.outside_joules,
            history.emissions_low_kg,
            history.emissions_high_kg,
            history.samples,
            history.tokens,
            history.flops,
            history.steps,
            history.effort,
            history.measured_share,
            sorted(history.device_totals().items()),
            sorted(history.activity().items()),
            sorted(history.activity(outside=True).items()),
        ]
    )
