"""Rows of runs and their sums. Each run has 6 rows of 4000 J at 360 gCO2e/kWh and a PUE of 1.25, 0.5 g each."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.many_runs import make_runs
from support.overviews import NOW, overview, row, trained
from support.scripted_run import device, record
from support.strategies import records

from green_callbacks.ledger import Head, RunBudget
from green_callbacks.ledger.overview import overview_of
from green_callbacks.ledger.quick_overview import quick_overview
from green_callbacks.ledger.reader import read_quietly
from green_callbacks.page.row import moment
from green_callbacks.page.rows import empty_row, group_of, runs_of, shown_row, unread_row
from green_callbacks.records import History
from green_callbacks.units import Amount

UNKNOWN = "\N{EN DASH}"

KEYS = set(empty_row(name="", key="", path="", seen_at=None))


def shown(*rows, **fields):
    return runs_of(rows, **{"folder": "logs", "read": len(rows), "of": len(rows), **fields})


def with_budgets(*budgets, run_id="run-1"):
    """A head with budgets, each an amount and a project."""
    return Head(run_id=run_id, version="1.2.3", budgets=tuple(RunBudget(*budget) for budget in budgets))


def test_a_row_says_what_a_run_cost_and_bought():
    found = row(overview(stop_reason="The budget is spent."), name="search/trial_1")
    assert set(found) == KEYS
    assert (found["name"], found["group"], found["id"], found["state"]) == (
        "search/trial_1",
        "search",
        "run-1",
        "closed",
    )
    assert (found["metric"], found["mode"], found["best"], found["best_epoch"]) == ("val_acc", "max", 0.8, 3)
    assert found["g"] == pytest.approx(3.0)
    assert found["low_g"] < found["g"] < found["high_g"]
    assert found["kwh"] == pytest.approx(24_000 / 3.6e6, rel=1e-5)
    assert found["facility_kwh"] == pytest.approx(1.25 * found["kwh"], rel=1e-5)
    assert (found["measured"], found["pue"], found["g_per_kwh"]) == (0.75, 1.25, 360.0)
    assert (found["zone"], found["zone_name"], found["year"]) == ("DE", "Germany", 2025)
    assert (found["scope"], found["basis"], found["found_by"]) == ("lifecycle", "generation", "time zone")
    assert (found["methods"], found["host"], found["stop"]) == (
        ["counter", "modelled"],
        "node01",
        "The budget is spent.",
    )
    assert (found["epochs"], found["seconds"], found["steady"], found["notices"]) == (4, 60.0, True, 0)


def test_the_front_is_cumulative_in_grams():
    found = row()
    assert found["front"] == {"g": [1.0, 1.5, 2.0, 2.5], "q": [0.5, 0.6, 0.7, 0.8], "epoch": [0, 1, 2, 3]}


def test_the_energy_of_each_point_is_there_if_the_grid_changes():
    found = row(overview(is_steady=False, front_kwh=(1.0, 2.0, 3.0, 4.0)))
    assert found["front"]["kwh"] == [1.0, 2.0, 3.0, 4.0]


def test_a_long_run_has_few_points_and_always_the_last():
    history = trained(500)
    found = row(overview(history), most=50)
    assert 40 < len(found["front"]["g"]) == len(found["front"]["q"]) == len(found["front"]["epoch"]) <= 50
    assert found["front"]["epoch"][-1] == 499


def test_samples_cost_what_the_summary_says():
    found = row(overview(trained(samples=100)))
    assert (found["samples"], found["joules_per_sample"]) == (400, 40.0)
    assert row()["joules_per_sample"] is None


@pytest.mark.parametrize(
    ("is_closed", "age", "state"),
    [
        (True, 0, "closed"),
        (False, 0, "running"),
        (False, 180, "running"),
        (False, 181, "killed"),
        (False, -60, "running"),
        (False, -181, "killed"),
    ],
)
def test_a_run_without_an_end_runs_while_its_ledger_is_young(is_closed, age, state):
    found = row(overview(is_closed=is_closed), age=age)
    assert found["state"] == state
    assert str(found["stop"]).startswith("No sign of life since 20") == (state == "killed")


def test_nothing_measured_is_not_zero():
    history = History(
        [record(epoch, gpu_joules=None, cpu_joules=None, metrics={"val_acc": 0.5 + epoch / 10}) for epoch in range(2)]
    )
    found = row(overview(history))
    empty = ("g", "low_g", "high_g", "kwh", "facility_kwh", "measured", "joules_per_sample")
    assert {name: found[name] for name in empty} == dict.fromkeys(empty)
    assert found["front"] == {"g": [], "q": [], "epoch": []}
    assert (found["best"], found["epochs"]) == (0.6, 2)


def test_a_run_without_records_has_a_row():
    found = row(overview(History(), is_closed=False))
    assert set(found) == KEYS
    assert (found["epochs"], found["g"], found["best"], found["zone"], found["began_at"]) == (0, None, None, None, None)


def test_a_quick_overview_does_not_know_its_notices():
    assert row(overview(is_quick=True))["notices"] is None
    assert row(overview(notices={"gpu": "The GPU is not measured."}))["notices"] == 1


def test_a_ledger_that_is_not_read_has_a_short_row():
    found = unread_row(name="search/a", key="k", path="search/a.jsonl", seen_at=NOW)
    assert found == {
        "key": "k",
        "name": "search/a",
        "group": "search",
        "path": "search/a.jsonl",
        "state": "unread",
        "seen_at": "2026-11-28T12:00:00+00:00",
    }
    totals = shown(row(), found)["totals"]
    assert (totals["runs"], totals["g"]) == (2, row()["g"])


@pytest.mark.parametrize(("name", "group"), [("a", ""), (".", ""), ("a/b", "a"), ("a/b/", "a"), ("a/b/c", "a/b")])
def test_the_group_is_the_parent_folder(name, group):
    assert group_of(name) == group


def test_invisible_characters_do_not_reach_the_page():
    head = Head(run_id="run-1", version="1.2.3", host="a\u202eb", pue_source="c\x1bd")
    found = row(overview(head=head, stop_reason="e\u2066f"))
    assert (found["host"], found["pue_source"], found["stop"]) == ("a\\u202eb", "c\\x1bd", "e\\u2066f")


@given(st.lists(records(), max_size=6))
def test_every_history_makes_a_row_in_plain_json(given_records):
    history = History()
    for each in given_records:
        history.append(each)
    found = row(overview(history))
    assert set(found) == KEYS
    text = json.dumps(shown(found), allow_nan=False)
    assert json.loads(text)["totals"]["runs"] == 1


def test_totals_are_sums_over_the_runs():
    first, second = row(name="a"), row(overview(trained(9), head=Head(run_id="run-2", version="1")), name="b")
    totals = shown(first, second)["totals"]
    for name in ("g", "low_g", "high_g"):
        assert totals[name] == pytest.approx(first[name] + second[name], rel=1e-5)
    assert totals["kwh"] == pytest.approx(first["facility_kwh"] + second["facility_kwh"], rel=1e-5)
    assert (totals["runs"], totals["measured"]) == (2, 0.75)


def test_the_measured_share_counts_by_energy():
    modelled = History(
        [
            record(0, gpu_joules=None, cpu_joules=12_000.0)._replace(
                devices={"cpu:0": device(24_000.0, "cpu", "modelled")}
            )
        ]
    )
    other = row(overview(modelled, head=Head(run_id="run-2", version="1")), name="b")
    assert shown(row(name="a"), other)["totals"]["measured"] == pytest.approx(0.375)


def test_runs_without_energy_are_in_no_sum_and_said():
    history = History([record(0, gpu_joules=None, cpu_joules=None)])
    nothing = row(overview(history, head=Head(run_id="run-2", version="1")), name="b")
    found = shown(row(name="a"), nothing, said=["First."])
    assert found["totals"]["g"] == row()["g"]
    assert found["totals"]["measured"] == 0.75
    assert found["said"] == ["First.", "1 of 2 runs has no known energy. Sums and charts leave out such runs."]


def test_a_gpu_that_was_not_measured_leaves_the_share_unknown():
    history = History([record(0, gpu_joules=None)])
    blind = row(overview(history, head=Head(run_id="run-2", version="1")), name="b")
    found = shown(row(name="a"), blind)
    assert found["totals"]["measured"] is None
    assert found["said"] == ["1 of 2 runs has a GPU that was not measured. So the measured share of all is not known."]


def test_a_run_that_several_ledgers_hold_counts_once():
    found = shown(row(name="a"), row(name="b"))
    assert (found["totals"]["runs"], found["totals"]["g"], len(found["runs"])) == (1, row()["g"], 1)
    assert found["said"] == ["2 files hold the run run-1, which counts once (a/run-1.jsonl, b/run-1.jsonl)."]


def test_of_two_ledgers_of_a_run_that_differ_the_longer_counts():
    short, long = row(overview(trained(2)), name="a"), row(overview(trained(5)), name="b")
    found = shown(short, long)
    assert found["runs"] == [shown_row(long)]
    assert found["said"][0].endswith("The files differ, so the file with the longest time counts.")


def test_runs_without_an_id_are_runs_of_their_own():
    nameless = [row(overview(head=Head(run_id="", version="")), name=name) for name in "ab"]
    assert len(shown(*nameless)["runs"]) == 2


def test_many_copies_do_not_fill_the_screen():
    rows = [
        row(overview(head=Head(run_id=f"run-{n}", version="1")), name=f"{n}/{copy}") for n in range(15) for copy in "ab"
    ]
    said = shown(*rows)["said"]
    assert len(said) == 11
    assert said[-1] == "Several files hold each of 5 more runs."


def test_the_tightest_budget_of_a_run_is_its_limit():
    head = with_budgets(
        (Amount(0.5, "emissions_kg"), None), (Amount(0.3, "emissions_kg"), None), (Amount(2.0, "facility_kwh"), None)
    )
    found = row(overview(head=head))
    assert (found["limit_g"], found["limit_kwh"], found["shared"]) == (300.0, 2.0, [])
    assert shown(found)["budgets"] == []


def test_a_budget_of_a_project_counts_all_runs_that_share_it():
    limit = Amount(0.01, "emissions_kg")
    sharing = [row(overview(head=with_budgets((limit, "/data/logs"), run_id=name)), name=name) for name in "ab"]
    found = shown(*sharing, row(overview(head=Head(run_id="c", version="1")), name="c"))
    assert found["budgets"] == [
        {"text": "the budget of logs: 6 g of 10 g", "value": pytest.approx(6.0, rel=1e-5), "max": 10.0}
    ]
    assert sharing[0]["limit_g"] is None


def test_the_newest_run_knows_the_limit_of_a_project():
    old = overview(head=with_budgets((Amount(1.0, "emissions_kg"), "logs"), run_id="a"))
    new = overview(head=with_budgets((Amount(2.0, "emissions_kg"), "logs"), run_id="b"), began_at=NOW)
    [budget] = shown(row(new, name="b"), row(old, name="a"))["budgets"]
    assert budget["max"] == 2000.0


def test_projects_that_end_alike_are_told_apart():
    limits = [(Amount(1.0, "facility_kwh"), project) for project in ("/one/logs", "/two/logs", "/two/runs")]
    found = shown(row(overview(head=with_budgets(*limits))))["budgets"]
    assert [each["text"].partition(":")[0] for each in found] == [
        "the budget of /one/logs", "the budget of /two/logs", "the budget of runs"
    ]  # fmt: skip
    assert all(each["text"].endswith(" of 1 kWh") for each in found)


def test_a_row_of_scalars_counts_without_its_bounds():
    scalars = empty_row(name="b", key="b", path="", seen_at=None, state="running")
    scalars |= {"g": 2.0, "kwh": 0.1, "facility_kwh": 0.1, "measured": 1.0}
    totals = shown(scalars, source="scalars")["totals"]
    assert totals == {"runs": 1, "g": 2.0, "low_g": None, "high_g": None, "kwh": 0.1, "measured": 1.0}


def test_a_report_says_when_it_was_written():
    assert shown(row(), written_at=NOW)["written_at"] == "2026-11-28T12:00:00+00:00"
    assert shown(row(), written_at=NOW + timedelta(microseconds=5))["written_at"] == "2026-11-28T12:00:00+00:00"


def test_a_row_from_the_closing_line_is_the_row_from_the_records(tmp_path):
    compared = 0
    for path in make_runs(tmp_path, 14, 20, killed=0.0, has_events=False):
        quick = quick_overview(path)
        if quick is None:
            continue
        whole, from_line = row(overview_of(path, *read_quietly(path))), row(quick)
        for name, column in whole.pop("front").items():  # the closing line has rounded its points already
            assert from_line["front"][name] == pytest.approx(column, rel=1.5e-4)
        del from_line["front"]
        assert from_line == whole | {"notices": None}
        compared += 1
    assert compared > 7


def test_totals_come_as_the_page_writes_them():
    texts = shown(row(), read=1, of=2)["texts"]
    assert (texts["runs"], texts["read"]) == ("1", "run, 1 of 2 read")
    assert texts["mass"] == "3 g"
    assert texts["bounds"].startswith(" (")
    assert shown(row())["texts"]["read"] == "run"
    assert shown()["texts"] == {
        "runs": "0", "read": "runs", "mass": UNKNOWN, "bounds": "", "energy": UNKNOWN, "measured": UNKNOWN
    }  # fmt: skip


def test_the_metric_of_most_runs_comes_first():
    rows = [row(name=name) for name in "abc"]
    for number, each in enumerate(rows):
        each |= {"id": each["name"], "metric": "val_loss" if number else "val_acc"}
    assert shown(*rows)["metrics"] == [["val_loss", "val_loss (2)"], ["val_acc", "val_acc (1)"]]
    assert shown()["metrics"] == []


@pytest.mark.parametrize("seconds", [-1e30, -1e12, 0.0, 1.7e9, 1e12, 4.6e18, float("inf"), float("nan")])
def test_any_time_of_a_file_system_has_a_date(seconds):
    assert 1970 <= moment(seconds).year <= 9999


def test_a_metric_that_falls_and_rises_is_two_metrics():
    one, other = row(name="a"), row(name="b") | {"id": "b", "mode": "min"}
    found = shown(one, other)
    assert [each["metric"] for each in found["runs"]] == ["val_acc (max)", "val_acc (min)"]
    assert [name for name, _ in found["metrics"]] == ["val_acc (max)", "val_acc (min)"]
    assert one["metric"] == "val_acc"


def inside(run_id, *parents, host="node01", **fields):
    """A row of a run inside others."""
    head = Head(run_id=run_id, version="1.2.3", host=host, parent=(parents or (None,))[0], ancestors=parents[1:])
    return row(overview(head=head, **fields), name=run_id)


def test_a_run_inside_another_is_in_no_sum_but_the_outer_ones():
    outer, inner, elsewhere = inside("outer"), inside("inner", "outer"), inside("elsewhere", "outer", host="node02")
    found = shown(outer, inner, elsewhere)
    assert [each["parent"] for each in found["runs"]] == [None, "outer", "outer"]
    assert found["within"] == {inner["key"]: [outer["key"]]}
    assert (found["totals"]["runs"], found["totals"]["g"]) == (3, pytest.approx(6.0))
    assert shown(inner)["totals"]["g"] == pytest.approx(3.0)
    json.dumps(found)


def test_a_shared_budget_counts_a_run_inside_another_once():
    budget = RunBudget(Amount(1.0, "emissions_kg"), "logs")
    heads = [
        Head(run_id="outer", version="1", budgets=(budget,)),
        Head(run_id="inner", version="1", budgets=(budget,), parent="outer"),
    ]
    rows = [row(overview(head=head), name=head.run_id) for head in heads]
    (both,) = shown(*rows)["budgets"]
    (alone,) = shown(rows[1])["budgets"]
    assert both["value"] == alone["value"] == pytest.approx(3.0)


def test_a_page_says_that_it_counts_a_device_for_each_process_that_measured_it():
    heads = [
        Head(run_id=f"run-{at}", version="1", host="node01", process=process)
        for at, process in enumerate(("a", "b", "b"))
    ]
    rows = [row(overview(head=head), name=head.run_id) for head in heads]
    (said,) = shown(*rows)["said"]
    assert said.startswith("3 runs measured a device that another process measured at the same time.")
    assert shown(*rows[1:])["said"] == []  # one process divides by itself
