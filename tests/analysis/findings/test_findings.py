"""Each finding is made where its fault was planted, and not where the opposite was."""

from datetime import timedelta

import pytest
from analysis.findings.gpus import GRID, INFOS, START, batches, healthy, phases, record, run

from green_callbacks.analysis.findings import findings
from green_callbacks.records import DeviceInfo, History, Intensity

IDLE = {"utilization": 0.59, "wait": 0.45}
HOURS = 7_200.0


def keys(history, infos=INFOS):
    return [finding.key for finding in findings(history, infos)]


def only(history, infos=INFOS):
    (finding,) = findings(history, infos)
    return finding


def outside(seconds, **facts):
    return record(None, seconds=seconds, **{"utilization": 0.0, "watts": 90.0} | facts)


SMALL_BATCHES = batches([32] * 4 + [128] * 4, {32: 2.0, 128: 1.0})
PLANTED = {
    "data_wait": run(**IDLE),
    "overheated": run(thermal_share=0.3),
    "braked": run(hardware_share=0.3),
    "power_cap": run(limit_watts=250.0, power_cap_share=0.8),
    "validation": run(phases=phases(0.4)),
    "idle_outside": History([*run(), outside(HOURS)]),
    "small_batches": SMALL_BATCHES,
}
OPPOSITES = {
    "the host waits while the GPU works": run(utilization=0.97, wait=0.9),
    "the GPU is idle and the loader is fast": run(utilization=0.4, wait=0.02),
    "a short wait explains little of the idle time": run(utilization=0.3, wait=0.28),
    "nobody saw the wait": run(utilization=0.4, wait=None),
    "nobody asked the driver": run(wait=0.9, observed=0.0),
    "the driver was asked too rarely": run(observed=0.3, thermal_share=0.9, **IDLE),
    "the driver does not know": run(utilization=None, wait=0.9, thermal_share=None, hardware_share=None),
    "others use the GPU": run(flags=("shared",), thermal_share=0.5, phases=phases(0.5), **IDLE),
    "the energy is a model": run(method="modelled", thermal_share=0.5, phases=phases(0.5), **IDLE),
    "a GPU that is only there": run(utilization=0.0, wait=0.9),
    "a GPU of a display": run(utilization=0.05, wait=0.5),
    "a tiny run": run(epochs=10, seconds=10.0, thermal_share=0.9, phases=phases(0.5, 10.0), **IDLE),
    "short spells of heat": run(thermal_share=0.04),
    "a GPU at its default limit": run(limit_watts=400.0, power_cap_share=1.0),
    "a low limit that is never reached": run(limit_watts=250.0, power_cap_share=0.05),
    "a raised limit": run(limit_watts=450.0, power_cap_share=0.9),
    "a usual validation": run(phases=phases(0.12)),
    "few validations": run(epochs=4, seconds=1_000.0, phases=phases(0.5, 1_000.0)),
    "one batch size": batches([32] * 8, {32: 2.0}),
    "nearly one batch size": batches([32] * 4 + [40] * 4, {32: 2.0, 40: 1.0}),
    "equally dear batches": batches([32] * 4 + [128] * 4, {32: 1.0, 128: 0.97}),
    "batches of equal cost but for rounding": batches([32] * 4 + [128] * 4, {32: 1.0, 128: 1.0 / 1.03}),
    "small batches that wait for files": History(
        row._replace(data_wait_seconds=40.0) if row.epoch < 4 else row for row in SMALL_BATCHES
    ),
    "dearer large batches": batches([32] * 4 + [128] * 4, {32: 1.0, 128: 1.5}),
    "a large batch once": batches([32] * 8 + [128], {32: 2.0, 128: 1.0}),
    "a slow first epoch": batches([16] + [128] * 8, {16: 9.0, 128: 1.0}),
    "a short pause": History([*run(), outside(300.0)]),
    "a busy GPU outside": History([*run(), outside(HOURS, utilization=0.9)]),
    "a small share outside": History([*run(epochs=500), outside(900.0)]),
    "an idle GPU that never trained": History([*run(utilization=0.0, wait=None), outside(HOURS)]),
    "an epoch that was repeated": History([*run(), record(None, seconds=HOURS, utilization=0.0, complete=False)]),
    "nothing": History(),
}


@pytest.mark.parametrize("key", PLANTED)
def test_each_planted_fault_is_found_and_no_other(key):
    finding = only(PLANTED[key])
    assert finding.key == key
    assert finding.text.endswith(".")


@pytest.mark.parametrize("name", OPPOSITES)
def test_the_opposite_is_no_finding(name):
    assert keys(OPPOSITES[name]) == []


@pytest.mark.parametrize("seed", range(200))
def test_a_random_healthy_gpu_has_no_finding(seed):
    assert keys(healthy(seed)) == []


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("data_wait", {"utilization": 0.4, "wait": 0.55}),
        ("overheated", {"thermal_share": 0.25}),
        ("braked", {"hardware_share": 0.25}),
        ("power_cap", {"limit_watts": 300.0, "power_cap_share": 0.7}),
    ],
)
def test_a_fault_is_found_in_any_long_run(seed, key, fault):
    epochs, seconds = 4 + seed, 110.0 * (1 + seed % 7)
    assert keys(run(epochs, seconds=seconds, gpus=1 + seed % 3, observed=0.9, **fault)) == [key]


def test_the_cost_of_a_wait_is_at_most_its_share():
    finding = only(PLANTED["data_wait"])
    whole = PLANTED["data_wait"].emissions_kg
    assert finding.value == pytest.approx(0.41)
    assert finding.emissions_kg == pytest.approx(0.41 * whole)
    assert finding.facility_kwh == pytest.approx(finding.emissions_kg / GRID.g_per_kwh * 1000)
    assert finding.is_saving
    assert "idle for 41 % of the epochs" in finding.text
    assert "waited for data for 45 %" in finding.text


def test_the_cost_of_a_validation_is_its_energy():
    finding = only(PLANTED["validation"])
    assert finding.value == pytest.approx(0.4)
    assert finding.emissions_kg == pytest.approx(0.4 * PLANTED["validation"].emissions_kg)


def test_the_cost_outside_is_the_energy_of_the_gpu():
    finding = only(PLANTED["idle_outside"])
    idle, trained = 90.0 * HOURS, 10 * 120 * 300.0
    assert finding.value == pytest.approx(idle / (idle + trained))
    assert "2 h" in finding.text


def test_the_cost_of_small_batches_is_what_the_larger_would_have_saved():
    finding = only(PLANTED["small_batches"])
    assert finding.value == pytest.approx(2.0)
    joules = 3 * 36_000 * (2.0 - 1.0)  # the first epoch is left out
    assert finding.facility_kwh == pytest.approx(joules / 3.6e6)
    assert "about 32 samples took 2.00 J" in finding.text


def test_small_batches_of_other_work_are_not_compared():
    def longer(at, each):
        return each._replace(tokens=each.samples * (100 if at < 4 else 50))

    history = PLANTED["small_batches"]
    assert keys(History([longer(at, each) for at, each in enumerate(history)])) == []
    assert keys(History([each._replace(tokens=100 * each.samples) for each in history])) == ["small_batches"]


def test_a_cost_that_may_be_needed_is_no_saving():
    for key in ("overheated", "braked", "power_cap"):
        assert only(PLANTED[key]).is_saving is False
    assert only(PLANTED["power_cap"]).emissions_kg is None


def test_the_limit_and_its_default_are_told():
    assert "It was 250 W, and the default is 400 W." in only(PLANTED["power_cap"]).text
    assert keys(PLANTED["power_cap"], {}) == []
    assert keys(PLANTED["power_cap"], {"gpu:0": DeviceInfo()}) == []


def test_the_gpus_that_are_concerned_are_named():
    history = run(gpus=4)
    hot = [
        each._replace(activity={**each.activity, "gpu:2": each.activity["gpu:2"]._replace(thermal_share=0.5)})
        for each in history
    ]
    finding = only(History(hot))
    assert finding.text.startswith("1 of 4 GPUs (gpu:2) ran at lowered clocks because of heat for 50 % of the epochs.")
    assert finding.emissions_kg == pytest.approx(0.5 / 4 * history.emissions_kg)
    assert only(run(gpus=4, thermal_share=0.5)).text.startswith("All 4 GPUs ")


def test_the_name_of_a_gpu_cannot_harm_a_terminal():
    history = History(
        [
            each._replace(
                devices={"\x1b[31mgpu": each.devices["gpu:0"], "gpu:1": each.devices["gpu:1"]},
                activity={"\x1b[31mgpu": each.activity["gpu:0"]._replace(thermal_share=0.5)},
            )
            for each in run(gpus=2)
        ]
    )
    assert "\x1b" not in only(history).text


def test_the_largest_saving_comes_first():
    history = run(phases=phases(0.3), thermal_share=0.4, **IDLE)
    assert keys(history) == ["data_wait", "validation", "overheated"]


def test_a_thinned_history_gives_none():
    history = PLANTED["data_wait"].copy()
    history._rows.unseen = 1
    assert keys(history) == []


def test_batches_whose_samples_may_be_other_work_are_compared_under_a_condition():
    history = PLANTED["small_batches"]
    assert only(history).text.endswith(" less, if a sample was as much work in them.")
    known = History([each._replace(tokens=100 * each.samples) for each in history])
    assert only(known).text.endswith(" less.")
    assert "if a sample" not in only(known).text


def test_batches_on_other_devices_are_not_compared():
    def moved(at, each):
        devices = {"gpu:1": each.devices["gpu:0"], "gpu:2": each.devices["gpu:0"]}
        return each if at < 4 else each._replace(devices=devices, activity={}, samples=2 * each.samples)

    assert keys(History([moved(at, each) for at, each in enumerate(PLANTED["small_batches"])])) == []


@pytest.mark.parametrize(
    ("first", "remedy"),
    [(True, "Do what needs no GPU, such as preparing data, before"), (False, "Let the process end")],
)
def test_the_remedy_of_an_idle_gpu_depends_on_when_it_was_idle(first, remedy):
    idle = outside(HOURS, started_at=START - timedelta(hours=3) if first else START + timedelta(days=1))
    assert remedy in only(History([idle, *run()] if first else [*run(), idle])).text


@pytest.mark.parametrize("flags", [("shared",), ("sm_share",), ("share_unknown",), ("unmeasured",)])
def test_batches_are_not_compared_where_another_program_came_and_went(flags):
    """The energy of a shared GPU is not that of the run, so small batches only look dear."""
    rows = list(batches([32] * 4 + [128] * 4, {32: 2.0, 128: 1.0}))
    there = [
        row._replace(devices={name: each._replace(flags=flags) for name, each in row.devices.items()})
        for row in rows[:4]
    ]
    assert keys(History([*there, *rows[4:]])) == []


@pytest.mark.parametrize("key", [*PLANTED])
def test_a_cost_without_emissions_is_energy(key):
    clean = Intensity(g_per_kwh=0.0, source="test", found_by="argument")
    found = only(History([row._replace(intensity=clean) for row in PLANTED[key]]))
    assert found.key == key
    assert "mg" not in found.text
    assert ("Wh" in found.text) is (found.facility_kwh is not None)


def test_two_gpus_are_both():
    assert only(run(gpus=2, thermal_share=0.5)).text.startswith("Both GPUs ")


def test_a_limit_that_was_lowered_meanwhile_counts_for_its_epochs():
    capped = [record(epoch, limit_watts=250.0, power_cap_share=0.9) for epoch in range(3, 10)]
    finding = only(History([*run(3), *capped]))
    assert finding.value == pytest.approx(0.9 * 0.7)
    assert "for 63 % of the epochs" in finding.text


@pytest.mark.parametrize("parts", [4, 40])
def test_a_validation_inside_a_long_epoch_is_found(parts):
    rows = [
        record(
            at // parts, phases=phases(0.0 if at % 4 == 3 else 0.5), step=at + 1, closes_epoch=at % parts == parts - 1
        )
        for at in range(40)
    ]
    assert only(History(rows)).value == pytest.approx(0.375)
