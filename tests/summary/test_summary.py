import copy
import io
import logging
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.scripted_run import device, finished, record, run_context

from green_callbacks.analysis import last_gain
from green_callbacks.carbon import lookup
from green_callbacks.metrics import Metric
from green_callbacks.records import Checkpoints, EpochRecord, History, Intensity, Plan
from green_callbacks.summary import Summary, answers, summarise, table

EPOCH_KG = 4000 / 3.6e6 * 1.25 * 0.360


def outside() -> EpochRecord:
    return record(None, gpu_joules=300.0, cpu_joules=100.0, seconds=1.0)


def learning(*values: float, metric: str = "val_acc", kg: float = 1.0) -> History:
    """Epochs of 1 kg each after which the metric has these values."""
    return History(EpochRecord.scripted(epoch=e, emissions_kg=kg, metrics={metric: v}) for e, v in enumerate(values))


def rows(text: str) -> dict[str, list[str]]:
    """The lines of a table by their first word; two blanks part the columns."""
    lines = (line.strip().split("  ") for line in text.splitlines()[3:])
    cells = ([cell.strip() for cell in line if cell.strip()] for line in lines)
    return {first: rest for first, *rest in cells}


def answered(history: History, metric: str | None = "val_acc", mode: str = "max", **context: object) -> dict[str, str]:
    quality = None if metric is None else Metric(metric, mode)
    return answers(finished(history), run_context(Path(), history, **context), quality)


class TestTable:
    def test_an_epoch_has_its_energy_power_emissions_and_metric(self):
        history = History([outside(), record(0, metrics={"val_acc": 0.98765})])

        shown = rows(table(history, "val_acc"))

        assert shown["0"] == ["3000 J", "1000 J", "400 W", "500 mg", "550 mg", "0.9877"]
        assert shown["outside"] == ["300 J", "100 J", "400 W", "50.0 mg"]
        assert shown["all"] == ["3300 J", "1100 J", "400 W", "550 mg"]

    def test_under_each_component_stands_how_its_energy_was_obtained(self):
        devices = {"gpu:0": device(1.0), "gpu:1": device(1.0, method="sampled"), "cpu": device(1.0, "cpu", "modelled")}

        head, methods, *_ = table(History([record(0, devices=devices)])).splitlines()

        assert head.split("  ")[:1] == ["epoch"]
        assert methods.split() == ["counter+sampled", "modelled"]

    def test_what_was_not_measured_is_a_dash_and_no_zero(self):
        history = History([record(0, gpu_joules=None, cpu_joules=None), record(1, gpu_joules=None)])

        shown = rows(table(history))

        assert shown["0"] == ["-", "-", "-", "-"]
        assert shown["1"] == ["-", "1000 J", "100 W", "125 mg", "125 mg"]

    def test_parts_of_an_epoch_are_one_row_with_the_last_metric(self):
        first = record(0, closes_epoch=False, metrics={"val_acc": 0.5})
        history = History([first, record(0, metrics={"val_acc": 0.6}), record(1)])

        shown = rows(table(history, "val_acc"))

        assert shown["0"] == ["1.67 Wh", "2000 J", "400 W", "1.00 g", "1.00 g", "0.6000"]
        assert shown["1"][-1] == "1.50 g"

    @pytest.mark.parametrize(("epochs", "shown"), [(10, 10), (11, 11), (12, 10), (1000, 10)])
    def test_a_long_run_is_abridged_in_the_middle(self, epochs: int, shown: int):
        text = table(History(record(epoch) for epoch in range(epochs)))

        numbers = [int(first) for first in rows(text) if first.isdigit()]
        assert len(numbers) == shown
        assert (numbers[0], numbers[-1]) == (0, epochs - 1)
        assert ("..." in text) == (shown < epochs)

    def test_a_run_that_never_began_has_a_table_of_nothing(self):
        assert rows(table(History()))["all"] == ["-", "-"]

    @given(joules=st.lists(st.floats(0, 1e12), max_size=30))
    def test_columns_are_aligned_whatever_the_numbers(self, joules: list[float]):
        devices = [{"gpu": device(j), "cpu": device(j, "cpu"), "dram": device(j, "dram")} for j in joules]

        history = History(record(epoch, devices=used) for epoch, used in enumerate(devices))
        head, _, _, *lines = table(history).splitlines()

        epochs = [line for line in lines if line.split()[0].isdigit()]
        assert all(len(line) == len(head) <= 100 for line in epochs)


class TestPlace:
    def test_here_stands_against_the_cleanest_comparable_place(self):
        germany = lookup("DE")
        here = History([record(0, intensity=germany)])

        text = answered(here)["place"]

        assert "Germany (DE)" in text
        assert f"instead of {4000 / 3.6e6 * 1.25 * germany.g_per_kwh * 1000:.0f} mg" in text
        assert "% less" in text

    def test_the_cleanest_place_has_no_cleaner_one(self):
        places = [lookup(zone) for zone in ("NO", "SE", "FR", "PY", "IS", "CH")]
        cleanest = min(places, key=lambda intensity: intensity.g_per_kwh)
        alone = Intensity(g_per_kwh=0.01, **{n: getattr(cleanest, n) for n in ("zone", "year", "source", "found_by")})

        assert (
            "No place with a comparable figure is cleaner" in answered(History([record(0, intensity=alone)]))["place"]
        )

    def test_a_number_given_by_hand_is_comparable_with_none(self):
        given_by_hand = Intensity(g_per_kwh=300.0, source="argument", found_by="argument")

        text = answered(History([record(0, intensity=given_by_hand)]))["place"]

        assert "300 gCO2e/kWh" in text
        assert "not known" in text

    def test_without_emissions_it_is_not_known(self):
        assert answered(History())["place"].startswith("Not known")
        assert answered(History([record(0, gpu_joules=None, cpu_joules=None)]))["place"].startswith("Not known")


class TestFacility:
    def test_a_pue_stands_against_an_efficient_one(self):
        text = answered(History([record(0, pue=1.25)]), pue_source="environment")["facility"]

        assert text.startswith("PUE 1.25 (environment).")
        assert "440 mg instead of 500 mg, 12 % less" in text

    @pytest.mark.parametrize("pue", [1.0, 1.1])
    def test_an_efficient_facility_is_told_so(self, pue: float):
        assert "which is no less" in answered(History([record(0, pue=pue)]))["facility"]

    def test_without_emissions_the_saving_is_not_known(self):
        assert "not known" in answered(History())["facility"]


class TestTime:
    def test_the_last_point_of_a_fraction_is_a_hundredth(self):
        history = learning(0.90, 0.97, 0.98, 0.975, 0.98)

        last = last_gain(history, Metric("val_acc", "max"))

        assert last is not None
        assert (last.what, last.best) == ("point of", 0.98)
        assert last.start == pytest.approx(0.97)
        assert last.cost_kg == pytest.approx(1.0)
        assert last.after_kg == pytest.approx(2.0)

    def test_the_last_point_of_a_percentage_is_one(self):
        last = last_gain(learning(60.0, 90.0, 92.0), Metric("val_acc", "max"))

        assert last is not None
        assert (last.what, last.start, last.best) == ("point of", 91.0, 92.0)
        assert last.cost_kg == pytest.approx(0.5)

    @pytest.mark.parametrize(
        ("values", "mode"),
        [((2.0, 1.5, 1.0), "min"), ((-3.0, 1.0), "max"), ((0.980, 0.985), "max"), ((-0.5, -0.9), "min")],
    )
    def test_without_a_scale_of_points_it_is_the_last_twentieth_of_the_gain(self, values: tuple[float], mode: str):
        last = last_gain(learning(*values), Metric("val_acc", mode))

        assert last is not None
        assert last.what == "5 % of the gain in"
        assert last.best == values[-1]
        assert last.best - last.start == pytest.approx((values[-1] - values[0]) / 20)
        assert last.cost_kg == pytest.approx((len(values) - 1) / 20)

    @pytest.mark.parametrize("values", [(), (0.5,), (0.9, 0.8), (0.5, 0.5), (0.5, float("nan")), (float("nan"),)])
    def test_a_metric_that_never_got_better_has_no_last_point(self, values: tuple[float]):
        assert last_gain(learning(*values), Metric("val_acc", "max")) is None

    @given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), mode=st.sampled_from(["min", "max"]))
    def test_the_last_gain_never_costs_more_than_the_run(self, values: list[float], mode: str):
        history = learning(*values)

        last = last_gain(history, Metric("val_acc", mode))

        if last is not None:
            assert 0 <= last.cost_kg <= history.emissions_kg
            assert last.cost_kg + last.after_kg <= history.emissions_kg - 1 + 1e-9  # the first epoch is before both
            assert last.best == (max if mode == "max" else min)(values)

    def test_the_answer_gives_the_share_of_the_emissions(self):
        text = answered(learning(0.90, 0.97, 0.98, 0.975))["time"]

        assert "The last point of val_acc (0.9700 to 0.9800) cost 25 % of the emissions, 1.00 kg." in text
        assert "Another 1.00 kg (25 %) followed and gained nothing." in text

    def test_nothing_is_said_of_what_came_after_where_nothing_did(self):
        assert "Another" not in answered(learning(0.90, 0.97))["time"]

    @pytest.mark.parametrize(
        ("history", "metric", "reason"),
        [
            (learning(0.5, 0.6), None, "this needs two values of a validation metric"),
            (learning(0.5), "val_acc", "this needs two values of val_acc"),
            (learning(0.5, 0.6, kg=0.0), "val_acc", "no emissions were measured"),
        ],
    )
    def test_what_it_takes_is_said_where_it_is_not_known(self, history: History, metric: str | None, reason: str):
        assert answered(history, metric)["time"] == f"Not known, because {reason}."

    def test_a_metric_that_only_got_worse_is_told_so(self):
        assert answered(learning(0.9, 0.8))["time"] == "val_acc was never better than its first value."


class TestData:
    def test_samples_and_the_energy_of_each(self):
        text = answered(History([outside(), record(0, samples=60_000), record(1, samples=60_000)]))["data"]

        assert text.startswith("120,000 samples seen, 0.0667 J each (0.0642 J to 0.0692 J). This counts all")

    def test_epochs_that_are_done_again_have_both_their_samples_and_their_energy(self):
        history = History([outside(), record(0, samples=60_000), record(1, samples=60_000)])
        history.rewind(1)
        history.append(record(1, samples=60_000))

        assert answered(history)["data"].startswith("180,000 samples seen, 0.0667 J each (0")

    def test_the_energy_of_a_large_sample_has_a_unit_in_which_it_reads_well(self):
        history = History([record(0, gpu_joules=7.2e6, cpu_joules=None, samples=2)])

        assert answered(history)["data"].startswith("2 samples seen, 1.00 kWh each (950 Wh to 1.05 kWh).")

    def test_what_the_end_of_a_run_takes_is_not_called_training_that_bought_nothing(self):
        epochs = [record(e, metrics={"val_acc": 0.5 + e / 10}) for e in range(3)]
        end = record(None, gpu_joules=9.0, cpu_joules=9.0)

        assert "gained nothing" not in answered(History([*epochs, end]))["time"]

    def test_samples_without_energy(self):
        history = History([record(0, samples=100, gpu_joules=None, cpu_joules=None)])

        assert answered(history)["data"] == "100 samples seen. The energy of each is not known."

    def test_nobody_counted(self):
        assert answered(History([record(0)]))["data"].startswith("Not known")


class TestSummary:
    @pytest.mark.parametrize(
        ("epochs", "planned", "reason", "ending"),
        [
            (2, 10, "The budget is spent.", "Stopped after 2 epochs in 20.0 s. The budget is spent."),
            (2, 2, None, "Finished as planned: 2 epochs in 20.0 s."),
            (1, 2, None, "Ended after 1 epoch in 10.0 s. No policy stopped it."),
            (1, None, None, "Ended after 1 epoch in 10.0 s. No policy stopped it."),
        ],
    )
    def test_it_begins_with_why_the_run_ended(self, epochs: int, planned: int | None, reason: str | None, ending: str):
        history = History(record(epoch) for epoch in range(epochs))

        text = summarise(finished(history, reason), run_context(Path(), history, plan=Plan(epochs=planned)))

        assert text.splitlines()[0] == ending

    @pytest.mark.parametrize(
        ("epochs", "plan", "is_as_planned"),
        [
            ((0, 1, 2), Plan(steps=300), True),
            ((0, 1, 2), Plan(epochs=9, seconds=30.0), True),
            ((0, 1, 2), Plan(epochs=9, steps=600), False),
            ((8, 9), Plan(epochs=10), True),  # the monitor joined late
            ((0, 1, 2, 0, 1), Plan(epochs=4), False),  # five epochs, but two of the last fit
        ],
        ids=["steps", "time", "neither", "joined late", "two fits"],
    )
    def test_a_plan_is_met_by_its_own_counts(self, epochs: tuple[int, ...], plan: Plan, *, is_as_planned: bool):
        history = History(record(epoch)._replace(step=100 * (epoch + 1)) for epoch in epochs)

        text = summarise(finished(history), run_context(Path(), history, plan=plan))

        assert text.startswith("Finished as planned: " if is_as_planned else "Ended after ")

    def test_it_has_totals_table_answers_and_ledger(self):
        history = History([outside(), record(0, metrics={"val_acc": 0.9}), record(1, metrics={"val_acc": 0.95})])

        text = summarise(finished(history, ledger=Path("a.jsonl")), run_context(Path(), history))

        assert "Energy     2.33 Wh, 2.92 Wh with a PUE of 1.25. 75 % of it measured, the rest modelled. 400 J" in text
        assert "Emissions  1.05 g CO2e, between 842 mg and 1.21 g" in text
        assert "Intensity  360 gCO2e/kWh (300 to 400), Germany (DE), 2025, location by time zone" in text
        assert table(history, "val_acc") in text
        for label in ("Place", "Facility", "Time", "Data"):
            assert any(line.startswith(f"{label} ") for line in text.splitlines())
        assert "On the way val_acc 0.9000 at 550 mg (epoch 0), 0.9500 at 1.05 g (epoch 1)." in text
        assert text.endswith("Ledger     a.jsonl")

    def test_a_measured_run_has_no_rest_that_is_modelled(self):
        history = History([record(0, devices={"gpu": device(3600.0)})])

        text = summarise(finished(history), run_context(Path(), history))

        assert "1.00 Wh, 1.25 Wh with a PUE of 1.25. 100 % of it measured\n" in text

    def test_a_modelled_run_is_told_so_and_a_pue_of_one_changes_nothing(self):
        history = History([record(0, devices={"cpu:0": device(3600.0, "cpu", "modelled")}, pue=1.0)])

        assert "Energy     1.00 Wh. All of it modelled\n" in summarise(finished(history), run_context(Path(), history))

    def test_a_metric_whose_name_says_nothing_is_better_when_it_is_higher(self):
        history = learning(0.5, 0.9, metric="val_x")

        assert "The last point of val_x" in summarise(finished(history), run_context(Path(), history))

    def test_what_as_much_again_would_buy_stands_with_what_the_last_point_cost(self):
        assert (
            "Doubling the 2.00 kg would likely gain another 0.60 points of val_acc (0.10 to 1.8)."
            in answered(learning(0.90, 0.91))["time"]
        )

    def test_a_run_that_used_nothing_has_no_share_that_was_measured(self):
        history = History([record(0, devices={"gpu": device(0.0)})])

        assert "measured" not in summarise(finished(history), run_context(Path(), history)).splitlines()[2]

    def test_bounds_that_are_not_known_are_not_stated(self):
        history = History([record(0)])
        run = replace(finished(history), emissions_low_kg=None)

        assert "Emissions  500 mg CO2e. 637 mg at the world's average of 2025" in summarise(
            run, run_context(Path(), history)
        )

    def test_a_run_without_sensors_invents_nothing(self):
        history = History([record(0, devices={})])

        text = summarise(finished(history), run_context(Path(), history))

        assert "Energy     not known, because nothing was measured" in text
        assert "Emissions  not known" in text

    def test_an_unwatched_loss_is_better_when_it_is_lower(self):
        history = learning(2.0, 1.0, metric="val_loss")

        text = summarise(finished(history), run_context(Path(), history))

        assert "The last 5 % of the gain in val_loss (1.050 to 1.000)" in text

    def test_a_watched_metric_is_better_the_way_its_policy_says(self):
        history = learning(0.5, 0.1, metric="val_error")

        text = summarise(finished(history), run_context(Path(), history, monitor="val_error", mode="min"))

        assert "The last 5 % of the gain in val_error (0.1200 to 0.1000)" in text

    def test_it_fits_a_terminal_of_100_columns_and_any_encoding(self):
        history = History([record(e, metrics={"val_acc": 1 - 0.5 / (e + 1)}, samples=10**6) for e in range(50)])

        text = summarise(finished(history, "A long reason. " * 20), run_context(Path(), history, pue_source="x " * 80))

        assert max(map(len, text.splitlines())) <= 100
        assert text.isascii()

    def test_a_long_path_is_not_broken(self):
        history = History([record(0)])

        assert "/a" * 100 in summarise(finished(history, ledger=Path("/a" * 100)), run_context(Path(), history))


class TestSink:
    def run(self, sink: Summary) -> None:
        history = History([record(0)])
        sink.open(run_context(Path(), history))
        sink.write(history[0])
        sink.finish(finished(history))
        sink.close()

    def test_it_writes_once_where_it_is_told_to(self):
        texts: list[str] = []

        self.run(Summary(texts.append))

        (text,) = texts
        assert text.startswith("Ended after 1 epoch")

    def test_where_few_characters_can_be_written_the_others_are_written_out(self):
        history = History([record(0, metrics={"val_güte": 0.5})])
        file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        sink = Summary(lambda text: print(text, file=file, flush=True))
        sink.open(run_context(Path(), history))
        sink.write(history[0])

        sink.finish(finished(history))

        assert b"val_g\\xfcte" in file.buffer.getvalue()  # type: ignore[attr-defined]  # of BytesIO

    def test_by_default_it_goes_to_logging_as_information(self, caplog: pytest.LogCaptureFixture):
        with caplog.at_level(logging.INFO, "green_callbacks"):
            self.run(Summary())

        (logged,) = caplog.records
        assert logged.levelno == logging.INFO
        assert "Ended after 1 epoch" in logged.message

    def test_by_default_nothing_reaches_the_console(self, capsys: pytest.CaptureFixture[str]):
        self.run(Summary())

        assert capsys.readouterr() == ("", "")

    def test_a_sink_that_is_not_open_writes_nothing(self):
        texts: list[str] = []
        sink = Summary(texts.append)

        sink.finish(finished(History()))
        self.run(sink)
        sink.finish(finished(History()))

        assert len(texts) == 1

    def test_an_open_sink_copies_as_its_options(self):
        texts: list[str] = []
        sink = Summary(print)
        sink.open(run_context(Path()))

        self.run(copy.copy(Summary(texts.append)))

        assert isinstance(pickle.loads(pickle.dumps(sink)), Summary)
        assert len(texts) == 1


class TestForeignNames:
    EVIL = "val\x1b[2J\r\nforged\x9b31m\u202e"
    HARM = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff]")

    def written(self) -> str:
        evil = self.EVIL
        place = Intensity(g_per_kwh=400.0, zone=evil, name=evil, source=evil, found_by="argument")
        history = History(
            record(
                epoch,
                intensity=place,
                devices={evil: device(3000.0, evil)},
                metrics={evil: 0.5 + epoch / 10},
            )
            for epoch in range(4)
        )
        context = run_context(
            Path(),
            history,
            monitor=evil,
            pue_source=evil,
            checkpoints={evil: Checkpoints("max", {f"/tmp/{evil}.ckpt": 2})},
        )
        return summarise(finished(history, f"Enough{evil}", Path(f"/tmp/{evil}")), context)

    def test_nothing_of_them_moves_a_cursor_or_forges_a_line(self) -> None:
        text = self.written()
        assert self.HARM.search(text) is None
        assert "forged" in text
        assert not any(line.lstrip().startswith("forged") for line in text.splitlines())

    def test_a_log_keeps_the_lines_of_the_summary_and_no_others(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        sink = Summary()
        history = History([record(0, metrics={self.EVIL: 0.5})])
        sink.open(run_context(Path(), history))
        sink.write(history[0])
        sink.finish(finished(history, self.EVIL))
        [message] = caplog.messages
        assert self.HARM.search(message) is None
        assert len(message.splitlines()) > 5

    def test_a_name_without_end_does_not_fill_the_page(self) -> None:
        history = learning(0.5, 0.6, metric="val_" + "x" * 10**6)
        assert len(summarise(finished(history), run_context(Path(), history))) < 20_000
