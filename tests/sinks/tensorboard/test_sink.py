import copy
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.scripted_run import GERMANY, device, finished, record, run_context
from support.tensorboard_events import Events, read_events

from green_callbacks.records import EpochRecord, History, Intensity, RunRecord, Verdict
from green_callbacks.sinks import Reporting, TensorBoardSink, scalars

EPOCH_KG = 4000 / 3.6e6 * 1.25 * 0.360
OUTSIDE_KG = EPOCH_KG / 4
QUALITY = "green/1_quality_by_mg_co2e"
LOSS = "green/1_loss_by_mg_co2e"


def outside() -> EpochRecord:
    return record(None, gpu_joules=750.0, cpu_joules=250.0)


def show(folder: Path, *records: EpochRecord, run: RunRecord | None = None, **context: Any) -> Events:
    """Write records as a run does, and read them back."""
    sink = TensorBoardSink(folder)
    sink.open(run_context(folder, **context))
    for each in records:
        sink.write(each)
    if run is not None:
        sink.finish(run)
    sink.close()
    return read_events(folder)


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-6)  # TensorBoard keeps 32 bits


def open_files() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


def test_an_epoch_shows_power_energy_emissions_and_intensity(tmp_path: Path):
    events = show(tmp_path, record(0), record(1))

    assert events.points("green/watts") == [(0, near(400)), (1, near(400))]
    assert events.points("green/gpu_watts") == [(0, near(300)), (1, near(300))]
    assert events.points("green_detail/cpu_watts") == [(0, near(100)), (1, near(100))]
    assert events.points("green/energy_wh")[1] == (1, near(4000 / 3600))
    assert events.points("green_detail/gpu_energy_wh")[1] == (1, near(3000 / 3600))
    assert events.points("green/emissions_g")[1] == (1, near(1000 * EPOCH_KG))
    assert events.points("green_detail/intensity_g_per_kwh")[1] == (1, near(360))


def test_what_people_look_for_is_a_handful_and_begins_with_emissions(tmp_path: Path):
    told = {"green/budget_left_kg": 1, "green/budget_share": 0.1, "green/gain_per_kg": 1, "green/gain_per_kwh": 1}
    told |= {f"green/forecast_{each}": 1 for each in ("kg", "low_kg", "high_kg", "kwh")} | {"green/gain_on_doubling": 1}
    verdict = Verdict(stop=False, code="active", reason="", values=told)

    tags = sorted(show(tmp_path, record(0, metrics={"val_acc": 0.5}, verdicts=(verdict,))).scalars)

    assert [tag.removeprefix("green/") for tag in tags if tag.startswith("green/")] == [
        "1_quality_by_mg_co2e",
        "budget_left_g",
        "emissions_g",
        "emissions_total_g",
        "energy_wh",
        "gain_per_kg",
        "gpu_watts",
        "measured_percent",
        "watts",
    ]
    assert [tag.removeprefix("green_detail/") for tag in tags if not tag.startswith("green/")] == [
        "budget_share",
        "cpu_energy_wh",
        "cpu_watts",
        "emissions_total_high_g",
        "emissions_total_low_g",
        "forecast_g",
        "forecast_high_g",
        "forecast_low_g",
        "gain_on_doubling",
        "gain_per_kwh",
        "gpu_energy_wh",
        "intensity_g_per_kwh",
    ]


def test_a_single_component_is_not_drawn_twice(tmp_path: Path):
    events = show(tmp_path, record(0, devices={"cpu:0": device(1000.0, "cpu")}))

    assert not any("cpu" in tag for tag in events.scalars)
    assert events.points("green/energy_wh") == [(0, near(1000 / 3600))]


def test_the_share_that_is_measured_and_the_bounds_of_the_emissions_are_curves(tmp_path: Path):
    events = show(tmp_path, record(0), record(1), before=History([outside()]))

    assert events.points("green/measured_percent") == [(0, near(75)), (1, near(75))]
    low_kg = sum(each.emissions_low_kg or 0 for each in (outside(), record(0)))
    high_kg = sum(each.emissions_high_kg or 0 for each in (outside(), record(0)))
    assert events.points("green_detail/emissions_total_low_g")[0] == (0, near(1000 * low_kg))
    assert events.points("green_detail/emissions_total_high_g")[0] == (0, near(1000 * high_kg))
    assert low_kg < 1e-3 * events.points("green/emissions_total_g")[0][1] < high_kg


def test_points_stand_at_the_time_of_day_at_which_the_epoch_ended(tmp_path: Path):
    events = show(tmp_path, record(0))

    assert events.scalars["green/watts"][0].wall_seconds == record(0).started_at.timestamp() + 10


def test_two_devices_of_a_component_are_one_curve(tmp_path: Path):
    pair = record(0)
    twins = {"gpu:0": pair.devices["gpu:0"], "gpu:1": pair.devices["gpu:0"]}

    events = show(tmp_path, record(0, devices=twins))

    assert events.points("green/gpu_watts") == [(0, near(600))]


def test_the_total_counts_what_lies_outside_epochs_and_what_earlier_processes_used(tmp_path: Path):
    events = show(tmp_path, outside(), record(1), before=History([outside(), record(0)]))

    assert events.points("green/emissions_total_g") == [(1, near(1000 * (2 * EPOCH_KG + 2 * OUTSIDE_KG)))]


def test_what_lies_outside_epochs_has_no_points(tmp_path: Path):
    events = show(tmp_path, outside())

    assert not events.scalars


def test_what_was_not_measured_is_not_drawn(tmp_path: Path):
    events = show(tmp_path, record(0, gpu_joules=None, cpu_joules=None, metrics={"val_acc": 0.5}))

    assert list(events.scalars) == ["green_detail/intensity_g_per_kwh"]


def test_a_lost_device_leaves_the_others_on(tmp_path: Path):
    events = show(tmp_path, record(0, gpu_joules=None))

    assert events.points("green_detail/cpu_watts") == [(0, near(100))]
    assert "green/gpu_watts" not in events.scalars


def test_the_numbers_of_the_verdicts_are_drawn(tmp_path: Path):
    verdicts = (
        Verdict(stop=False, code="active", reason="", values={"green/budget_left_kg": 0.25}),
        Verdict(stop=False, code="active", reason="", values={"green/gain_per_kg": 3.0}),
    )

    events = show(tmp_path, record(0, verdicts=verdicts))

    assert events.points("green/budget_left_g") == [(0, near(250))]
    assert events.points("green/gain_per_kg") == [(0, near(3.0))]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_diverged_run_goes_on_being_drawn(tmp_path: Path, value: float):
    verdict = Verdict(stop=False, code="active", reason="", values={"green/gain_per_kg": value})

    events = show(tmp_path, record(0, metrics={"val_acc": value}, verdicts=(verdict,)), record(1))

    assert len(events.points("green/watts")) == 2
    assert "green/gain_per_kg" not in events.scalars
    assert QUALITY not in events.scalars


def test_what_the_framework_streams_is_never_repeated(tmp_path: Path):
    events = show(tmp_path, record(0, metrics={"val_acc": 0.5}), reporting=Reporting(streams_scalars=True))

    assert list(events.scalars) == [QUALITY]


def test_parts_of_an_epoch_stand_at_the_last_step_of_each(tmp_path: Path):
    parts = [record(0, step=100, closes_epoch=False), record(0, step=150), record(1, step=250)]

    events = show(tmp_path, *parts)

    assert [step for step, _ in events.points("green/watts")] == [99, 149, 249]


def test_parts_without_steps_stand_at_their_epoch(tmp_path: Path):
    events = show(tmp_path, record(3, closes_epoch=False))

    assert events.points("green/watts") == [(3, near(400))]


def test_quality_is_drawn_against_emissions_so_far(tmp_path: Path):
    quality = [record(e, metrics={"val_loss": 1.0, "val_acc": 0.5 + e / 10}) for e in range(2)]

    events = show(tmp_path, outside(), *quality, monitor="val_acc")

    milligrams = [round((OUTSIDE_KG + n * EPOCH_KG) * 1e6) for n in (1, 2)]
    assert events.points(QUALITY) == [(milligrams[0], near(0.5)), (milligrams[1], near(0.6))]
    assert "| quality on the charts | val_acc, more is better |" in events.pages[-1]
    assert LOSS not in events.scalars


@pytest.mark.parametrize("metric", ["val_acc", "val_accuracy", "val/f1"])
def test_quality_has_one_name_in_all_frameworks(tmp_path: Path, metric: str):
    assert show(tmp_path, record(0, metrics={metric: 0.5}), monitor=metric).points(QUALITY) == [(500, 0.5)]


@pytest.mark.parametrize(
    ("metric", "context"), [("val_loss", {}), ("val_rmse", {}), ("val_thing", {"monitor": "val_thing", "mode": "min"})]
)
def test_what_falls_as_it_improves_never_stands_among_what_rises(tmp_path: Path, metric: str, context: dict[str, str]):
    events = show(tmp_path, record(0, metrics={metric: 0.5}), **context)

    assert events.points(LOSS) == [(500, 0.5)]
    assert QUALITY not in events.scalars
    assert f"| quality on the charts | {metric}, less is better |" in events.pages[-1].replace("\\_", "_")


def test_a_metric_that_nobody_watches_stays_the_one_that_is_drawn(tmp_path: Path):
    events = show(tmp_path, record(0, metrics={"loss": 2, "val_loss": 1}), record(1, metrics={"val_acc": 0.5}))

    assert len(events.points(LOSS)) == 1
    assert QUALITY not in events.scalars


@settings(max_examples=15, deadline=None)
@given(joules=st.lists(st.floats(0.1, 1e9), min_size=1, max_size=8))
def test_the_points_of_quality_never_go_back(tmp_path_factory: pytest.TempPathFactory, joules: list[float]):
    clean = Intensity(g_per_kwh=50.0, source="clean", found_by="argument")
    records = [
        record(e, gpu_joules=j, cpu_joules=None, intensity=clean, metrics={"val_acc": e}) for e, j in enumerate(joules)
    ]

    events = show(tmp_path_factory.mktemp("run"), *records)

    steps = events.steps(QUALITY)
    assert len(steps) == len(joules)
    assert steps == sorted(steps)


def test_every_epoch_of_a_small_run_has_a_point_of_its_own(tmp_path: Path):
    small = [record(e, gpu_joules=1.0, cpu_joules=None, metrics={"val_acc": e}) for e in range(3)]

    events = show(tmp_path, *small, record(3, metrics={"val_acc": 3}))

    assert events.steps("green_detail/quality_by_ug_co2e") == [125, 250, 375]
    assert events.steps(QUALITY) == [0, 0, 0, 500]
    assert "Quality of a small run (horizontal: µg CO2e)" in events.layouts[-1]


def test_the_layout_puts_the_important_curves_together(tmp_path: Path):
    events = show(tmp_path, record(0, metrics={"val_acc": 0.5}))

    assert list(events.layouts[-1]) == [
        "Emissions so far (g CO2e)",
        "Quality by emissions so far (horizontal: mg CO2e)",
        "Emissions per epoch (g CO2e)",
        "Energy per epoch (Wh)",
        "Emissions so far with bounds (g CO2e)",
        "Mean power (W)",
        "Measured, not modelled (% of the energy)",
        "Carbon intensity (gCO2e/kWh)",
    ]


def test_a_chart_appears_when_it_first_has_something_to_show(tmp_path: Path):
    gain = Verdict(stop=False, code="active", reason="", values={"green/gain_per_kg": 3.0})

    events = show(tmp_path, record(0), record(1), record(2, verdicts=(gain,)))

    assert "Gain of the metric per kg CO2e" in events.layouts[-1]
    assert len(events.layouts) == 2


def test_a_chart_is_laid_out_for_what_the_framework_streams(tmp_path: Path):
    assert (
        show(tmp_path / "a", record(0), reporting=Reporting(streams_scalars=True)).layouts
        == show(tmp_path / "b", record(0)).layouts
    )


def test_the_page_says_where_every_number_comes_from(tmp_path: Path):
    (page,) = show(tmp_path, record(0), record(1), pue_source="environment").pages

    for fact in (
        "| gpu:0 | gpu | energy counter | ± 5 % |",
        "| cpu:0 | cpu | model | not stated |",
        "| carbon intensity | 360 gCO2e/kWh (300 to 400) |",
        "| place | Germany (DE), 2025 |",
        "| place found by | time zone |",
        "| counts | lifecycle, generation |",
        "| source | A yearly table |",
        "| license | CC BY 4.0 |",
        "| PUE | 1.25 (environment) |",
        "| run | run-1 |",
        "| version | green_callbacks ",
    ):
        assert fact in page


def test_the_page_is_written_again_when_what_it_says_changes(tmp_path: Path):
    moved = Intensity(g_per_kwh=30.0, zone="NO", source="A yearly table", found_by="provider", flags=("stale",))

    first, second = show(tmp_path, record(0), record(1), record(2, intensity=moved)).pages

    assert "Germany" in first
    assert "| place | NO |" in second
    assert "| notes | stale |" in second


def test_a_run_without_sensors_says_so(tmp_path: Path):
    (page,) = show(tmp_path, record(0, devices={})).pages

    assert "No device was measured." in page


def test_the_last_page_has_the_totals_and_why_the_run_stopped(tmp_path: Path):
    history = History([outside(), record(0)])

    events = show(tmp_path, *history, run=finished(history, "Enough | is enough.", Path("a.jsonl")))

    page = events.pages[-1]
    assert "| emissions (CO2e) | 625 mg (" in page
    assert "| energy | 1.39 Wh, 1.74 Wh with the facility |" in page
    assert "| epochs | 1 in 20.0 s |" in page
    assert "| share measured | 75 % |" in page
    assert r"| stopped because | Enough \| is enough. |" in page
    assert "| ledger | a.jsonl |" in page


def test_a_run_that_recorded_nothing_ends_with_a_page_that_invents_nothing(tmp_path: Path):
    (page,) = show(tmp_path, run=finished(History())).pages

    assert "| emissions (CO2e) | not known |" in page
    assert "| stopped because | no policy stopped it |" in page
    assert "| ledger | none |" in page


def test_files_lie_in_the_runs_folder_unless_another_is_named(tmp_path: Path):
    sink = TensorBoardSink()
    sink.open(run_context(tmp_path))
    sink.write(record(0))
    sink.close()

    assert read_events(tmp_path / "run-1").points("green/watts") == [(0, near(400))]


def test_a_continued_run_adds_a_file_to_the_same_folder(tmp_path: Path):
    show(tmp_path, record(0))
    events = show(tmp_path, record(1), before=History([record(0)]))

    assert len(list(tmp_path.iterdir())) == 2
    assert events.points("green/emissions_total_g") == [(0, near(1000 * EPOCH_KG)), (1, near(2000 * EPOCH_KG))]


def test_a_live_tensorboard_sees_an_epoch_as_soon_as_it_is_written(tmp_path: Path):
    sink = TensorBoardSink(tmp_path)
    sink.open(run_context(tmp_path))
    for epoch in range(3):
        sink.write(record(epoch))
        assert read_events(tmp_path).points("green/watts")[-1][0] == epoch
    sink.close()


def test_a_killed_run_leaves_every_finished_epoch_readable(tmp_path: Path):
    script = """
import os, signal, sys
from pathlib import Path
from support.scripted_run import record, run_context
from green_callbacks.sinks import TensorBoardSink, scalars
sink = TensorBoardSink(sys.argv[1])
sink.open(run_context(Path(sys.argv[1])))
for epoch in range(5):
    sink.write(record(epoch))
os.kill(os.getpid(), signal.SIGKILL)
"""
    tests = str(Path(__file__).parents[2])
    path = os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])

    environment = {**os.environ, "PYTHONPATH": path}
    killed = subprocess.run([sys.executable, "-c", script, tmp_path], check=False, env=environment)

    assert killed.returncode == -signal.SIGKILL
    assert [step for step, _ in read_events(tmp_path).points("green/watts")] == [0, 1, 2, 3, 4]


def test_nothing_live_is_left_after_close(tmp_path: Path):
    threads, files = threading.active_count(), open_files()

    show(tmp_path, record(0))
    sink = TensorBoardSink(tmp_path)
    sink.open(run_context(tmp_path))
    sink.close()
    sink.close()
    sink.write(record(1))
    sink.finish(finished(History()))

    assert threading.active_count() == threads
    assert open_files() == files


def test_opening_again_closes_the_file_before(tmp_path: Path):
    sink = TensorBoardSink(tmp_path)
    sink.open(run_context(tmp_path))
    before = open_files()
    sink.open(run_context(tmp_path))

    assert open_files() == before
    sink.close()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda sink: pickle.loads(pickle.dumps(sink))])
def test_an_open_sink_copies_as_its_options(tmp_path: Path, copied: Callable[[TensorBoardSink], TensorBoardSink]):
    sink = TensorBoardSink(tmp_path / "a")
    sink.open(run_context(tmp_path))

    twin = copied(sink)

    twin.write(record(0))
    sink.close()
    assert not read_events(tmp_path / "a").scalars
    twin.open(run_context(tmp_path))
    twin.write(record(0))
    twin.close()
    assert read_events(tmp_path / "a").points("green/watts") == [(0, near(400))]


@pytest.mark.parametrize("run_id", ["../../pwned", "/tmp/pwned", "..", "a/b", "x" * 300, "nul", "a\x1bb", "C:\\x"])
def test_a_run_id_that_leads_elsewhere_gets_a_folder_of_ours_and_a_warning(
    tmp_path: Path, run_id: str, caplog: pytest.LogCaptureFixture
):
    folder = tmp_path / "a" / "b"
    sink = TensorBoardSink()
    sink.open(run_context(folder, run_id=run_id))
    sink.close()

    [made] = folder.iterdir()
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(made.iterdir())
    [warning] = caplog.messages
    assert made.name in warning
    assert warning.isprintable()


def test_the_same_run_id_goes_on_in_the_same_folder(tmp_path: Path):
    for _ in range(2):
        sink = TensorBoardSink()
        sink.open(run_context(tmp_path, run_id="../x"))
        sink.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_the_page_holds_no_markup_of_others(tmp_path: Path):
    evil = "<script>x</script>|`y`\n| forged | row |\x1b[1m"
    place = replace(GERMANY, name=evil, source=evil)
    history = History([record(0, intensity=place)])
    run = replace(finished(history, evil), run_id=evil)
    page = show(tmp_path, *history, run=run, run_id=evil, pue_source=evil).pages[-1]
    assert "<" not in page
    assert "\x1b" not in page
    assert not any(line.startswith("| forged") for line in page.splitlines())


def test_a_value_that_is_no_number_costs_no_record(tmp_path: Path):
    odd = Verdict(stop=False, code="x", reason="", values={"a": "text", "b": [1], "c": 10**400, "green/d": 2.0})  # type: ignore[dict-item]
    events = show(tmp_path, record(0, verdicts=(odd,)), record(1))
    assert events.points("green/d") == [(0, 2.0)]
    assert len(events.points("green/watts")) == 2


def test_a_record_that_cannot_be_drawn_costs_none_of_the_others(tmp_path: Path):
    class Moody:
        refuses, drawn = True, 0

        def add_scalar(self, *_: object) -> None:
            if self.refuses:
                raise OverflowError
            self.drawn += 1

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_: None

    sink, writer = TensorBoardSink(), Moody()
    sink.open(run_context(tmp_path, writer=writer))
    with pytest.raises(OverflowError):
        sink.write(record(0))
    writer.refuses = False
    sink.write(record(1))
    sink.close()
    assert writer.drawn > 5


def test_a_metric_may_have_any_name(tmp_path: Path):
    events = show(tmp_path, record(0, metrics={"val\nacc\x1b": 0.5}), monitor="val\nacc\x1b")
    assert QUALITY in events.scalars
    assert "\x1b" not in events.pages[-1]


def test_no_key_that_a_framework_prints_holds_what_a_terminal_obeys():
    odd = Verdict(stop=False, code="x", reason="", values={"green/\x1b[2J": 1.0})
    devices = {"a": device(1.0, "gp\nu"), "b": device(1.0, "cpu")}
    keys = scalars(record(0, devices=devices, verdicts=(odd,)), None)
    assert r"green_detail/gp\nu_watts" in keys
    assert all(key.isprintable() for key in keys)
